"""From logits to calibrated probabilities, and from these to a threshold with a stated precision."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

TEMPERATURES = (0.02, 50.0)
"""Bounds of the search for the temperature."""
PRIOR_SPREAD = 0.5
NUM_BINS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Photographs of like probability. Example: Bin(num=40, confidence=0.93, accuracy=0.90)"""

    num: int
    """Photographs in it."""
    confidence: float
    """Mean probability of being good."""
    accuracy: float
    """Share that is good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenThreshold:
    """A threshold and what it gives on the photographs that it was chosen on."""

    value: float
    """Least probability that passes."""
    precision: float
    """Share of good photographs among those that pass."""
    recall: float
    """Share of those that pass among the good photographs."""
    reached: bool
    """True if the precision reaches the target; otherwise it is the highest that any threshold has."""


def temperature_of(margins: np.ndarray, is_good: np.ndarray) -> float:
    """Returns the T for which sigmoid(margin / T) has the least cross-entropy (temperature scaling, Guo et al. 2017).

    The loss includes a prior: log T is normal about 0 with standard deviation PRIOR_SPREAD. It decides where a few
    photographs are separated perfectly, which would otherwise give T = 0, and has no weight beside many photographs.

    margins: float [N] logit of good minus logit of bad. is_good: bool [N].
    """
    signs = np.where(is_good, 1.0, -1.0)

    def loss(log_temperature: float) -> float:
        likelihood = np.logaddexp(0.0, -signs * margins / math.exp(log_temperature)).sum()
        return float(likelihood + 0.5 * (log_temperature / PRIOR_SPREAD) ** 2)

    low, high = (math.log(bound) for bound in TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return math.exp(float(found.x))  # pyright: ignore[reportAttributeAccessIssue]


def probabilities_of(margins: np.ndarray, temperature: float) -> np.ndarray:
    """Returns [N] probabilities of being good."""
    return expit(np.asarray(margins, dtype=np.float64) / temperature)


def bins_of(probabilities: np.ndarray, is_good: np.ndarray, num_bins: int = NUM_BINS) -> list[Bin]:
    """Returns equally wide bins of the probability of being good, without empty ones."""
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


def expected_calibration_error(probabilities: np.ndarray, is_good: np.ndarray, num_bins: int = NUM_BINS) -> float:
    """Returns the mean over photographs of |confidence - accuracy| of their bin (Naeini et al. 2015), in [0, 1]."""
    return sum(b.num * abs(b.confidence - b.accuracy) for b in bins_of(probabilities, is_good, num_bins)) / len(is_good)


def precision_recall(probabilities: np.ndarray, is_good: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns ([K] falling thresholds, [K] precision, [K] recall): one for each distinct probability, at or above which
    a photograph passes.

    Raises: ValueError when nothing is good: recall has no meaning then.
    """
    if not is_good.any():
        raise ValueError("none of the photographs is good")
    order = np.argsort(-probabilities, kind="stable")
    ranked, right = probabilities[order], np.cumsum(is_good[order])
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    return ranked[last], right[last] / (last + 1), right[last] / right[-1]


def choose_threshold(probabilities: np.ndarray, is_good: np.ndarray, target_precision: float) -> ChosenThreshold:
    """Returns the threshold with the greatest recall among those that reach the target, else the most precise one.

    It lies half-way between the last photograph that passes and the next one, so that it equals neither.
    """
    thresholds, precision, recall = precision_recall(probabilities, is_good)
    enough = precision >= target_precision
    if enough.any():
        # equal recall: fewer bad ones pass
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
