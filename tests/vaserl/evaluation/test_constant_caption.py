"""Tests the constant caption, one caption for all vases, against texts by hand: from records, and from their facts."""

import pytest

from vaserl.evaluation.constant_caption import constant_caption, constant_caption_from_facts
from vaserl.rewards.vase import Facts, parse_record

RECORDS = [
    {"Fabric": "ATHENIAN", "Technique": "BLACK-FIGURE", "Shape Name": "LEKYTHOS", "Date": "-525 to -475"},
    {"Fabric": "ATHENIAN", "Technique": "RED-FIGURE", "Shape Name": "LEKYTHOS", "Date": "-525 to -475"},
    {"Fabric": "CORINTHIAN", "Technique": "BLACK-FIGURE", "Shape Name": "KYLIX", "Attributed To": "LYDOS"},
]


def read(records) -> list[Facts]:
    return [parse_record(record) for record in records]


def test_constant_caption_states_the_commonest_values():
    # two of three records have no attribution, so the constant caption has none either
    expected = "This vase is an Athenian black-figure lekythos, c. 525–475 BCE."
    assert constant_caption(RECORDS) == expected
    assert constant_caption_from_facts(read(RECORDS)) == expected


def test_constant_caption_states_something_where_most_is_unstated():
    sparse = [{"Fabric": "ATHENIAN"}, {"Date": "-500"}, {"Technique": "RED-FIGURE"}, {"Date": "-480"}]
    # the two dates are as common as each other: the alphabet has -480 first, time has -500 (ten years either way)
    assert constant_caption(sparse) == "This is an Athenian red-figure vase, c. 490–470 BCE."
    assert constant_caption_from_facts(read(sparse)) == "This is an Athenian red-figure vase, c. 510–490 BCE."


def test_constant_caption_then_states_the_commonest_stated_value():
    sparse = [{}, {}, {}, {"Fabric": "CORINTHIAN"}, {"Fabric": "CORINTHIAN"}, {"Fabric": "ATHENIAN"}]
    assert "Corinthian" in constant_caption(sparse)
    assert "Corinthian" in constant_caption_from_facts(read(sparse))


def test_constant_caption_keeps_the_decorations_wording_from_records():
    records = [{"Decoration": "A: WARRIOR WITH SPEAR"}] * 2
    assert "depicting a warrior with a spear" in constant_caption(records)
    assert "depicting warrior spear" in constant_caption_from_facts(read(records))


@pytest.mark.parametrize("records", [[{}, {"Provenance": "ITALY, VULCI"}], []])
def test_constant_caption_refuses_records_that_state_nothing(records):
    with pytest.raises(ValueError, match="none of the six"):
        constant_caption(records)
    with pytest.raises(ValueError, match="value in at least one dimension"):
        constant_caption_from_facts(read(records))
