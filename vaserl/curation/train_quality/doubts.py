"""Generates warnings that the quality filter may be worse than its report suggests, each with a remedy."""

import math

import numpy as np

from vaserl.curation.train_quality.calibration import ChosenThreshold
from vaserl.statistics.intervals import Z_95, wilson_interval

LEAST_RECALL = 0.5
"""Recall below which a warning is generated; it is computed on the test photographs."""
PLAIN_THRESHOLD = 0.5
"""Usual threshold on calibrated probabilities when no target precision is given; warnings suggest it."""


def doubts_about(
    chosen: ChosenThreshold,
    target_precision: float,
    val: tuple[np.ndarray, np.ndarray],
    test: tuple[np.ndarray, np.ndarray],
) -> tuple[str, ...]:
    """Returns warnings about the chosen threshold, the most important first. Returns () if the validation photographs
    confirm its precision and the test photographs confirm that it has enough recall.

    val, test: (calibrated probabilities [N], labels [N]) of the N photographs of the split; a label is True if the
    photograph is good.
    """
    return tuple(filter(None, (_loses_good_ones(chosen, *test), _is_unproven(chosen, target_precision, *val))))


def _loses_good_ones(chosen: ChosenThreshold, probabilities: np.ndarray, is_good: np.ndarray) -> str:
    hits, num_good = int((probabilities[is_good] >= chosen.value).sum()), int(is_good.sum())
    if hits >= LEAST_RECALL * num_good:
        return ""
    plain = probabilities >= PLAIN_THRESHOLD
    good, bad = int(plain[is_good].sum()), int(plain[~is_good].sum())
    return (
        f"of {num_good} good test photographs the threshold {chosen.value:.4f} passes {hits or 'none'}, and a "
        f"curation would reject the others. Set its quality.threshold yourself ({PLAIN_THRESHOLD:g} passes {good} good "
        f"and {bad} of {len(is_good) - num_good} bad ones), train for a lower target_precision, or label more"
    )


def _is_unproven(
    chosen: ChosenThreshold, target_precision: float, probabilities: np.ndarray, is_good: np.ndarray
) -> str:
    if not chosen.reached:
        return (
            f"no threshold has a precision of {target_precision:g} on validation; the best has {chosen.precision:.3f}. "
            "Label more photographs, or train for a lower target_precision"
        )
    passed = probabilities >= chosen.value
    hits, num_passed = int(is_good[passed].sum()), int(passed.sum())
    shown = wilson_interval(hits, num_passed).low
    if shown >= target_precision:
        return ""
    # Wilson's lower bound of n out of n is n / (n + z²)
    needed = math.ceil(Z_95**2 * target_precision / (1 - target_precision))
    return (
        f"a precision of {target_precision:g} is reached on validation but not shown: {hits} of the {num_passed} that "
        f"pass are good, which is compatible with a precision of {shown:.2f}. To show it, {needed} good ones and no "
        "bad one must pass: label more photographs, or raise val_share"
    )
