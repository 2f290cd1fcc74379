"""Tests confidence intervals against scipy's bootstrap, closed forms and their defining properties."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from vaserl.statistics.intervals import bootstrap_mean_interval, paired_difference, wilson_interval


def test_bootstrap_mean_interval_agrees_with_scipy() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=96)
    ours = bootstrap_mean_interval(values, num_resamples=20_000, seed=3)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=4).confidence_interval
    # Monte-Carlo error of a 2.5 % quantile of 20,000 means is about 2 % of a standard error.
    tolerance = 0.06 * stats.sem(values)
    assert ours.mean == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.low, abs=tolerance)
    assert ours.high == pytest.approx(theirs.high, abs=tolerance)


def test_paired_difference_agrees_with_scipy_and_is_narrower_than_unpaired() -> None:
    rng = np.random.default_rng(2)
    hardness = rng.normal(0, 1, 96)
    a, b = hardness + rng.normal(0.3, 0.2, 96), hardness + rng.normal(0, 0.2, 96)
    ours = paired_difference(a, b, num_resamples=20_000, seed=0)

    def mean_difference(x: np.ndarray, y: np.ndarray, axis: int = -1) -> np.ndarray:
        return np.mean(x, axis=axis) - np.mean(y, axis=axis)

    common = {"n_resamples": 20_000, "method": "percentile", "rng": 7}
    paired = stats.bootstrap((a, b), mean_difference, paired=True, **common).confidence_interval
    unpaired = stats.bootstrap((a, b), mean_difference, paired=False, **common).confidence_interval
    tolerance = 0.06 * stats.sem(a - b)
    assert ours.low == pytest.approx(paired.low, abs=tolerance)
    assert ours.high == pytest.approx(paired.high, abs=tolerance)
    assert ours.high - ours.low < 0.4 * (unpaired.high - unpaired.low)


def test_bootstrap_mean_interval_covers_the_true_mean_about_19_times_in_20() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for seed in range(300):
        interval = bootstrap_mean_interval(rng.normal(1.0, 1.0, 50), num_resamples=500, seed=seed)
        covered += interval.low <= 1.0 <= interval.high
    # Binomial(300, .95) lies in [270, 297] with probability above .999; the percentile method runs a little short.
    assert 268 <= covered <= 297


def test_bootstrap_mean_interval_depends_on_the_seed() -> None:
    values = np.arange(20.0)
    assert bootstrap_mean_interval(values, seed=1) == bootstrap_mean_interval(values, seed=1)
    assert bootstrap_mean_interval(values, seed=1) != bootstrap_mean_interval(values, seed=2)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.floats(-1e3, 1e3))
@settings(max_examples=30, deadline=None)
def test_bootstrap_mean_interval_shifts_with_the_values(values: list[float], shift: float) -> None:
    at_zero = bootstrap_mean_interval(values, num_resamples=200, seed=0)
    moved = bootstrap_mean_interval(np.array(values) + shift, num_resamples=200, seed=0)
    assert moved.low == pytest.approx(at_zero.low + shift, rel=1e-6, abs=1e-6)
    assert moved.high == pytest.approx(at_zero.high + shift, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (1, 10), (48, 96), (95, 96), (96, 96)])
def test_wilson_interval_agrees_with_scipy(hits: int, trials: int) -> None:
    ours = wilson_interval(hits, trials)
    theirs = stats.binomtest(hits, trials).proportion_ci(method="wilson")
    assert (ours.mean, ours.low, ours.high) == pytest.approx((hits / trials, theirs.low, theirs.high), abs=1e-12)


def test_intervals_refuse_values_without_a_mean() -> None:
    with pytest.raises(ValueError, match="non-empty list"):
        bootstrap_mean_interval([], seed=0)
    with pytest.raises(ValueError, match="value 1 is not finite"):
        bootstrap_mean_interval([1.0, float("nan")], seed=0)
    with pytest.raises(ValueError, match="equal lengths, got 2 and 1"):
        paired_difference([1.0, 2.0], [1.0], seed=0)
    with pytest.raises(ValueError, match="0 successes in 0 trials"):
        wilson_interval(0, 0)
