"""Agreement between raters."""

import numpy as np


def krippendorff_alpha(ratings: np.ndarray) -> float:
    """Returns Krippendorff's alpha for ratings on an interval scale; 1 is perfect agreement, 0 that of chance.

    ratings: float [raters, items]; nan where a rater did not rate an item. It is 1 - D_o / D_e (Krippendorff 2011): the
    mean squared difference within items, a pair of an item with m ratings weighing 1 / (m - 1), over that between any
    two ratings. Items with fewer than two ratings don't count. nan if all ratings are equal, where agreement can't be
    told from a constant.

    Raises: ValueError if no item has two ratings.
    """
    table = np.asarray(ratings, dtype=np.float64)
    counts = np.sum(np.isfinite(table), axis=0)
    kept = table[:, counts >= 2]
    if kept.size == 0:
        raise ValueError("agreement needs an item that two raters have rated")
    # the sum over ordered pairs (x - y)² of n numbers is 2 n Σ x² - 2 (Σ x)² = 2 n² times their variance
    per_item = [column[np.isfinite(column)] for column in kept.T]
    total = np.concatenate(per_item)
    observed = sum(2 * len(item) ** 2 * item.var() / (len(item) - 1) for item in per_item) / len(total)
    expected = 2 * len(total) * total.var() / (len(total) - 1)
    return float(1 - observed / expected) if expected > 0 else float("nan")
