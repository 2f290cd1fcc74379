"""Means over clustered values, with intervals that respect the clusters.

Several questions about one vase share its video, so their outcomes are correlated. The vases are the independent units:
they are the clusters, and intervals, tests and power count them and not the questions.

Letters of axes: C clusters, M columns (one for each metric), R resamples.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from vaserl.statistics.intervals import CONFIDENCE, wilson_interval
from vaserl.statistics.student import student_quantile

NameT = TypeVar("NameT", bound=Hashable)
BOOTSTRAP_RESAMPLES = 10_000
MAX_DRAWS = 20_000_000
"""Largest number of clusters that are drawn in all resamples together; with more than 2,000 clusters there are fewer
resamples, but never fewer than 1,000."""
_DRAWS_PER_CHUNK = 4_000_000
"""Number of clusters that are drawn at once, over all resamples of a chunk; bounds the memory."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clustered:
    """The values of one metric, summed by cluster.

    Example, of the values 1, 0 and 1 of which the first two belong to one vase: sums [1, 1], sizes [2, 1].
    """

    sums: np.ndarray
    """float [C]: sum of each cluster's values."""
    sizes: np.ndarray
    """float [C]: number of values in each cluster; 0 for a cluster without a value."""
    is_share: bool
    """True if the values are boolean and every cluster has at most one."""

    @classmethod
    def of_values(cls, values: Sequence[float] | np.ndarray, among: np.ndarray | None = None) -> "Clustered":
        """Returns clusters of one value each; boolean values are a share. among: bool [C], False for clusters whose
        value doesn't count."""
        given = np.asarray(values)
        data = given.astype(np.float64)
        sizes = np.ones(len(data)) if among is None else np.asarray(among, dtype=np.float64)
        return cls._checked(np.where(sizes > 0, data, 0.0), sizes, is_share=given.dtype == np.bool_)

    @classmethod
    def of_items(
        cls, values: Sequence[float] | np.ndarray, clusters: Sequence[int] | np.ndarray, num_clusters: int
    ) -> "Clustered":
        """Returns the clusters of N values. clusters: index of each value's cluster, [N]."""
        data, index = np.asarray(values, dtype=np.float64), np.asarray(clusters, dtype=np.intp)
        if len(data) != len(index):
            raise ValueError(f"values and clusters must have equal lengths, got {len(data)} and {len(index)}")
        sums = np.bincount(index, weights=data, minlength=num_clusters)
        sizes = np.bincount(index, minlength=num_clusters).astype(np.float64)
        return cls._checked(sums, sizes, is_share=False)

    @classmethod
    def _checked(cls, sums: np.ndarray, sizes: np.ndarray, *, is_share: bool) -> "Clustered":
        if sums.ndim != 1 or not np.isfinite(sums).all():
            raise ValueError("the values of a metric must be finite numbers, one list for each metric")
        return cls(sums=sums, sizes=sizes, is_share=is_share)

    @property
    def num_values(self) -> int:
        """Number of values in all clusters together."""
        return int(self.sizes.sum())

    @property
    def num_clusters(self) -> int:
        """Number of clusters that have a value."""
        return int((self.sizes > 0).sum())

    @property
    def mean(self) -> float:
        """Mean of all values; a cluster counts by its number of values."""
        return float(self.sums.sum() / self.sizes.sum())


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterMean:
    """A mean with its 95 % interval and the numbers of values and clusters behind it."""

    mean: float
    low: float
    """Lower bound of the interval that `method` names."""
    high: float
    method: str
    """"wilson" for a share with at most one value a cluster, otherwise "t": Student's t with clusters - 1 degrees of
    freedom."""
    bootstrap_low: float
    """Lower bound of the cluster bootstrap's percentile interval."""
    bootstrap_high: float
    num_values: int
    num_clusters: int

    def as_dict(self) -> dict[str, Any]:
        """Returns a dict of the fields, which can be written as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def cluster_means(
    columns: Mapping[NameT, Clustered], *, seed: int, num_resamples: int = BOOTSTRAP_RESAMPLES
) -> dict[NameT, ClusterMean | None]:
    """Returns the mean of each metric with its intervals; None for a metric without values, or with the values of one
    cluster only, whose spread is unknown. A share has an interval from one value on.

    All metrics must have the same clusters in the same order, because they share the bootstrap's draws.
    """
    valued = {name: column for name, column in columns.items() if column.num_clusters >= (1 if column.is_share else 2)}
    lows, highs = bootstrap_bounds(valued, seed=seed, num_resamples=num_resamples)
    found: dict[NameT, ClusterMean | None] = dict.fromkeys(columns)
    for (name, column), bootstrap_low, bootstrap_high in zip(valued.items(), lows, highs, strict=True):
        if column.is_share:
            share = wilson_interval(round(column.sums.sum()), column.num_values)
            low, high, method = share.low, share.high, "wilson"
        else:
            half = student_quantile(column.num_clusters) * standard_error(column)
            low, high, method = column.mean - half, column.mean + half, "t"
        found[name] = ClusterMean(
            mean=column.mean,
            low=low,
            high=high,
            method=method,
            bootstrap_low=float(bootstrap_low),
            bootstrap_high=float(bootstrap_high),
            num_values=column.num_values,
            num_clusters=column.num_clusters,
        )
    return found


def standard_error(column: Clustered) -> float:
    """Returns the cluster-robust standard error of the mean, the sandwich estimator of a ratio of sums.

    It is √(C/(C-1) · Σ (S_c - m·n_c)²) / N with the sum S_c and the size n_c of each cluster, the mean m and the number
    N of values (Cochran, Sampling Techniques, 1977, chapter 6). With one value a cluster it is s/√C.
    """
    clusters = column.num_clusters
    if clusters < 2:
        return float("inf")
    residuals = column.sums - column.mean * column.sizes
    return float(np.sqrt(clusters / (clusters - 1) * (residuals**2).sum()) / column.num_values)


def bootstrap_bounds(
    columns: Mapping[NameT, Clustered], *, seed: int, num_resamples: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the lower and the upper bounds [M] of the percentile interval of each metric (cluster bootstrap).

    A resample draws C clusters with replacement; its mean is the ratio of sums and sizes of the drawn clusters. A
    resample without a value of the metric is left out of that metric's interval.
    """
    if not columns:
        return np.empty(0), np.empty(0)
    sums, sizes = (np.stack([getattr(c, part) for c in columns.values()], axis=1) for part in ("sums", "sizes"))
    num_clusters, rng = len(sums), np.random.default_rng(seed)
    num_resamples = min(num_resamples, max(1_000, MAX_DRAWS // num_clusters))
    means = np.empty((num_resamples, sums.shape[1]))
    step = max(1, _DRAWS_PER_CHUNK // num_clusters)
    for start in range(0, num_resamples, step):
        rows = min(step, num_resamples - start)
        drawn = rng.integers(0, num_clusters, size=(rows, num_clusters), dtype=np.int32)
        drawn += np.arange(rows, dtype=np.int32)[:, None] * num_clusters
        counts = np.bincount(drawn.ravel(), minlength=rows * num_clusters).reshape(rows, num_clusters)
        weights = counts.astype(np.float64)
        with np.errstate(invalid="ignore"):
            means[start : start + rows] = (weights @ sums) / (weights @ sizes)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.nanpercentile(means, [tail, 100 - tail], axis=0)
    return low, high
