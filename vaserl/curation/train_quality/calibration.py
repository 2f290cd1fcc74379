"""Converts logits to calibrated probabilities, and chooses a threshold on them that has a stated precision."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit

TEMPERATURES = (0.02, 50.0)
"""Smallest and largest temperature (divisor of the logits) that the fit considers."""
PRIOR_SPREAD = 0.5
NUM_BINS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """A bin of photographs with similar probabilities. Example: Bin(num=40, confidence=0.93, accuracy=0.90)"""

    num: int
    """Number of photographs in the bin."""
    confidence: float
    """Mean predicted probability that a photograph of the bin is good."""
    accuracy: float
    """Share of the bin's photographs that are good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenThreshold:
    """A threshold, with its precision and recall on the photographs on which it was chosen."""

    value: float
    """Least probability of being good at which a photograph passes."""
    precision: float
    """Share of the passing photographs that are good."""
    recall: float
    """Share of the good photographs that pass."""
    reached: bool
    """True if the precision reaches the target. If False, `precision` is the highest that any threshold has."""


def temperature_of(margins: np.ndarray, is_good: np.ndarray) -> float:
    """Returns the temperature T for which sigmoid(margin / T) has the least cross-entropy (Guo et al. 2017).

    The loss includes a prior: log T is normal about 0 with standard deviation PRIOR_SPREAD. Without it T would be 0 if
    the margins separate a few photographs perfectly; with many photographs the prior hardly changes T.

    margins: float [N], the logit of good minus the logit of bad of each of N photographs. is_good: bool [N].
    """
    signs = np.where(is_good, 1.0, -1.0)

    def loss(log_temperature: float) -> float:
        likelihood = np.logaddexp(0.0, -signs * margins / math.exp(log_temperature)).sum()
        return float(likelihood + 0.5 * (log_temperature / PRIOR_SPREAD) ** 2)

    low, high = (math.log(bound) for bound in TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6})
    return math.exp(float(found.x))  # pyright: ignore[reportAttributeAccessIssue]


def probabilities_of(margins: np.ndarray, temperature: float) -> np.ndarray:
    """Returns the probability that each of N photographs is good: float64 [N]."""
    return expit(np.asarray(margins, dtype=np.float64) / temperature)


def bins_of(probabilities: np.ndarray, is_good: np.ndarray, num_bins: int = NUM_BINS) -> list[Bin]:
    """Groups photographs into `num_bins` equally wide bins of their probability of being good; returns the bins that
    are not empty."""
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
    """Returns the expected calibration error (Naeini et al. 2015), in [0, 1]: the mean over photographs of |confidence
    - accuracy| of the photograph's bin."""
    return sum(b.num * abs(b.confidence - b.accuracy) for b in bins_of(probabilities, is_good, num_bins)) / len(is_good)


def precision_recall(probabilities: np.ndarray, is_good: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns (thresholds, precision, recall), each [K]: the K distinct probabilities in falling order, and the
    precision and recall with each as the threshold; photographs at or above a threshold pass.

    Raises: ValueError when no photograph is good, because recall is undefined then.
    """
    if not is_good.any():
        raise ValueError("none of the photographs is good")
    order = np.argsort(-probabilities, kind="stable")
    ranked, right = probabilities[order], np.cumsum(is_good[order])
    last = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
    return ranked[last], right[last] / (last + 1), right[last] / right[-1]


def choose_threshold(probabilities: np.ndarray, is_good: np.ndarray, target_precision: float) -> ChosenThreshold:
    """Returns the threshold with the greatest recall among those whose precision reaches the target; if none does, the
    threshold with the highest precision.

    It lies half-way between the lowest probability that passes and the next lower one, so that it equals neither.
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
