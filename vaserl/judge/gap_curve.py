"""Flip rate, and share of wrong winners, against the true gap between the meshes of a pair."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vaserl.judge.certification import JudgedPair
from vaserl.statistics.intervals import ConfidenceInterval, wilson_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class GapBin:
    """Pairs whose true gaps are similar."""

    low: float
    """Smallest gap in the bin, in heights of the true mesh."""
    high: float
    num_pairs: int
    undecided: ConfidenceInterval
    """Share of pairs without a winner."""
    right: ConfidenceInterval | None
    """Share of winners that are the better mesh; None without winners."""


def gap_curve(pairs: Sequence[JudgedPair], num_bins: int = 6) -> list[GapBin]:
    """Returns bins of equally many pairs, in the order of their gaps; fewer bins if there are fewer pairs."""
    ordered = sorted(pairs, key=lambda pair: pair.gap)
    bins = []
    for part in np.array_split(np.arange(len(ordered)), min(num_bins, len(ordered)) or 1):
        here = [ordered[int(k)] for k in part]
        if not here:
            continue
        won = [pair.is_right for pair in here if pair.winner is not None]
        bins.append(
            GapBin(
                low=here[0].gap,
                high=here[-1].gap,
                num_pairs=len(here),
                undecided=wilson_interval(len(here) - len(won), len(here)),
                right=wilson_interval(sum(won), len(won)) if won else None,
            )
        )
    return bins
