"""Corrections of p-values for several tests of one family."""

from collections.abc import Sequence

import numpy as np


def holm(p_values: Sequence[float]) -> list[float]:
    """Returns the p-values after Holm's step-down correction (1979), in the order given.

    The k-th smallest of m p-values is multiplied by m - k + 1; a value is at least as large as those before it, and at
    most 1. Rejecting all that are at most α keeps the probability of any wrong rejection below α.
    """
    order = np.argsort(p_values, kind="stable")
    factors = len(p_values) - np.arange(len(p_values))
    raised = np.maximum.accumulate(np.asarray(p_values, dtype=np.float64)[order] * factors)
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(raised, 1.0)
    return [float(value) for value in corrected]
