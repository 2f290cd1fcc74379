"""Tests paired comparisons against scipy, closed forms and numbers by hand."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from vaserl.statistics.clusters import Clustered
from vaserl.statistics.paired import PairedComparison, mcnemar_p, paired_comparisons, sign_flip_tests


def compare(a, b) -> PairedComparison:
    found = paired_comparisons({"x": Clustered.of_values(a)}, {"x": Clustered.of_values(b)}, seed=0, num_resamples=200)
    assert found["x"] is not None
    return found["x"]


def test_paired_comparisons_have_scipys_paired_interval():
    rng = np.random.default_rng(0)
    hard = rng.normal(size=60)
    a, b = hard + rng.normal(0.4, 0.5, 60), hard + rng.normal(0, 0.5, 60)
    found, expected = compare(a, b), stats.ttest_rel(a, b)
    interval = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.test == "sampled sign flips" and found.p <= 0.05 and found.verdict == "better"
    assert compare(b, a).verdict == "worse"


def test_paired_comparisons_count_wins_ties_and_losses():
    found = compare([3, 1, 1, 0.5], [1, 1, 2, 0.25])
    assert (found.wins, found.ties, found.losses, found.num_clusters) == (2, 1, 1, 4)
    assert found.mean == pytest.approx((2 + 0 - 1 + 0.25) / 4)


def test_paired_comparisons_of_shares_use_mcnemars_test():
    a, b = [True] * 9 + [False] * 3 + [True] * 4, [False] * 9 + [True] * 3 + [True] * 4
    found = compare(a, b)
    assert found.test == "mcnemar" and found.p == pytest.approx(stats.binomtest(9, 12).pvalue)


def test_paired_comparisons_of_few_vases_decide_nothing():
    found = compare([1, 1], [0, 0])
    assert (found.low, found.high, found.p) == (1, 1, 0.5)
    assert found.verdict == "inconclusive", "two equal differences have no spread, and prove nothing"


def test_paired_comparisons_refuse_different_vases():
    a, b = Clustered.of_values([1, 1], np.array([True, False])), Clustered.of_values([1, 1])
    with pytest.raises(ValueError, match="x: the two systems must have values for the same vases"):
        paired_comparisons({"x": a}, {"x": b}, seed=0)


def test_paired_comparisons_detect_with_the_stated_power():
    found = compare(np.random.default_rng(1).normal(size=96), np.zeros(96))
    error = (found.high - found.low) / 2 / stats.t.ppf(0.975, 95)
    power = stats.nct.sf(stats.t.ppf(0.975, 95), 95, found.detectable / error)
    assert power == pytest.approx(0.8, abs=0.005)


def test_verdict_needs_interval_and_test():
    found = compare([1.0, 2, 3, 4, 5, 6, 7], [0] * 7)
    assert found.verdict == "better"
    assert replace(found, p=0.06).verdict == "inconclusive"
    assert replace(found, low=-0.1).verdict == "inconclusive"


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (5, 0), (3, 9), (40, 60), (7, 7)])
def test_mcnemar_p_is_scipys_binomial_test(wins: int, losses: int):
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert mcnemar_p(wins, losses) == pytest.approx(expected)


def test_sign_flip_tests_by_hand():
    # of the 8 signs of 1, 2, 3 only +++ and --- reach 6; of those of 1, -2, 2 only the two of sum 5 and the two of sum
    # 3 exceed 1, and the other four have a sum of 1 in size
    (p, test), (equal, _), (none, _) = sign_flip_tests(
        [np.array([1.0, 2, 3, 0]), np.array([1.0, -2, 2, 0]), np.zeros(4)], seed=0
    )
    assert (p, test) == (2 / 8, "all sign flips")
    assert (equal, none) == (1.0, 1.0)


def test_sign_flip_tests_count_ties_in_spite_of_rounding():
    (p, _), *_ = sign_flip_tests([np.array([0.1, 0.2, -0.3])], seed=0)
    assert p == 1.0, "the observed sum is 0 but for rounding"


def test_sign_flip_tests_sampled_agree_with_the_binomial():
    signs = np.array([1.0] * 26 + [-1.0] * 14)
    ((p, test),) = sign_flip_tests([signs], seed=1)
    expected = stats.binomtest(14, 40).pvalue
    assert test == "sampled sign flips" and p == pytest.approx(expected, abs=4 * np.sqrt(expected / 10_000))


def test_sign_flip_tests_never_give_zero():
    ((p, _),) = sign_flip_tests([np.ones(200)], seed=2, num_flips=99)
    assert p == 0.01
