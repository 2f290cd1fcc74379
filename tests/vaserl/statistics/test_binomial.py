"""Tests of the sign test, its power and the exact upper bound, by hand and against scipy."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from vaserl.statistics.binomial import sign_test, sign_test_power, upper_bound


def test_sign_test_by_hand():
    assert sign_test(8, 0) == pytest.approx(2 / 256)  # all heads or all tails of 8 coins
    assert sign_test(7, 1) == pytest.approx(2 * (1 + 8) / 256)
    assert sign_test(4, 4) == 1.0
    assert sign_test(0, 0) == 1.0


@given(st.integers(0, 60), st.integers(0, 60))
def test_sign_test_equals_scipys(wins: int, losses: int):
    expected = binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert sign_test(wins, losses) == pytest.approx(float(expected))


def test_power_by_hand():
    # of 8, only 0 and 8 wins are significant: 0.65^8 + 0.35^8
    assert sign_test_power(8, 0.65) == pytest.approx(0.65**8 + 0.35**8)
    assert round(sign_test_power(8, 0.65), 2) == 0.03
    assert round(sign_test_power(128, 0.65), 2) == 0.92


def test_power_at_the_hypothesis_is_at_most_the_level():
    assert all(sign_test_power(num, 0.5) <= 0.05 for num in range(40))


def test_upper_bound_by_hand():
    # (1 - p)^59 = 0.05 at p = 0.0495: the smallest number of trials without a success that bounds p by 5 %
    assert upper_bound(0, 59, confidence=0.95) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert upper_bound(0, 58, confidence=0.95) > 0.05 > upper_bound(0, 59, confidence=0.95)
    assert upper_bound(3, 3, confidence=0.95) == upper_bound(0, 0, confidence=0.95) == 1.0


@given(st.integers(0, 80), st.integers(1, 80))
def test_upper_bound_equals_scipys(successes: int, trials: int):
    successes = min(successes, trials)
    interval = binomtest(successes, trials, alternative="less").proportion_ci(0.95, method="exact")
    assert upper_bound(successes, trials, confidence=0.95) == pytest.approx(float(interval.high))


def test_impossible_counts_are_refused():
    with pytest.raises(ValueError, match="must not be negative"):
        sign_test(-1, 2)
    with pytest.raises(ValueError, match="successes <= trials"):
        upper_bound(4, 3, confidence=0.95)
    with pytest.raises(ValueError, match="p must be from 0 to 1"):
        sign_test_power(8, 1.5)
