"""Counts of verdicts, and the win rates with each denominator in use.

Publications rarely say whether pairs without a winner count in the denominator. The counts are therefore always kept,
and all three rates are reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from vaserl.judge.verdict import PairVerdict
from vaserl.statistics.binomial import sign_test
from vaserl.statistics.intervals import ConfidenceInterval, wilson_interval


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictTally:
    """Counts of the verdicts on pairs (a, b), from the side of a.

    Example: VerdictTally(wins=5, losses=1, flips=2, unparsed=0)
    """

    wins: int
    """Number of pairs whose mesh a won in both orders."""
    losses: int
    """Number of pairs whose mesh b won in both orders."""
    flips: int
    """Number of pairs in which the order decided."""
    unparsed: int
    """Number of pairs with an answer that can't be parsed; they count in no rate."""

    @property
    def num_parsed(self) -> int:
        """Number of pairs with two parsed answers."""
        return self.wins + self.losses + self.flips

    @property
    def flip_rate(self) -> ConfidenceInterval | None:
        """Share of flips among parsed pairs; None without any."""
        return _share(self.flips, self.num_parsed)

    @property
    def win_over_all(self) -> ConfidenceInterval | None:
        """Win rate with flips as non-wins: wins / (wins + losses + flips)."""
        return _share(self.wins, self.num_parsed)

    @property
    def win_over_consistent(self) -> ConfidenceInterval | None:
        """Win rate without flips: wins / (wins + losses); None if every pair is a flip."""
        return _share(self.wins, self.wins + self.losses)

    @property
    def win_with_ties(self) -> ConfidenceInterval | None:
        """Win rate with flips as half wins: (wins + flips / 2) / (wins + losses + flips)."""
        return _share(self.wins + self.flips / 2, self.num_parsed)

    @property
    def p_value(self) -> float:
        """Exact two-sided p-value of the sign test on wins and losses."""
        return sign_test(self.wins, self.losses)


def tally(verdicts: Sequence[PairVerdict]) -> VerdictTally:
    """Returns the counts of some verdicts."""
    winners = [verdict.winner for verdict in verdicts]
    return VerdictTally(
        wins=winners.count("a"),
        losses=winners.count("b"),
        flips=sum(verdict.is_flip for verdict in verdicts),
        unparsed=sum(not verdict.is_parsed for verdict in verdicts),
    )


def _share(num: float, of: int) -> ConfidenceInterval | None:
    return wilson_interval(num, of) if of else None
