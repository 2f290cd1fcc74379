"""Tests that dates and places of artists, techniques, periods, events and finds are not read as the vase's."""

import pytest

from vaserl.rewards.vase import YearInterval, parse_caption
from vaserl.rewards.vase.parse import parse_value


def dates(text: str) -> list[tuple[int, int]]:
    return [(interval.start, interval.end) for interval in parse_caption(text).dating]


@pytest.mark.parametrize(
    "text",
    [
        "An Attic cup attributed to Douris (Greek, active ca. 500-475 BC)",
        "A cup by the Pan Painter, who was active in Athens from about 480 to 450 BC",
        "He worked in the late 6th century BC, and this amphora is one of his",
        "A furnace was in activity from the middle of the 5th century BC",
        "This red-figure technique, invented in Athens around 530 BC, reverses the colours",
        "Black-figure was developed in Corinth in the 7th century BC",
        "Such kraters were first imported from Corinth in the 6th century B.C.",
        "It was used widely during the Archaic period (700–480 BC)",
        "Most of the production is between 360 and 320 BC",
        "The concept of a panel goes back to the early sixth century B.C.",
        "In the period from about 575 B.C. to about 540 B.C., painters placed motifs in panels",
        "The seventh century marks the beginning of a new style",
        "Attributed to the Kleophrades Painter, an influential 5th century BC Greek artisan",
        "It was found in a tomb in the late 19th century",
        "These vases were greatly admired in late-18th-century Britain",
        "The Brygos Painter, fl. 490-470 BC",
        "Red-figure gradually replaced black-figure after 520 BC",
        "Euaion was the son of the dramatist Aeschylus (525-456 BC)",
        "The poet Anakreon came to the city in the late 500s BC",
        "A fourth-century B.C. comic poet laughs at such guests",
        "It is from the reign of Alexander the Great (336-323 BC)",
        "The battle of Marathon (490 BC) was won by few",
        "After the Persian Wars (490-479 BC) such scenes were rare",
        "In 480 BC the Persians sacked the city",
        "It depends on prototypes of the mid-sixth century BC",
        "The region, from the 8th century BC onwards, was populated by colonists",
        "Hellenistic Period, ca. 323-30 BC",
        "The workshops began production ca. 370 BC",
        "Red-figure vases were made in the region from the 5th century BC",
    ],
)
def test_dates_of_something_else_are_not_the_vases(text):
    assert dates(text) == []
    assert dates(f"Attic cup, c. 480 BC. {text}.") == [(-490, -470)]


@pytest.mark.parametrize(
    "text",
    [
        "This amphora was made in Athens in the 5th century BC",
        "A vase from the 5th century BC",
        "This 5th century BC cup shows a youth",
        "Used at banquets, this cup was made in the 5th century BC",
        "Found at Vulci, 5th century BC",
        "The cup was painted by an artist in the 5th century BC",
        "One of the masterworks of 5th century BC vase painting",
        "A lekythos used for oil, 5th century BC",
        "Date 5th century BC\nArtist Haimon Painter",
        "A cup with a battle (5th century BC)",
        "Kylix, 5th century B.C.E. Athens, Greece",
    ],
)
def test_dates_of_the_vase_are_read_in_sentences(text):
    assert dates(text) == [(-500, -400)]


def test_a_narrow_date_of_a_period_is_the_vases():
    assert dates("Late Geometric Ia period (ca. 750 BC)") == [(-760, -740)]


def test_an_answer_about_the_date_is_the_vases_in_any_words():
    assert parse_value("dating", "It was used in 480 BC").dating == (YearInterval(-490, -470),)
