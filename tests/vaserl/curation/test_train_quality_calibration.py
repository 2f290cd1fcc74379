"""Tests temperature, calibration error, precision and recall, and threshold against numbers by hand and scipy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from torchmetrics.functional.classification import binary_calibration_error, binary_precision_recall_curve

from vaserl.curation.train_quality.calibration import (
    bins_of,
    choose_threshold,
    precision_recall,
    probabilities_of,
    temperature_of,
)
from vaserl.curation.train_quality.doubts import doubts_about
from vaserl.statistics.calibration import expected_calibration_error


def overconfident(num: int, factor: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns margins that are `factor` times as large as those from which the labels were drawn, and the labels."""
    rng = np.random.default_rng(0)
    margins = rng.normal(0, 2, num)
    return margins * factor, rng.random(num) < expit(margins)


def test_temperature_of_undoes_overconfidence():
    margins, is_good = overconfident(20_000, factor=3.0)
    # labels of 20,000 photographs fix the slope of a logistic curve to about 2 %
    assert temperature_of(margins, is_good) == pytest.approx(3.0, rel=0.05)
    before = expected_calibration_error(probabilities_of(margins, 1.0), is_good)
    after = expected_calibration_error(probabilities_of(margins, temperature_of(margins, is_good)), is_good)
    assert before > 0.1 and after < 0.02


def test_temperature_of_is_where_the_slope_is_zero():
    margins, is_good = overconfident(300, factor=2.0)
    log_temperature = math.log(temperature_of(margins, is_good))
    # d/dt of the cross-entropy at sigmoid(margin * exp(-t)) is -sum(margin * exp(-t) * (p - label)); of the prior 4 t
    scaled = margins * math.exp(-log_temperature)
    assert -np.sum(scaled * (expit(scaled) - is_good)) + 4 * log_temperature == pytest.approx(0.0, abs=1e-3)


def test_temperature_of_perfect_separation_is_not_zero():
    margins = np.array([-2.0, -2.0, 2.0, 2.0])
    # the sum is 4 log(1 + exp(-2 / T)) + 2 log(T)²; where its slope is zero, 4 (2 / T) / (1 + exp(2 / T)) = -4 log(T)
    temperature = temperature_of(margins, margins > 0)
    ratio = 2 / temperature
    assert 4 * ratio / (1 + math.exp(ratio)) == pytest.approx(-4 * math.log(temperature), abs=1e-4)
    assert 0.5 < temperature < 1.0


def test_expected_calibration_error_by_hand_and_by_torchmetrics():
    probabilities, is_good = np.array([0.1, 0.3, 0.6, 0.9]), np.array([False, True, True, True])
    # bins [0, .5) and [.5, 1]: confidences .2 and .75, accuracies .5 and 1; (2 * .3 + 2 * .25) / 4
    assert expected_calibration_error(probabilities, is_good, num_bins=2) == pytest.approx(0.275)
    certain = bins_of(np.array([1.0, 0.9]), np.array([True, False]), num_bins=5)
    assert [(b.num, b.accuracy) for b in certain] == [(2, 0.5)], "1 belongs to the last bin"
    import torch

    rng = np.random.default_rng(1)
    probabilities = rng.random(500)
    # theirs takes the confidence in "good" as well, and the share of "good" as accuracy
    theirs = binary_calibration_error(
        torch.tensor(probabilities), torch.tensor((probabilities > rng.random(500)).astype(int)), n_bins=10
    )
    rng = np.random.default_rng(1)
    probabilities = rng.random(500)
    assert expected_calibration_error(probabilities, probabilities > rng.random(500), num_bins=10) == pytest.approx(
        float(theirs), abs=1e-6
    )


def test_precision_recall_is_that_of_torchmetrics():
    import torch

    rng = np.random.default_rng(2)
    probabilities = rng.integers(0, 30, 200) / 30  # many ties
    is_good = rng.random(200) < probabilities
    thresholds, precision, recall = precision_recall(probabilities, is_good)
    theirs = binary_precision_recall_curve(torch.tensor(probabilities), torch.tensor(is_good.astype(int)))
    their_precision, their_recall, their_thresholds = (t.numpy() for t in theirs)
    np.testing.assert_allclose(thresholds[::-1], their_thresholds)
    np.testing.assert_allclose(precision[::-1], their_precision[:-1], atol=1e-6)
    np.testing.assert_allclose(recall[::-1], their_recall[:-1], atol=1e-6)
    with pytest.raises(ValueError, match="none of the photographs is good"):
        precision_recall(probabilities, np.zeros(200, dtype=bool))


def test_choose_threshold_takes_all_the_recall_that_the_precision_allows():
    probabilities = np.array([0.9, 0.8, 0.7, 0.6, 0.4, 0.2])
    is_good = np.array([True, True, False, True, True, False])
    # falling: precision 1, 1, 2/3, 3/4, 4/5, 4/6 and recall 1/4, 2/4, 2/4, 3/4, 1, 1
    chosen = choose_threshold(probabilities, is_good, target_precision=0.8)
    assert (chosen.precision, chosen.recall, chosen.reached) == (0.8, 1.0, True)
    assert chosen.value == pytest.approx(0.3)  # half-way between 0.4 and 0.2
    strict = choose_threshold(probabilities, is_good, target_precision=0.95)
    assert (strict.precision, strict.recall) == (1.0, 0.5) and strict.value == pytest.approx(0.75)
    unreachable = choose_threshold(np.array([0.9, 0.5]), np.array([False, True]), target_precision=0.9)
    assert (unreachable.reached, unreachable.precision, unreachable.value) == (False, 0.5, 0.25)
    # falling: precision 0, 1/2, 1/3, 1/2 and recall 0, 1/2, 1/2, 1: of the best precision what lets most through
    ways = choose_threshold(np.array([0.9, 0.8, 0.7, 0.6]), np.array([False, True, False, True]), target_precision=0.9)
    assert (ways.reached, ways.precision, ways.recall, ways.value) == (False, 0.5, 1.0, 0.3)


@given(
    st.lists(st.tuples(st.sampled_from([k / 20 for k in range(21)]), st.booleans()), min_size=1).filter(
        lambda pairs: any(good for _, good in pairs)
    ),
    st.floats(0.05, 0.99),
)
def test_choose_threshold_gives_the_precision_and_recall_it_states(pairs, target):
    probabilities, is_good = np.array([p for p, _ in pairs]), np.array([good for _, good in pairs])
    chosen = choose_threshold(probabilities, is_good, target)
    passed = probabilities >= chosen.value
    assert is_good[passed].mean() == pytest.approx(chosen.precision)
    assert passed[is_good].mean() == pytest.approx(chosen.recall)
    assert chosen.reached == (chosen.precision >= target)
    better = [
        passed[is_good].mean() for t in set(probabilities) if is_good[passed := probabilities >= t].mean() >= target
    ]
    assert chosen.recall == pytest.approx(max(better, default=chosen.recall))


def doubts(val: list[tuple[float, bool]], test: list[tuple[float, bool]], target: float = 0.9) -> tuple[str, ...]:
    seen = [(np.array([p for p, _ in pairs]), np.array([good for _, good in pairs])) for pairs in (val, test)]
    return doubts_about(choose_threshold(*seen[0], target), target, *seen)


def test_doubts_about_a_threshold_that_rests_on_few_photographs():
    # Wilson's lower bound of 3 out of 3 is 3 / (3 + 1.96²) = 0.4385; for 0.9 it takes 1.96² 0.9 / 0.1 = 34.57
    few = [(0.9, True), (0.8, True), (0.7, True), (0.1, False)]
    (doubt,) = doubts(few, few)
    assert "3 of the 3 that pass are good, which is compatible with a precision of 0.44" in doubt
    assert "35 good ones" in doubt and "label more" in doubt
    assert doubts(few[:3] * 12 + few[3:], few) == (), "36 of 36 are enough"
    assert doubts(few[:3] * 11 + few[3:], few) != (), "33 are not"


def test_doubts_about_a_threshold_that_passes_nothing_come_first_with_a_remedy():
    val = [(0.99, True), (0.97, False), (0.6, True), (0.1, False)]
    test = [(0.9, True), (0.8, True), (0.6, False), (0.2, False)]
    loses, unproven = doubts(val, test)
    assert loses.startswith("of 2 good test photographs the threshold 0.9800 passes none")
    assert "0.5 passes 2 good and 1 of 2 bad ones" in loses and "quality.threshold" in loses
    assert "1 of the 1" in unproven


def test_doubts_about_a_precision_that_no_threshold_reaches():
    (doubt,) = doubts([(0.9, False), (0.5, True)], [(0.9, True)])
    assert doubt.startswith("no threshold has a precision of 0.9 on validation; the best has 0.500.")
