"""Tests captions of many records in the archive's form: they are English and state what the records do."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.caption_faults import faults_of
from tests.fakes.generated_records import generated_records
from vaserl.rewards.vase import Facts, lists_keywords, parse_caption, parse_record, reference_caption

SHAPES = Path(__file__).parents[3] / "fakes" / "archive_shapes.txt"


def stated(facts: Facts) -> tuple[Facts, list]:
    """Returns facts without the order of the attributions, which are alternatives."""
    return replace(facts, attribution=()), sorted(facts.attribution)


def test_captions_of_two_thousand_records_have_no_fault_and_state_what_the_records_do():
    records = generated_records(2000, seed=3)
    captions = [reference_caption(record) for record in records]
    assert [(caption, faults) for caption in captions if (faults := faults_of(caption))] == []
    lost = [
        (record, caption)
        for record, caption in zip(records, captions, strict=True)
        if stated(parse_caption(caption)) != stated(parse_record(record))
    ]
    assert lost == []
    assert not any(lists_keywords(record) for record in records)


def test_captions_state_every_shape_of_the_archive():
    names = [line for line in SHAPES.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert len(names) > 380
    context = {"Fabric": "ATHENIAN", "Technique": "BLACK-FIGURE", "Decoration": "A: LION", "Date": "-550 to -500"}
    for name in names:
        for record in (context | {"Shape Name": name}, {"Technique": "BLACK-FIGURE", "Shape Name": name}):
            caption = reference_caption(record)
            assert parse_caption(caption) == parse_record(record), caption
            assert faults_of(caption) == []


@pytest.mark.parametrize(
    ("caption", "fault"),
    [
        ("Athenian red-figure cup, c. 500–475 BCE.", "no verb phrase"),
        ("This is an Athenian cup, depicting a fight of herakles.", "name in lower case: herakles"),
        ("Athenian cup, depicting a the lion.", "articles: a the"),
        ("Athenian cup, depicting a owl.", "article: a owl"),
        ("Athenian cup, depicting satyrs and and lions.", "twice: and and"),
        (
            "Athenian cup, depicting herm lion boar satyr maenad owl swan.",
            "run: herm lion boar satyr maenad owl swan",
        ),
    ],
)
def test_faults_of_finds(caption, fault):
    assert fault in faults_of(caption)
