"""Judges with planted behaviour, whose statistics are known beforehand."""

import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from vaserl.judge.judge import JudgeQuery
from vaserl.judge.pair import ORDERS, MeshPair, Side
from vaserl.judge.reply import Reply
from vaserl.judge.verdict import EvaluationVerdict, JudgeRole, TrainingVerdict, verdict_of


def mesh_pairs(num: int) -> list[MeshPair]:
    """Returns pairs of meshes that don't exist; a planted judge doesn't look at them."""
    return [MeshPair(id=f"p{k:05d}", photo=Path("p.png"), a=Path("a.glb"), b=Path("b.glb")) for k in range(num)]


class PlantedJudge:
    """Answers by a function of the pair's id, which returns the side to name, or the position to name, or any text."""

    def __init__(self, decide: Callable[[str], Side | str], confidence: Callable[[str], float | None] = lambda _: None):
        self.decide, self._confidence = decide, confidence
        self.num_asked = 0

    def answer(self, queries: Sequence[JudgeQuery]) -> list[Reply]:
        self.num_asked += len(queries)
        return [Reply(text=self._text(query), probability=self._confidence(query.pair.id)) for query in queries]

    def _text(self, query: JudgeQuery) -> str:
        said = self.decide(query.pair.id)
        if said not in ("a", "b"):
            return said
        return "1" if (said == "a") == (query.order == "ab") else "2"


def biased() -> PlantedJudge:
    """Always names the first image."""
    return PlantedJudge(lambda _: "1")


def noisy(p: float, seed: int = 0) -> PlantedJudge:
    """Names mesh a with the probability p, the same one in both orders."""
    return PlantedJudge(lambda pair: "a" if uniform(pair, seed) < p else "b")


def uniform(pair: str, seed: int) -> float:
    """Returns a number from 0 to 1 that is drawn once for each pair."""
    return float(np.random.default_rng([seed, zlib.crc32(pair.encode())]).random())


def verdicts_of(
    judge: PlantedJudge, pairs: Sequence[MeshPair], role: JudgeRole = "evaluation"
) -> dict[str, TrainingVerdict | EvaluationVerdict]:
    """Returns the judge's verdicts on the pairs, asked in both orders."""
    found = {}
    for pair in pairs:
        queries = [JudgeQuery(pair=pair, order=order, prompt="", images=()) for order in ORDERS]
        found[pair.id] = verdict_of(role, pair.id, dict(zip(ORDERS, judge.answer(queries), strict=True)))
    return found
