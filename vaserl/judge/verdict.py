"""Verdicts on pairs of meshes. A verdict exists only if both orders were asked.

A training judge labels preferences that a generator learns from. An evaluation judge, of another model family, reports
scores. Their verdicts are different types: a function that makes training data accepts `TrainingVerdict` only, so that
a generator is never trained towards the judge that scores it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vaserl.judge.pair import ORDERS, Order, Side, side_shown
from vaserl.judge.reply import Reply, parse_reply

JudgeRole = Literal["training", "evaluation"]
"""Use that a judge's verdicts are for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairVerdict:
    """What a judge said about one pair in both orders; use one of the two subclasses.

    Example: TrainingVerdict(pair_id="v00012", ab="a", ba="a", confidence=0.9)
    """

    pair_id: str
    ab: Side | None
    """Mesh named as the better one in the order "ab"; None if the answer can't be parsed."""
    ba: Side | None
    """The same in the order "ba"."""
    confidence: float | None
    """Mean over both orders of the probability given to the winner; None if there is no winner, or if the judge
    states no probabilities."""

    @property
    def is_parsed(self) -> bool:
        """True if both answers could be parsed."""
        return self.ab is not None and self.ba is not None

    @property
    def is_flip(self) -> bool:
        """True if the answers name different meshes, so that the order decided."""
        return self.is_parsed and self.ab != self.ba

    @property
    def winner(self) -> Side | None:
        """The mesh that is named in both orders; None for a flip or an answer that can't be parsed."""
        return self.ab if self.ab == self.ba else None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingVerdict(PairVerdict):
    """A verdict that may become training data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationVerdict(PairVerdict):
    """A verdict that is only reported."""


VERDICTS: Mapping[JudgeRole, type[TrainingVerdict] | type[EvaluationVerdict]] = {
    "training": TrainingVerdict,
    "evaluation": EvaluationVerdict,
}
"""Type of the verdicts of a judge with each role."""


def verdict_of(role: JudgeRole, pair_id: str, replies: Mapping[Order, Reply]) -> TrainingVerdict | EvaluationVerdict:
    """Returns the verdict that the replies of both orders amount to.

    Raises: ValueError if an order is missing.
    """
    if set(replies) != set(ORDERS):
        raise ValueError(f"pair {pair_id!r}: a verdict needs the replies of both orders, got {sorted(replies)}")
    named: dict[Order, Side | None] = {}
    for order in ORDERS:
        position = parse_reply(replies[order].text)
        named[order] = None if position is None else side_shown(order, position)
    stated = [reply.probability for reply in replies.values() if reply.probability is not None]
    agrees = named["ab"] is not None and named["ab"] == named["ba"]
    confidence = sum(stated) / len(stated) if agrees and len(stated) == len(ORDERS) else None
    return VERDICTS[role](pair_id=pair_id, ab=named["ab"], ba=named["ba"], confidence=confidence)
