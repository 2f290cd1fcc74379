"""Tests captions, facts left out of them, and questions, all with the reward's parser."""

import json
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from tests.fakes.curation_stages import over_batches
from vaserl.curation.job.batch import batch_of, rows_of
from vaserl.curation.settings import DescribeSettings, SilenceSettings
from vaserl.curation.stages.describe import (
    DESCRIBE,
    Describe,
    invented_dimensions,
    lost_dimensions,
    silent_dimensions,
    without,
)
from vaserl.curation.stages.questions import QUESTIONS, Questions, findspot_of, questions_about
from vaserl.curation.stages.writer import Wording
from vaserl.rewards.vase import parse_caption, parse_record, reference_caption, vase_question
from vaserl.synthetic.record import beazley_record
from vaserl.synthetic.world import traits_of
from vaserl.types import DIMENSIONS, Completion, Task

RECORD = {
    "Fabric": "ATHENIAN",
    "Technique": "BLACK-FIGURE",
    "Shape Name": "AMPHORA, NECK",
    "Date": "-525 to -475",
    "Decoration": "A,B: WARRIOR",
    "Attributed To": "ANTIMENES P by BEAZLEY",
    "Provenance": "ITALY, VULCI",
}


def described(silence: SilenceSettings, records: list[dict[str, str]], seed: int = 0) -> list[dict]:
    rows = [
        {"vase_id": f"v{k}", "record": json.dumps(record), "rejected_by": "", "reason": ""}
        for k, record in enumerate(records)
    ]
    return rows_of(over_batches(DESCRIBE, Describe, DescribeSettings(silence=silence), seed)(batch_of(rows)))


def test_describe_without_silence_states_everything():
    (row,) = described(SilenceSettings(), [RECORD])
    assert row["caption"] == row["reference"]
    assert parse_caption(row["reference"]) == parse_record(RECORD)


def test_describe_silence_leaves_out_its_dimension_and_nothing_else():
    (row,) = described(SilenceSettings(attribution=1.0, dating=1.0), [RECORD])
    said, known = parse_caption(row["caption"]), parse_record(RECORD)
    assert said.attribution == said.dating == ()
    for dimension in ("fabric", "technique", "shape", "decoration"):
        assert said[dimension] == known[dimension]
    assert parse_caption(row["reference"]) == known


def test_describe_caption_always_states_something():
    everything = SilenceSettings(**dict.fromkeys(DIMENSIONS, 1.0))
    assert silent_dimensions("v", RECORD, everything, 0) == DIMENSIONS[1:]
    assert silent_dimensions("v", {"Date": "-500 to -480"}, everything, 0) == ()


def test_describe_silence_has_the_stated_share_and_is_a_function_of_vase_and_seed():
    silence = SilenceSettings(attribution=0.55, dating=0.3)
    drawn = [silent_dimensions(f"v{k}", RECORD, silence, 0) for k in range(2000)]
    # binomial standard deviation is at most 0.0112, so five of them
    assert np.mean(["attribution" in d for d in drawn]) == pytest.approx(0.55, abs=0.056)
    assert np.mean(["dating" in d for d in drawn]) == pytest.approx(0.30, abs=0.056)
    both = np.mean([{"attribution", "dating"} <= set(d) for d in drawn])
    assert both == pytest.approx(0.165, abs=0.042)  # independent: 0.55 * 0.3
    assert drawn == [silent_dimensions(f"v{k}", RECORD, silence, 0) for k in range(2000)]
    assert drawn != [silent_dimensions(f"v{k}", RECORD, silence, 1) for k in range(2000)]


def test_invented_dimensions_are_those_that_the_record_does_not_state():
    caption = "Corinthian black-figure neck-amphora, c. 525–475 BCE, depicting a warrior and a lion."
    assert invented_dimensions(caption, RECORD) == ("fabric", "decoration")
    assert invented_dimensions("Athenian neck-amphora.", RECORD) == ()
    assert invented_dimensions("Athenian vase, by the Berlin Painter.", without(RECORD, ("attribution",))) == (
        "attribution",
    )


def test_lost_dimensions_are_those_that_the_caption_leaves_out():
    assert lost_dimensions("Athenian neck-amphora, c. 525–475 BCE, depicting a lion.", RECORD) == (
        "technique",
        "decoration",
        "attribution",
    )
    assert lost_dimensions("An amphora.", {"Shape Name": "AMPHORA, NECK"}) == ("shape",), "the kind of amphora is lost"
    two = {"Attributed To": "ANTIMENES P by BEAZLEY | LYSIPPIDES P by BEAZLEY"}
    assert lost_dimensions("A vase attributed to the Antimenes Painter.", two) == (), "they are alternatives"


def write_well(records: Sequence[Mapping[str, str]]) -> list[Wording]:
    """A caption writer with other words than the template's, which states all given facts and no others."""
    texts = []
    for record in records:
        by = "Painted by the Antimenes Painter, this" if "Attributed To" in record else "This"
        made = "was made about 525–475 BCE and " if "Date" in record else ""
        texts.append(Wording(f"{by} Athenian neck-amphora in black-figure {made}shows a warrior."))
    return texts


def wrong(row: dict) -> tuple[int, int]:
    """Returns the number of dimensions that the first wording invented and that it lost."""
    invents, loses = (0 if math.isnan(row[name]) else int(row[name]) for name in ("caption_invents", "caption_loses"))
    return invents, loses


def test_describe_wording_that_the_parser_cannot_read_back_does_not_break_the_silence(monkeypatch):
    import vaserl.curation.stages.describe as module

    monkeypatch.setattr(module, "lost_dimensions", lambda caption, stated: ("shape",))  # of whatever wording
    silent = DescribeSettings(silence=SilenceSettings(dating=1.0))
    batch = batch_of([{"vase_id": "v", "record": json.dumps(RECORD), "rejected_by": "", "reason": ""}])
    (row,) = rows_of(over_batches(DESCRIBE, Describe, silent, 0)(batch))
    assert "525" not in row["caption"] and "525" in row["reference"]
    assert not row["caption_fallback"] and wrong(row) == (0, 1)


def test_describe_rules_that_would_invent_give_way_to_the_whole_record(monkeypatch):
    import vaserl.curation.stages.describe as module

    # rules that say of fewer fields what the record doesn't
    monkeypatch.setattr(
        module, "reference_caption", lambda fields: reference_caption(fields) if len(fields) > 6 else "A lamp."
    )
    monkeypatch.setattr(module, "invented_dimensions", lambda caption, record: ("shape",) if "lamp" in caption else ())
    batch = batch_of([{"vase_id": "v", "record": json.dumps(RECORD), "rejected_by": "", "reason": ""}])
    silent = DescribeSettings(silence=SilenceSettings(dating=1.0))
    (row,) = rows_of(over_batches(DESCRIBE, Describe, silent, 0)(batch))
    assert row["caption"] == row["reference"] == reference_caption(RECORD) and row["caption_fallback"]


def test_describe_writer_that_states_the_facts_is_believed():
    batch = batch_of([{"vase_id": "v", "record": json.dumps(RECORD), "rejected_by": "", "reason": ""}])
    (row,) = rows_of(over_batches(DESCRIBE, Describe, DescribeSettings(), 0, lambda: write_well)(batch))
    assert row["caption"] == write_well([RECORD])[0].text != row["reference"]
    assert not row["caption_fallback"] and wrong(row) == (0, 0)
    assert math.isnan(row["caption_invents"]) and math.isnan(row["caption_loses"]), "nothing to count"
    silent = DescribeSettings(silence=SilenceSettings(dating=1.0, attribution=1.0))
    (row,) = rows_of(over_batches(DESCRIBE, Describe, silent, 0, lambda: write_well)(batch))
    assert row["caption"] == "This Athenian neck-amphora in black-figure shows a warrior."
    assert not row["caption_fallback"] and wrong(row) == (0, 0), "what is silent is not lost"


@pytest.mark.parametrize(
    ("text", "invents", "loses", "why"),
    [
        (
            "Corinthian black-figure neck-amphora, c. 525–475 BCE, depicting a warrior, by the Antimenes Painter.",
            1,
            1,
            "it invents fabric and leaves out fabric",
        ),
        (
            "Athenian black-figure neck-amphora, 525–475 BCE, depicting a warrior and lion, by the Antimenes Painter.",
            1,
            0,
            "it invents decoration",
        ),
        ("Athenian black-figure neck-amphora, c. 525–475 BCE, depicting a warrior.", 0, 1, "it leaves out attribution"),
        ("", 0, 6, "the model is on strike"),
    ],
    ids=["another fabric", "a lion too many", "no attribution", "nothing"],
)
def test_describe_writer_that_invents_or_forgets_is_replaced_and_counted(text, invents, loses, why):
    batch = batch_of([{"vase_id": "v", "record": json.dumps(RECORD), "rejected_by": "", "reason": ""}])
    wordings = [Wording(text, "" if text else "the model is on strike")]
    writer = over_batches(DESCRIBE, Describe, DescribeSettings(), 0, lambda: lambda records: wordings)
    (row,) = rows_of(writer(batch))
    assert row["caption"] == row["reference"]
    assert row["caption_fallback"] == why and wrong(row) == (invents, loses)


def test_describe_refused_writer_is_replaced_by_the_rules_words_for_the_same_fields():
    batch = batch_of([{"vase_id": "v", "record": json.dumps(RECORD), "rejected_by": "", "reason": ""}])
    silent = DescribeSettings(silence=SilenceSettings(dating=1.0))
    lamps = [Wording("A Roman lamp.")]
    (row,) = rows_of(over_batches(DESCRIBE, Describe, silent, 0, lambda: lambda records: lamps)(batch))
    assert parse_caption(row["caption"]) == parse_record(without(RECORD, ("dating",)))
    assert row["caption"] != row["reference"]


def test_describe_synthetic_records_are_described_and_asked_about_without_loss():
    records = [beazley_record(f"v{k}", k, traits_of(5, k)) for k in range(60)]
    rows = described(SilenceSettings(attribution=0.5, decoration=0.5, technique=0.5, shape=0.5), records)
    for record, row in zip(records, rows, strict=True):
        assert parse_caption(row["reference"]) == parse_record(record)
        assert invented_dimensions(row["caption"], record) == ()
        assert not row["caption_fallback"]
        for question in questions_about(record):
            if question.dimension == "provenance":
                continue
            task = Task(
                id="q",
                clip="",
                prompt=question.question,
                dimensions=(question.dimension,),
                record=record,
                reference=question.answer,
            )
            answer = Completion(
                text=question.answer, token_ids=(), logprobs=(), finish_reason="stop", weights_version=0
            )
            assert vase_question(task, answer).total == pytest.approx(1.0)


def test_questions_ask_for_what_is_stated():
    assert [(q.question, q.answer) for q in questions_about(RECORD)] == [
        ("What is the fabric of the vase?", "Athenian"),
        ("What is the technique of the vase?", "black-figure"),
        ("What is the shape of the vase?", "neck-amphora"),
        ("What is the date of the vase?", "c. 525–475 BCE"),
        ("What is the decoration of the vase?", "a warrior on both sides"),
        ("What is the attribution of the vase?", "the Antimenes Painter"),
        ("What is the provenance of the vase?", "Vulci, Italy"),
    ]
    assert [q.dimension for q in questions_about({"Date": "-500 to -480"})] == ["dating"]
    several = {"Date": "-550 to -500, -475 to -450", "Attributed To": "ANTIMENES P by BEAZLEY | BERLIN P by X"}
    answers = ["c. 550–500 BCE and c. 475–450 BCE", "the Antimenes Painter"]
    assert [q.answer for q in questions_about(several)] == answers, "both dates, and the first of the alternatives"
    rows = [{"vase_id": "v", "record": json.dumps(RECORD), "rejected_by": "", "reason": ""}]
    assert '"c. 525–475 BCE"' in rows_of(over_batches(QUESTIONS, Questions)(batch_of(rows)))[0]["questions"], (
        "as people would read it"
    )
    rows = [{"vase_id": "v", "record": json.dumps(RECORD), "rejected_by": "lift", "reason": "no outline"}]
    assert rows_of(over_batches(QUESTIONS, Questions)(batch_of(rows)))[0]["questions"] == "[]"


@pytest.mark.parametrize(
    ("field", "answer"),
    [
        ("ITALY, ETRURIA, VULCI", "Vulci, Etruria, Italy"),
        ("GREECE, ATTICA, ATHENS (NEAR THE AGORA)", "Athens (near the Agora), Attica, Greece"),
        ("Italy, Capo di Leuca", "Capo di Leuca, Italy"),
        (", ,", ""),
        ("", ""),
    ],
)
def test_questions_ask_for_the_findspot_where_it_is_known(field, answer):
    assert findspot_of({"Provenance": field}) == answer
    asked = [
        q.answer for q in questions_about({"Fabric": "ATHENIAN", "Provenance": field}) if q.dimension == "provenance"
    ]
    assert asked == ([answer] if answer else [])


def test_describe_says_that_a_reference_lists_words():
    long = RECORD | {
        "Decoration": " AND ".join(f"{chr(97 + i)}LION WITH {chr(97 + i)}SHIELD" for i in range(26)).upper()
    }
    photographs = [
        {"vase_id": "v", "record": json.dumps(record), "rejected_by": "", "reason": ""} for record in (long, RECORD)
    ]
    first, second = rows_of(over_batches(DESCRIBE, Describe, DescribeSettings(), 0)(batch_of(photographs)))
    assert first["reference_keywords"] == 1.0 and math.isnan(second["reference_keywords"])
