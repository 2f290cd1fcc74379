"""Tests the estimate of the recent rate, on a clock that the test sets."""

import pytest

from vaserl.runs.recent_rate import RecentRate


class SetClock:
    """A clock that shows the time that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


def work(rate: RecentRate, clock: SetClock, *seconds: float) -> None:
    """Finishes one unit after each of these durations."""
    for duration in seconds:
        clock.now += duration
        rate.advance()


def test_recent_rate_is_unknown_before_the_first_unit_ends(clock: SetClock):
    rate = RecentRate(clock=clock)
    clock.now += 60
    assert (rate.seconds_per_unit, rate.units_per_hour, rate.left_s(10)) == (None, None, None)
    rate.advance()
    assert (rate.seconds_per_unit, rate.left_s(10)) == (60.0, 540.0)


def test_recent_rate_forgets_a_slow_first_unit(clock: SetClock):
    rate = RecentRate(clock=clock)
    work(rate, clock, 300, 10)
    assert rate.left_s(12) == pytest.approx(100)  # the mean since the start would say 10 · 155 s
    assert rate.units_per_hour == pytest.approx(360)


def test_recent_rate_ignores_one_slow_unit_in_between(clock: SetClock):
    rate = RecentRate(clock=clock)
    work(rate, clock, *[10] * 8, 200, *[10] * 2)
    assert rate.seconds_per_unit == pytest.approx(10, rel=0.05)


def test_recent_rate_follows_a_lasting_change(clock: SetClock):
    rate = RecentRate(clock=clock)
    work(rate, clock, *[10] * 100, *[30] * 16)
    assert rate.seconds_per_unit == pytest.approx(30)


def test_recent_rate_does_not_count_the_units_of_an_earlier_process(clock: SetClock):
    rate = RecentRate(done=90, clock=clock)
    work(rate, clock, 5, 5)
    assert (rate.done, rate.seconds_per_unit, rate.left_s(100)) == (92, 5.0, 40.0)


def test_recent_rate_averages_bursts(clock: SetClock):
    """A pool of four finishes four units at once, every 8 s: 2 s a unit."""
    rate = RecentRate(clock=clock)
    for _ in range(20):
        clock.now += 8
        for _ in range(4):
            rate.advance()
    assert rate.seconds_per_unit == pytest.approx(2, rel=0.15)


def test_recent_rate_subtracts_the_time_of_the_current_unit(clock: SetClock):
    rate = RecentRate(clock=clock)
    work(rate, clock, 10, 10)
    clock.now += 4
    assert rate.left_s(5) == 26.0  # 3 units of 10 s, 4 s of them gone
    clock.now += 400
    assert rate.left_s(5) == 20.0  # the unit that is late may end at once
    assert rate.left_s(2) == 0.0
