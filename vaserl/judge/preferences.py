"""Preference pairs for training, from a training judge's verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vaserl.errors import UserError
from vaserl.judge.pair import MeshPair
from vaserl.judge.verdict import TrainingVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshPreference:
    """One training example: of two meshes of a photograph, the one that the training judge prefers in both orders."""

    pair_id: str
    photo: Path
    chosen: Path
    rejected: Path
    confidence: float | None
    """The verdict's confidence."""


def mesh_preferences(verdicts: Sequence[TrainingVerdict], pairs: Mapping[str, MeshPair]) -> list[MeshPreference]:
    """Returns a preference for each verdict with a winner, in order; flips and unparsable answers give none.

    pairs: pairs by their ids.

    Raises: UserError for a verdict that isn't a training judge's, which the types forbid as well.
    """
    found = []
    for verdict in verdicts:
        if type(verdict) is not TrainingVerdict:
            raise UserError(
                f"pair {verdict.pair_id!r}: {type(verdict).__name__} can't become training data; ask a judge whose "
                'role is "training", of another model family than the evaluation judge'
            )
        if verdict.winner is None:
            continue
        pair = pairs[verdict.pair_id]
        chosen, rejected = pair.shown("ab" if verdict.winner == "a" else "ba")
        found.append(
            MeshPreference(
                pair_id=pair.id, photo=pair.photo, chosen=chosen, rejected=rejected, confidence=verdict.confidence
            )
        )
    return found
