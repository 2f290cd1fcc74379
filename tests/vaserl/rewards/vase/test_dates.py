"""Tests dates: the table of forms in dates.tsv, the missing year 0, restated dates, and the time that a flood takes."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.reward_cases import completion, task
from vaserl.rewards.vase import RewardConfig, Term, parse_caption, vase_question
from vaserl.rewards.vase.date_units import MOST_NUMBERS, find_units
from vaserl.rewards.vase.dates import RESTATED_YEARS, YearInterval, find_dates, innermost, ordinal
from vaserl.rewards.vase.similarity import interval_similarity, lies_inside
from vaserl.rewards.vase.text import CUT, normalize


def read(text: str, bare: bool = False) -> list[tuple[int, int]]:
    return [(i.start, i.end) for i in find_dates(normalize(text, len(text)), 10, bare)[0]]


def table() -> list[tuple[str, str, list[tuple[int, int]]]]:
    """Returns the rows of dates.tsv: where the form stands ("caption", "field"), the form, its intervals."""
    rows = []
    for line in (Path(__file__).parent / "dates.tsv").read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            place, form, intervals = line.split("\t")
            pairs = [tuple(map(int, pair.split())) for pair in intervals.split("; ")] if intervals else []
            rows.append((place, form, pairs))
    return rows


TABLE = table()


def test_the_table_has_enough_forms():
    forms = [(place, form) for place, form, _ in TABLE]
    assert len(set(forms)) == len(forms) >= 150


@pytest.mark.parametrize(("form", "intervals"), [row[1:] for row in TABLE if row[0] == "caption"])
def test_find_dates_reads_the_forms_of_museums(form, intervals):
    assert read(form) == intervals
    assert read(f"Athenian black-figure cup, {form}, with a lion") == intervals
    assert read(f"Athenian cup.\n{form}. Attributed to Lydos") == intervals


@pytest.mark.parametrize(("form", "intervals"), [row[1:] for row in TABLE if row[0] == "field"])
def test_find_dates_reads_bare_numbers_in_a_date_field(form, intervals):
    assert read(form, bare=True) == intervals


@pytest.mark.parametrize(
    ("form", "intervals"),
    [
        ("5. Jh. v. Chr.", [(-500, -400)]),
        ("1st c. AD", [(1, 100)]),
        ("6th century B.C. (last quarter)", [(-525, -500)]),
        ("c. 510 BC or later", [(-520, -450)]),
        ("ca. 500–490 BCE", [(-500, -490)]),
        ("480", [(-490, -470)]),
    ],
)
def test_labels_and_lines_end_no_date(form, intervals):
    for text in (f"Date: {form}. Athenian cup", f"Athenian cup\nDate: {form}\nDimensions: 10 15/16 in."):
        assert [(i.start, i.end) for i in parse_caption(text).dating] == intervals
        assert parse_caption(text).shape == (Term("cup", ""),)


def test_find_dates_cuts_dates_out_of_the_text():
    text = normalize("Cup, late 6th century BC (c. 510 BC or later), no. 1686", 100)
    assert find_dates(text, 10)[1].split() == ["cup,", CUT, "(", CUT, "),", "no.", "1686"]


def test_open_dates_differ():
    before, after = read("before 480 BC"), read("after 480 BC")
    assert before[0][1] == after[0][0] == -480
    assert before != after


def test_innermost_drops_an_interval_that_contains_another():
    assert innermost([YearInterval(-600, -500), YearInterval(-550, -525), YearInterval(-450, -400)]) == (
        YearInterval(-550, -525),
        YearInterval(-450, -400),
    )


def test_innermost_keeps_wide_and_nested_intervals():
    # Only an interval of at most 200 years restates a date, and only two may lie around it.
    assert innermost([YearInterval(-1000, 1), YearInterval(-550, -525)]) == (
        YearInterval(-1000, 1),
        YearInterval(-550, -525),
    )
    nested = [YearInterval(-600, -450), YearInterval(-600, -500), YearInterval(-550, -500), YearInterval(-520, -510)]
    assert innermost(nested[1:]) == (YearInterval(-520, -510),)
    assert innermost(nested) == (YearInterval(-600, -450), YearInterval(-520, -510))


def contains(outer: YearInterval, inner: YearInterval) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def depth(interval, others) -> int:
    """Returns the length of the longest chain of other intervals inside `interval`, each inside the one before."""
    inside = [o for o in others if o != interval and contains(interval, o)]
    return 1 + max(depth(o, inside) for o in inside) if inside else 0


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


@settings(deadline=None, max_examples=50)
@given(st.lists(intervals, max_size=8))
def test_innermost_agrees_with_the_definition(several):
    expected = {
        i for i in several if depth(i, several) not in (1, 2) or ordinal(i.end) - ordinal(i.start) > RESTATED_YEARS
    }
    assert innermost(several) == tuple(sorted(expected))


@settings(deadline=None)
@given(st.text("0123456789-/ .,;()?bcadthslerfo'", max_size=80), st.booleans())
def test_find_dates_of_any_text_raises_nothing(text, bare):
    for interval in find_dates(normalize(text, len(text)), 10, bare)[0]:
        assert interval.start <= interval.end


def test_find_units_reads_a_bounded_number_of_numbers():
    assert len(list(find_units("480 bc " * 1000))) == MOST_NUMBERS


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


def earned(stated: YearInterval, target: YearInterval) -> float:
    """Returns what a stated date earns as an answer to the question for the date."""
    record = {"Date": f"{target.start} to {target.end}", "Fabric": "ATHENIAN"}
    return vase_question(task(record, ("dating",)), completion(str(stated))).parts["dating"]


@pytest.mark.parametrize(
    ("answer", "reward"),
    [
        ("c. 550–500 BCE", 1.0),
        ("c. 515 BCE", 0.5),  # -525 to -505 lies inside
        ("c. 505 BCE", 0.5),  # 15 of its 20 years, -515 to -500, lie inside
        ("c. 504 BCE", 0.0),  # 14 of 20
        ("last quarter of the 6th century BC", 0.5),
        ("540s BC", 0.5),
        ("c. 545–505 BCE", 0.8),  # 40 of 50 years: the similarity is above tau
        ("c. 560–500 BCE", 50 / 60),
        ("c. 540–490 BCE", 0.5),  # 40 of 60 years are below tau, 40 of 50 lie inside
        ("c. 537–487 BCE", 0.0),  # 37 of 50
        ("6th century BC", 0.0),  # twice as long as the record's
        ("before 500 BC", 1.0),
        ("after 500 BC", 0.0),
        ("c. 515 BCE; c. 440 BCE", 0.25),  # one of two
        ("c. 515 or 440 BCE", 0.0),  # 15 of 75
        ("c. 600–500 BCE, c. 515 BCE", 0.5),  # the century restates the year
        ("c. 1000 BCE–1 CE, c. 515 BCE", 0.25),
    ],
)
def test_a_date_within_the_records_earns_half(answer, reward):
    record = {"Date": "-550 to -500", "Fabric": "ATHENIAN"}
    parts = vase_question(task(record, ("dating",)), completion(answer)).parts
    assert parts["dating"] == pytest.approx(reward)
    literal = vase_question(task(record, ("dating",)), completion(answer), RewardConfig(dating_inside=0.0)).parts
    assert literal["dating"] == (pytest.approx(reward) if reward > 0.5 else 0.0)


lengths = st.integers(1, 150)


@settings(deadline=None, max_examples=80)
@given(st.integers(-700, -400), lengths, st.integers(-60, 60), lengths, st.integers(1, 20))
def test_reward_of_a_date_falls_as_it_leaves_the_records(start, length, shift, stated_length, step):
    target = YearInterval(start, start + length)
    stated = YearInterval(start + shift, start + shift + stated_length)
    value = earned(stated, target)
    shared = min(target.end, stated.end) - max(target.start, stated.start)
    if shared <= 0:
        assert value == 0
    if contains(target, stated):
        assert value >= 0.5
    if contains(stated, target):
        assert value == (length / stated_length if length >= 0.7 * stated_length else 0)
        assert value >= earned(YearInterval(stated.start - step, stated.end + step), target)
    # Moving away from the record's middle by some years earns no more.
    away = step if stated.start + stated.end >= target.start + target.end else -step
    assert value >= earned(YearInterval(stated.start + away, stated.end + away), target)
    if length == stated_length:
        assert value == earned(target, stated)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.integers(0, 100), min_size=11, max_size=11).filter(any),
    st.integers(-640, -280),
    st.integers(1, 120),
)
def test_no_constant_date_earns_more_than_the_commonest_period(weights, start, length):
    """Periods as in the Beazley archive: 50 years long, 25 years apart."""
    periods = [YearInterval(first, first + 50) for first in range(-600, -325, 25)]
    guess = YearInterval(start, start + length)
    config = RewardConfig()

    def reward(period: YearInterval) -> float:
        similarity = interval_similarity(guess, period)
        if similarity >= config.tau:
            return similarity
        return config.dating_inside if lies_inside(guess, period, config) else 0.0

    mean = sum(weight * reward(period) for weight, period in zip(weights, periods, strict=True))
    assert mean <= max(weights) + 1e-9
