"""The constant caption, by hand: from records, and from what was read of them."""

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


def test_the_commonest_of_everything():
    # two of three records have no attribution, so the constant caption has none either
    expected = "Athenian black-figure lekythos, c. 525–475 BCE."
    assert constant_caption(RECORDS) == expected
    assert constant_caption_from_facts(read(RECORDS)) == expected


def test_it_says_something_where_most_is_open():
    sparse = [{"Fabric": "ATHENIAN"}, {"Date": "-500"}, {"Technique": "RED-FIGURE"}, {"Date": "-480"}]
    # the two dates are as common as each other: the alphabet has -480 first, time has -500 (ten years either way)
    assert constant_caption(sparse) == "Athenian red-figure vase, c. 490–470 BCE."
    assert constant_caption_from_facts(read(sparse)) == "Athenian red-figure vase, c. 510–490 BCE."


def test_what_it_says_then_is_the_commonest_of_what_is_stated():
    sparse = [{}, {}, {}, {"Fabric": "CORINTHIAN"}, {"Fabric": "CORINTHIAN"}, {"Fabric": "ATHENIAN"}]
    assert "Corinthian" in constant_caption(sparse)
    assert "Corinthian" in constant_caption_from_facts(read(sparse))


def test_from_records_the_decoration_keeps_its_wording():
    records = [{"Decoration": "A: WARRIOR WITH SPEAR"}] * 2
    assert "depicting a warrior with spear" in constant_caption(records)
    assert "depicting warrior spear" in constant_caption_from_facts(read(records))


@pytest.mark.parametrize("records", [[{}, {"Provenance": "ITALY, VULCI"}], []])
def test_without_any_statement_there_is_no_caption(records):
    with pytest.raises(ValueError, match="none of the six"):
        constant_caption(records)
    with pytest.raises(ValueError, match="nothing to state"):
        constant_caption_from_facts(read(records))
