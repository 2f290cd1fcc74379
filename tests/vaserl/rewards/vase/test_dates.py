"""Tests dates: every notation of the specification, the missing year 0, and texts that are no date."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaserl.rewards.vase.dates import YearInterval, find_dates, innermost, ordinal
from vaserl.rewards.vase.similarity import interval_similarity
from vaserl.rewards.vase.text import normalize


def read(text: str, bare: bool = False) -> list[tuple[int, int]]:
    return [(i.start, i.end) for i in find_dates(normalize(text, len(text)), 10, bare)[0]]


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("-525 to -475", (-525, -475)),
        ("c. 525–475 BCE", (-525, -475)),
        ("525-475 B.C.", (-525, -475)),
        ("525 — 475 bc", (-525, -475)),
        ("dated to around 490–480 B.C.E.", (-490, -480)),
        ("between 525 and 500 BCE", (-525, -500)),
        ("475-525 BC", (-525, -475)),
        ("about 480 BC", (-490, -470)),
        ("ca. 500", (-510, -490)),
        ("circa 500", (-510, -490)),
        ("late 6th century BCE", (-533, -500)),
        ("end of the 6th century BCE", (-533, -500)),
        ("mid-5th century", (-467, -433)),
        ("early sixth century B.C.", (-600, -567)),
        ("third quarter of the 5th c. BC", (-450, -425)),
        ("last quarter of the sixth century", (-525, -500)),
        ("first half of the sixth century B.C.", (-600, -550)),
        ("last third of the 5th cent. BC", (-433, -400)),
        ("5th century BC", (-500, -400)),
        ("6th/5th century BC", (-600, -400)),
        ("late 6th–early 5th century BC", (-533, -467)),
        ("late 6th to early 5th c. B.C.", (-533, -467)),
        ("early to mid 5th century BC", (-500, -433)),
        ("540s BC", (-549, -540)),
        ("the 520s", (-529, -520)),
        ("1000 BCE–1 CE", (-1000, 1)),
        ("50 BC – AD 50", (-50, 50)),
        ("AD 50-100", (50, 100)),
        # 5 BC ± 10 years: nine years on from 5 BC stands 5 CE, because 1 CE follows 1 BC; ten years on is 6 CE.
        ("c. 5 BC", (-15, 6)),
    ],
)
def test_find_dates_reads_the_notations_of_museums(text, interval):
    assert read(text) == [interval]
    assert read(f"Athenian black-figure cup, {text}, with a lion") == [interval]


def test_find_dates_reads_a_bare_number_in_a_date_field():
    assert read("500", bare=True) == [(-510, -490)]
    assert read("-500", bare=True) == [(-510, -490)]
    assert read("525 to 475", bare=True) == [(-525, -475)]
    # A range of one year is that year.
    assert read("-500 to -500", bare=True) == [(-510, -490)]


@pytest.mark.parametrize(
    "text",
    [
        "Painter of Berlin 1686",
        "30 cm high, about 20 cm wide",
        "c. 300 mm",
        "the second half of a horse",
        "12-10 lions",
        "Class of Athens 581",
        "first scene",
        "0 BC",
    ],
)
def test_find_dates_ignores_other_numbers(text):
    assert read(text) == []


def test_innermost_drops_an_interval_that_contains_another():
    assert read("late 6th century BC (525–500 BC)") == [(-525, -500)]
    assert innermost([YearInterval(-600, -500), YearInterval(-550, -525), YearInterval(-450, -400)]) == (
        YearInterval(-550, -525),
        YearInterval(-450, -400),
    )


def test_year_interval_has_no_year_zero():
    assert ordinal(1) - ordinal(-1) == 1
    for start, end in ((0, 5), (-5, 0), (-475, -525)):
        with pytest.raises(ValueError, match="start must not be after end"):
            YearInterval(start, end)


def test_interval_similarity_by_hand():
    # [-525, -475] and [-500, -475]: 25 shared years of 50.
    assert interval_similarity(YearInterval(-525, -475), YearInterval(-500, -475)) == 0.5
    # Shifted by 10 of 50 years: 40 of 60.
    assert interval_similarity(YearInterval(-525, -475), YearInterval(-535, -485)) == pytest.approx(40 / 60)
    # Neighbours share no year.
    assert interval_similarity(YearInterval(-550, -525), YearInterval(-525, -500)) == 0.0
    # Across the eras: 1 BCE–2 CE is 2 years long (no year zero), 1–2 CE is 1 year of them.
    assert interval_similarity(YearInterval(-1, 2), YearInterval(1, 2)) == 0.5


years = st.integers(-1200, 400).filter(lambda y: y != 0)
intervals = st.tuples(years, years).filter(lambda p: p[0] != p[1]).map(lambda p: YearInterval(min(p), max(p)))


@settings(deadline=None)
@given(intervals)
def test_find_dates_reads_back_the_written_form(interval):
    assert read(str(interval)) == [(interval.start, interval.end)]


@settings(deadline=None)
@given(intervals)
def test_find_dates_reads_back_the_signed_form(interval):
    assert read(f"{interval.start} to {interval.end}", bare=interval.start > 0) in (
        [(interval.start, interval.end)],
        # Without a sign and without an era a year is BCE.
        [(-interval.end, -interval.start)],
    )


@settings(deadline=None)
@given(intervals, intervals)
def test_interval_similarity_is_symmetric_and_bounded(a, b):
    value = interval_similarity(a, b)
    assert value == interval_similarity(b, a)
    assert 0 <= value <= 1
    assert (value == 1) == (a == b)
