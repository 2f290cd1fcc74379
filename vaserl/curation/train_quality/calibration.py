"""Converts logits to calibrated probabilities, and chooses the probability threshold that reaches a target
precision."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

TEMPERATURES = (0.02, 50.0)
"""Smallest and largest temperature that `temperature_of` can return. A temperature is a divisor of logits."""
PRIOR_SPREAD = 0.5
NUM_BINS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """A group of photographs with similar predicted probabilities of being good.

    Example: Bin(num=40, confidence=0.93, accuracy=0.90)
    """

    num: int
    """Number of photographs in the bin."""
    confidence: float
    """Mean over the bin's photographs of the predicted probability of being good."""
    accuracy: float
    """Share of the bin's photographs that are good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenThreshold:
    """A threshold on the probability of being good, with its precision and recall on the photographs on which it was
    chosen."""

    value: float
    """Lowest probability of being good with which a photograph passes."""
    precision: float
    """Share of good photographs among those that pass the threshold."""
    recall: float
    """Share of the good photographs that pass the threshold."""
    reached: bool
    """True if `precision` is at least the target precision. If False, no threshold reaches the target, and `precision`
    is the highest possible one."""


def temperature_of(margins: np.ndarray, is_good: np.ndarray) -> float:
    """Returns the temperature T that minimises the cross-entropy of the probabilities sigmoid(margin / T) (temperature
    scaling, Guo et al. 2017).

    The loss includes a prior: log T is normally distributed with mean 0 and standard deviation PRIOR_SPREAD. Without
    the prior, T would approach 0 if all good photographs had greater margins than all bad ones, as can happen with few
    photographs. With many photographs the prior hardly changes T.

    margins: logit of good minus logit of bad of each of N photographs, float [N].
    is_good: label of each photograph, bool [N].
    """
    signs = np.where(is_good, 1.0, -1.0)

    def loss(log_temperature: float) -> float:
        likelihood = np.logaddexp(0.0, -signs * margins / math.exp(log_temperature)).sum()
        return float(likelihood + 0.5 * (log_temperature / PRIOR_SPREAD) ** 2)

    low, high = (math.log(bound) for bound in TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return math.exp(float(found.x))  # pyright: ignore[reportAttributeAccessIssue]


def probabilities_of(margins: np.ndarray, temperature: float) -> np.ndarray:
    """Returns the probability of being good of each of N photographs: float64 [N].

    margins: logit of good minus logit of bad of each photograph, float [N].
    temperature: divisor of the margins.
    """
    return expit(np.asarray(margins, dtype=np.float64) / temperature)


def bins_of(probabilities: np.ndarray, is_good: np.ndarray, num_bins: int = NUM_BINS) -> list[Bin]:
    """Divides the interval from 0 to 1 into `num_bins` equally wide bins, groups photographs by the bin that contains
    their probability of being good, and returns the bins that are not empty."""
    numbers = np.minimum((probabilities * num_bins).astype(int), num_bins - 1)
    return [
        Bin(
            num=int(inside.sum()),
            confidence=float(probabilities[inside].mean()),
            accuracy=float(is_good[inside].mean()),
        )
        for inside in (numbers == number for number in range(num_bins))
        if inside.any()
    ]


def precision_recall(probabilities: np.ndarray, is_good: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns three arrays [K], (thresholds, precision, recall). The thresholds are the K distinct probabilities in
    descending order. Precision and recall are those of each threshold; photographs whose probability is at least the
    threshold pass.

    Raises: ValueError when no photograph is good, because recall is undefined then.
    """
    if not is_good.any():
        raise ValueError("recall is undefined, because none of the photographs is good")
    order = np.argsort(-probabilities, kind="stable")
    ranked, right = probabilities[order], np.cumsum(is_good[order])
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    return ranked[last], right[last] / (last + 1), right[last] / right[-1]


def choose_threshold(probabilities: np.ndarray, is_good: np.ndarray, target_precision: float) -> ChosenThreshold:
    """Returns the threshold with the highest recall among those whose precision is at least `target_precision`. If no
    threshold has this precision, returns the one with the highest precision.

    The threshold is the mean of the lowest probability that passes and the next lower probability, so that it equals
    neither.
    """
    thresholds, precision, recall = precision_recall(probabilities, is_good)
    enough = precision >= target_precision
    if enough.any():
        # at equal recall, the one that passes fewer bad photographs
        best = max(np.flatnonzero(enough), key=lambda k: (recall[k], precision[k]))
    else:
        best = max(range(len(precision)), key=lambda k: (precision[k], recall[k]))
    below = thresholds[best + 1] if best + 1 < len(thresholds) else 0.0
    return ChosenThreshold(
        value=float((thresholds[best] + below) / 2),
        precision=float(precision[best]),
        recall=float(recall[best]),
        reached=bool(enough.any()),
    )
