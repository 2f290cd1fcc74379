"""Tests that neither the constant caption nor an attack (a caption built to exploit the reward) earns as much as the
reference."""

import pytest
from hypothesis import assume, given, settings

from tests.fakes.reward_cases import RECORD, completion, full_records, records, score, task
from vaserl.rewards.vase import reference_caption, vase_caption
from vaserl.rewards.vase.attacks import attacks

CONSTANT = "Athenian black-figure amphora, c. 525–475 BCE"


@settings(deadline=None)
@given(records)
def test_constant_answer_never_beats_the_reference(record):
    assume(reference_caption(record).rstrip(".") != CONSTANT)
    assert score(record, CONSTANT).total < score(record, reference_caption(record)).total


def test_constant_answer_by_hand():
    # Fabric, technique: 0.20 each; the amphora's family: 0.85 · 0.15; the date: 0.15. The constant's 8 words (athenian
    # black figure amphora c 525 475 bce) all stand in the reference's 20, in the blocks "athenian black figure" and
    # "amphora c 525 475 bce".
    constant = score(RECORD, CONSTANT)
    assert constant.parts["shape"] == 0.85
    assert constant.parts["bonus"] == pytest.approx(0.1 * 2 * 8 / (8 + 20))
    assert constant.total == pytest.approx(0.2 + 0.2 + 0.85 * 0.15 + 0.15 + constant.parts["bonus"])


@settings(deadline=None, max_examples=50)  # a dozen attacks on each
@given(records)
def test_attacks_score_below_the_reference(record):
    honest = score(record, reference_caption(record)).total
    for name, text in attacks(reference_caption(record)).items():
        if name == "shuffled words" and text == reference_caption(record):
            continue  # the only order of one or two words
        assert score(record, text).total < honest, name
    assert vase_caption(task(record), completion(reference_caption(record), "length")).total < honest


DATE_ATTACKS = ("widest date added", "widest date instead", "every century", "list of years", "nested dates")


@settings(deadline=None, max_examples=50)
@given(full_records)
def test_attacks_by_dates_cost_a_third_of_the_dating(record):
    reference = reference_caption(record)
    honest = score(record, reference).total
    texts = attacks(reference)
    for name in DATE_ATTACKS:
        assert score(record, texts[name]).total <= honest - 0.05, name


def test_vase_caption_two_values_earn_half():
    reference = reference_caption(RECORD)
    both = score(RECORD, reference.replace("black-figure", "black-figure or red-figure"))
    assert (both.parts["raw/technique"], both.parts["technique"]) == (1.0, 0.5)
    labelled = score(RECORD, reference + " Technique: red-figure")
    assert labelled.parts["technique"] == 0.5
    three = score(RECORD, reference.replace("the Antimenes", "Lydos or the Pan Painter or the Antimenes"))
    assert three.parts["attribution"] == pytest.approx(1 / 3)
    two_dates = score(RECORD, reference.replace("c. 525–475 BCE", "c. 525–475 BCE or 400–350 BCE"))
    assert two_dates.parts["dating"] == 0.5


def test_vase_caption_needs_all_values_of_the_record_but_one_alternative():
    record = RECORD | {
        "Technique": "BLACK-FIGURE | WHITE GROUND",
        "Attributed To": "LYDOS by BEAZLEY | EXEKIAS by BOTHMER",
    }
    assert score(record, "Athenian black-figure vase by Exekias").parts["technique"] == 0.5
    assert score(record, "Athenian black-figure vase by Exekias").parts["attribution"] == 1
    assert score(record, "Athenian black-figure vase on white ground").parts["technique"] == 1
    assert score(record, "Athenian vase by Exekias or by Lydos").parts["attribution"] == 1
    assert score(record, "Athenian vase by Exekias, near Lydos or by Psiax").parts["attribution"] < 1


def test_vase_caption_widest_date_earns_nothing():
    parts = score(RECORD, reference_caption(RECORD).replace("525–475 BCE", "1000 BCE–1 CE")).parts
    # 50 years of 1,000 (1 CE begins where 1 BCE ends).
    assert (parts["raw/dating"], parts["dating"]) == (pytest.approx(0.05), 0)


def test_vase_caption_look_alike_letters_earn_nothing():
    parts = score(RECORD, reference_caption(RECORD).translate(str.maketrans("ao", "ао"))).parts
    assert [parts[d] for d in ("fabric", "technique", "shape", "decoration", "attribution")] == [0] * 5
