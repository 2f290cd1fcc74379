"""Computes means and shares with their 95 % confidence intervals.

An evaluation reports means and shares with an interval and, on purpose, without a p-value. The interval of a difference
shows how large the difference may be, and whether it may be 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

CONFIDENCE = 0.95
Z_95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""

_RESAMPLES_PER_CHUNK = 1_000
"""Number of bootstrap resamples drawn at once. Drawing all 10,000 at once would need too much memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceInterval:
    """A mean and the bounds of its 95 % confidence interval.

    Example: ConfidenceInterval(mean=0.079, low=0.056, high=0.100)
    """

    mean: float
    """Mean of the values, the point estimate; it need not be in the middle of the interval."""
    low: float
    high: float

    def as_dict(self) -> dict[str, float]:
        """Returns a dict of the three fields, which can be written as JSON."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


def bootstrap_mean_interval(
    values: Sequence[float] | np.ndarray, *, num_resamples: int = 10_000, seed: int
) -> ConfidenceInterval:
    """Returns the mean of `values` [N] with its 95 % confidence interval (percentile bootstrap, Efron 1979).

    Raises: ValueError if there are no values, or if one of them isn't finite.
    """
    data = _checked(values)
    rng = np.random.default_rng(seed)
    means = np.empty(num_resamples)
    for start in range(0, num_resamples, _RESAMPLES_PER_CHUNK):
        stop = min(start + _RESAMPLES_PER_CHUNK, num_resamples)
        means[start:stop] = data[rng.integers(0, len(data), size=(stop - start, len(data)))].mean(axis=1)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return ConfidenceInterval(mean=float(data.mean()), low=float(low), high=float(high))


def paired_difference(
    a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray, *, num_resamples: int = 10_000, seed: int
) -> ConfidenceInterval:
    """Returns the mean of a - b over N pairs with its bootstrap interval; a resample is drawn from the N differences.

    a, b: values of two systems for the same N vases. A difficult vase lowers both values, and this effect cancels out
    in the difference. The interval is therefore narrower than for two separate means.

    Raises: ValueError if `a` and `b` have different lengths.
    """
    if len(a) != len(b):
        raise ValueError(f"a and b must have equal lengths, got {len(a)} and {len(b)}")
    return bootstrap_mean_interval(_checked(a) - _checked(b), num_resamples=num_resamples, seed=seed)


def wilson_interval(num_successes: float, num_trials: int) -> ConfidenceInterval:
    """Returns the share of successes with its 95 % confidence interval (score interval, Wilson 1927).

    The bounds are (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n), with p the share, n the number of trials and
    z = Z_95. Unlike a bootstrap interval, this interval has a width above 0 even if all trials succeed, or none.

    A tie may count as half a success; the interval is then wider than it need be, since ties reduce the variance.

    Raises: ValueError if there are no trials, or more successes than trials.
    """
    if not 0 <= num_successes <= num_trials or num_trials == 0:
        raise ValueError(
            f"expected 0 <= successes <= trials and trials >= 1, got {num_successes} successes in {num_trials} trials"
        )
    n, p = num_trials, num_successes / num_trials
    centre = p + Z_95**2 / (2 * n)
    spread = Z_95 * sqrt(p * (1 - p) / n + Z_95**2 / (4 * n**2))
    scale = 1 + Z_95**2 / n
    # At 0 of n and n of n a bound equals p exactly; rounding would make it differ.
    low = 0.0 if num_successes == 0 else (centre - spread) / scale
    high = 1.0 if num_successes == n else (centre + spread) / scale
    return ConfidenceInterval(mean=p, low=low, high=high)


def _checked(values: Sequence[float] | np.ndarray) -> np.ndarray:
    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 1 or len(data) == 0:
        raise ValueError(f"values must be a non-empty list or 1D array, got shape {data.shape}")
    if not np.isfinite(data).all():
        raise ValueError(f"value {int(np.flatnonzero(~np.isfinite(data))[0])} is not finite")
    return data
