"""Comparisons of two systems on the same vases: paired differences, tests that flip signs, verdicts.

A difficult vase lowers the values of both systems, and this effect cancels out in the difference. The interval is
therefore narrower than for two separate means.

Letters of axes: C clusters (vases), M columns (metrics), F flips.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from vaserl.statistics.binomial import sign_test
from vaserl.statistics.clusters import (
    BOOTSTRAP_RESAMPLES,
    MAX_DRAWS,
    Clustered,
    NameT,
    bootstrap_bounds,
    standard_error,
)
from vaserl.statistics.intervals import CONFIDENCE
from vaserl.statistics.power import detectable_difference
from vaserl.statistics.student import student_quantile

Finding = Literal["better", "worse", "inconclusive"]
SIGNIFICANCE = round(1 - CONFIDENCE, 12)
"""Largest p-value of a difference that counts as found."""
NUM_FLIPS = 9_999
MAX_ENUMERATED = 14
"""Largest number of clusters with a difference for which all 2^C sign flips are computed instead of a sample."""

_FLIPS_PER_CHUNK = 4_000_000
_TIE = 1e-9
"""Relative difference of two sums below which they are equal; sums of the same numbers differ in their last bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedComparison:
    """The mean difference a - b of two systems over the same vases, with interval, test and counts."""

    mean: float
    low: float
    """Lower bound of the 95 % interval: Student's t with clusters - 1 degrees of freedom."""
    high: float
    bootstrap_low: float
    """Lower bound of the cluster bootstrap's percentile interval."""
    bootstrap_high: float
    p: float
    """Two-sided p-value of the test that `test` names: the systems' labels may be exchanged in each vase."""
    test: str
    """"mcnemar" (exact binomial), "all sign flips" or "sampled sign flips"."""
    wins: int
    """Number of vases on which a is above b."""
    ties: int
    losses: int
    num_values: int
    num_clusters: int
    detectable: float
    """Smallest true difference that a test at 5 % finds with probability 0.8, given the spread of these differences."""
    p_holm: float | None = None
    """`p` after Holm's correction over the metrics of its family; None outside a family."""

    @property
    def verdict(self) -> Finding:
        """ "better" if the interval lies above 0 and `p` is at most 0.05, "worse" if it lies below 0 and so is `p`,
        "inconclusive" otherwise.

        Two vases with the same difference have an interval of width 0; the test alone knows how little that is.
        """
        if self.p > SIGNIFICANCE:
            return "inconclusive"
        return "better" if self.low > 0 else "worse" if self.high < 0 else "inconclusive"

    def as_dict(self) -> dict[str, Any]:
        """Returns a dict of the fields and the verdict, which can be written as JSON."""
        return {**{name: getattr(self, name) for name in self.__slots__}, "verdict": self.verdict}


def paired_comparisons(
    a: Mapping[NameT, Clustered],
    b: Mapping[NameT, Clustered],
    *,
    seed: int,
    num_resamples: int = BOOTSTRAP_RESAMPLES,
    num_flips: int = NUM_FLIPS,
) -> dict[NameT, PairedComparison | None]:
    """Returns the comparison of two systems for each metric of both; None for a metric with values of fewer than two
    clusters.

    Raises: ValueError if a metric's values belong to other vases in `a` than in `b`.
    """
    names = [name for name in a if name in b]
    for name in names:
        if not np.array_equal(a[name].sizes, b[name].sizes):
            raise ValueError(f"{name}: the two systems must have values for the same vases")
    differences = {
        name: Clustered(sums=a[name].sums - b[name].sums, sizes=a[name].sizes, is_share=False)
        for name in names
        if a[name].num_clusters >= 2
    }
    binary = {name for name in differences if a[name].is_share and b[name].is_share}
    flipped = [name for name in differences if name not in binary]
    lows, highs = bootstrap_bounds(differences, seed=seed, num_resamples=num_resamples)
    tests = sign_flip_tests([differences[name].sums for name in flipped], seed=seed, num_flips=num_flips)
    p_of = dict(zip(flipped, tests, strict=True))
    found: dict[NameT, PairedComparison | None] = dict.fromkeys(names)
    for (name, column), bootstrap_low, bootstrap_high in zip(differences.items(), lows, highs, strict=True):
        error = standard_error(column)
        half = student_quantile(column.num_clusters) * error
        wins, losses = int((column.sums > 0).sum()), int((column.sums < 0).sum())
        p, test = (mcnemar_p(wins, losses), "mcnemar") if name in binary else p_of[name]
        found[name] = PairedComparison(
            mean=column.mean,
            low=column.mean - half,
            high=column.mean + half,
            bootstrap_low=float(bootstrap_low),
            bootstrap_high=float(bootstrap_high),
            p=p,
            test=test,
            wins=wins,
            ties=column.num_clusters - wins - losses,
            losses=losses,
            num_values=column.num_values,
            num_clusters=column.num_clusters,
            detectable=detectable_difference(error, column.num_clusters),
        )
    return found


def mcnemar_p(wins: int, losses: int) -> float:
    """Returns the two-sided p-value of the exact test of McNemar: of the vases on which one system alone is right, wins
    and losses are equally likely if the systems are equally good."""
    return sign_test(wins, losses)


def sign_flip_tests(sums: Sequence[np.ndarray], *, seed: int, num_flips: int = NUM_FLIPS) -> list[tuple[float, str]]:
    """Returns the two-sided p-value of the paired permutation test of each metric, and the name of the test.

    sums: each metric's differences summed by cluster, [C]. If the systems are exchangeable, the sign of each cluster's
    difference is a coin toss. The p-value is the share of sign flips whose sum is at least as far from 0 as the
    observed one. With few differing clusters all flips are counted; otherwise a sample, in which the observed signs
    count as one more flip, so that the test keeps its level exactly (Phipson and Smyth 2010). With more than 2,000
    clusters there are fewer flips, but at least 1,000.
    """
    found: dict[int, tuple[float, str]] = {}
    sampled = []
    for index, column in enumerate(sums):
        differing = column[column != 0]
        if len(differing) <= MAX_ENUMERATED:
            flips = (np.arange(2 ** len(differing))[:, None] >> np.arange(len(differing))) & 1
            totals = np.abs((2.0 * flips - 1) @ differing)
            found[index] = float(np.mean(totals >= _threshold(differing))), "all sign flips"
        else:
            sampled.append(index)
    if sampled:
        data = np.stack([sums[index] for index in sampled], axis=1)
        num_flips = min(num_flips, max(1_000, MAX_DRAWS // len(data)))
        thresholds = np.array([_threshold(sums[index]) for index in sampled])
        counts, rng = np.ones(len(sampled)), np.random.default_rng(seed)
        step = max(1, _FLIPS_PER_CHUNK // len(data))
        for start in range(0, num_flips, step):
            rows = min(step, num_flips - start)
            bits = np.unpackbits(rng.integers(0, 256, size=(rows, -(-len(data) // 8)), dtype=np.uint8), axis=1)
            signs = 2.0 * bits[:, : len(data)] - 1
            counts += (np.abs(signs @ data) >= thresholds).sum(axis=0)
        for index, count in zip(sampled, counts, strict=True):
            found[index] = float(count / (num_flips + 1)), "sampled sign flips"
    return [found[index] for index in range(len(sums))]


def _threshold(differences: np.ndarray) -> float:
    return abs(differences.sum()) - _TIE * np.abs(differences).sum()
