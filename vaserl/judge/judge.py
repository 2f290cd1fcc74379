"""Interface of a pairwise judge, what it is asked, and the rule that two judges are of different model families.

`vaserl.meshes.mesh_judge` is another thing: the plug-in of the curation's mesh gate, which accepts or rejects one mesh.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from vaserl.errors import UserError
from vaserl.judge.pair import MeshPair, Order
from vaserl.judge.reply import Reply
from vaserl.judge.verdict import JudgeRole


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCard:
    """Identity of a judge.

    Example: JudgeCard(name="internvl3-8b", family="internvl", role="evaluation", sha256="…")
    """

    name: str
    family: str
    """Model family. Judges of one family share their errors, so a training and an evaluation judge need different
    ones."""
    role: JudgeRole
    sha256: str
    """Hash of everything that decides the judge's answers to a query: weights, settings, code. Verdicts with different
    hashes don't mix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeQuery:
    """One question to a judge: one pair in one order."""

    pair: MeshPair
    order: Order
    prompt: str
    images: tuple[np.ndarray, ...]
    """Images in the order in which they are shown, uint8 [H, W, 3]. The protocol's mode has exactly two."""


class PairJudge(Protocol):
    """A judge that answers queries with text. The text is parsed by `parse_reply`, whoever wrote it."""

    def answer(self, queries: Sequence[JudgeQuery]) -> list[Reply]:
        """Returns the reply to each query, in order."""
        ...


def check_families(training: JudgeCard, evaluation: JudgeCard) -> None:
    """Raises UserError unless the judges have their roles and are of different families."""
    for card, role in ((training, "training"), (evaluation, "evaluation")):
        if card.role != role:
            raise UserError(f"judge {card.name!r} has the role {card.role!r}; expected the {role} judge")
    if training.family.casefold() == evaluation.family.casefold():
        raise UserError(
            f"the training judge {training.name!r} and the evaluation judge {evaluation.name!r} are both of the family "
            f"{training.family!r}: a generator would be scored by the quirks that it was trained on. Choose a judge of "
            "another family"
        )
