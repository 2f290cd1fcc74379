"""Means and shares with 95 % intervals: what every number of an evaluation is reported with.

Left out on purpose: p-values. An interval says how large an effect may be, and whether zero is among the answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

CONFIDENCE = 0.95
Z_95 = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution."""

ROWS_PER_CHUNK = 1_000
"""Resamples drawn at once, so that 10,000 resamples of many values don't fill the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceInterval:
    """A mean and the bounds of its 95 % interval.

    Example: Interval(mean=0.079, low=0.056, high=0.100)
    """

    mean: float
    """The point estimate, from the values themselves."""
    low: float
    """Lower bound."""
    high: float
    """Upper bound."""

    def as_dict(self) -> dict[str, float]:
        """For JSON."""
        return {"mean": self.mean, "low": self.low, "high": self.high}


def bootstrap_mean_interval(
    values: Sequence[float] | np.ndarray, *, num_resamples: int = 10_000, seed: int
) -> ConfidenceInterval:
    """Mean of `values` [N] with its 95 % percentile bootstrap interval (Efron 1979).

    ValueError if there are no values, or if one of them isn't finite.
    """
    data = _checked(values)
    rng = np.random.default_rng(seed)
    means = np.empty(num_resamples)
    for start in range(0, num_resamples, ROWS_PER_CHUNK):
        stop = min(start + ROWS_PER_CHUNK, num_resamples)
        means[start:stop] = data[rng.integers(0, len(data), size=(stop - start, len(data)))].mean(axis=1)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return ConfidenceInterval(mean=float(data.mean()), low=float(low), high=float(high))


def paired_difference(
    a: Sequence[float] | np.ndarray, b: Sequence[float] | np.ndarray, *, num_resamples: int = 10_000, seed: int
) -> ConfidenceInterval:
    """Mean of a - b over pairs [N] with its interval; resampling keeps pairs together.

    Pairing removes what both have in common (a hard vase is hard for both), so the interval is narrower than that of
    two separate means. ValueError if the lengths differ.
    """
    if len(a) != len(b):
        raise ValueError(f"pairs need equal lengths, got {len(a)} and {len(b)}")
    return bootstrap_mean_interval(_checked(a) - _checked(b), num_resamples=num_resamples, seed=seed)


def wilson_interval(num_successes: int, num_trials: int) -> ConfidenceInterval:
    """Share of successes with its 95 % score interval (Wilson 1927).

    (p + z²/2n ± z √(p(1-p)/n + z²/4n²)) / (1 + z²/n). Unlike the bootstrap it keeps its width at 0 and n of n.
    """
    if not 0 <= num_successes <= num_trials or num_trials == 0:
        raise ValueError(f"{num_successes} of {num_trials} is no share")
    n, p = num_trials, num_successes / num_trials
    centre = p + Z_95**2 / (2 * n)
    spread = Z_95 * sqrt(p * (1 - p) / n + Z_95**2 / (4 * n**2))
    scale = 1 + Z_95**2 / n
    # At 0 and n of n a bound equals p exactly; rounding would otherwise put it beside p.
    low = 0.0 if num_successes == 0 else (centre - spread) / scale
    high = 1.0 if num_successes == n else (centre + spread) / scale
    return ConfidenceInterval(mean=p, low=low, high=high)


def _checked(values: Sequence[float] | np.ndarray) -> np.ndarray:
    data = np.asarray(values, dtype=np.float64)
    if data.ndim != 1 or len(data) == 0:
        raise ValueError(f"need a list of at least one value, got shape {data.shape}")
    if not np.isfinite(data).all():
        raise ValueError(f"value {int(np.flatnonzero(~np.isfinite(data))[0])} is not finite")
    return data
