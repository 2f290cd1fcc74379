"""Quantiles of Student's t distribution, by the number of clusters."""

from functools import lru_cache

from scipy.special import stdtrit

from vaserl.statistics.intervals import CONFIDENCE


@lru_cache(maxsize=1024)
def student_quantile(num_clusters: int, probability: float = (1 + CONFIDENCE) / 2) -> float:
    """Returns the quantile of Student's t with `num_clusters` - 1 degrees of freedom; inf for one cluster."""
    return float(stdtrit(num_clusters - 1, probability)) if num_clusters > 1 else float("inf")
