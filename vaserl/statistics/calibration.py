"""Calibration: whether a probability of being right is the share of being right."""

from collections.abc import Sequence

import numpy as np


def expected_calibration_error(
    confidences: Sequence[float] | np.ndarray, correct: Sequence[bool] | np.ndarray, num_bins: int = 10
) -> float:
    """Returns the expected calibration error: the mean |share right - mean confidence| over bins of equal width, each
    weighted by its number of answers (Naeini et al. 2015).

    A confidence of exactly k / num_bins lies in the upper of the two bins, 1 in the last.

    Raises: ValueError without answers or for a confidence outside [0, 1].
    """
    stated, right = np.asarray(confidences, dtype=np.float64), np.asarray(correct, dtype=np.float64)
    if len(stated) == 0 or len(stated) != len(right):
        raise ValueError(f"expected as many confidences as outcomes and at least one, got {len(stated)}, {len(right)}")
    if not ((stated >= 0) & (stated <= 1)).all():
        raise ValueError("a confidence must lie between 0 and 1")
    bins = np.minimum((stated * num_bins).astype(int), num_bins - 1)
    gaps = np.bincount(bins, weights=right - stated, minlength=num_bins)
    return float(np.abs(gaps).sum() / len(stated))
