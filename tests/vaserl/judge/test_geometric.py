"""Tests of the deterministic geometric judge, on meshes whose truth is known."""

from pathlib import Path

import pytest

from tests.fakes.judged_jars import NUM_JARS
from vaserl.judge.geometric import GeometricJudge, geometric_card
from vaserl.judge.judge import JudgeQuery
from vaserl.judge.montage import UnusableInput
from vaserl.judge.pair import ORDERS, MeshPair
from vaserl.judge.verdict import verdict_of


def _verdict(judge: GeometricJudge, pair: MeshPair):
    queries = [JudgeQuery(pair=pair, order=order, prompt="", images=()) for order in ORDERS]
    return verdict_of("evaluation", pair.id, dict(zip(ORDERS, judge.answer(queries), strict=True)))


def _pair(collection: Path, k: int, a: str, b: str) -> MeshPair:
    name = f"v{k}"
    return MeshPair(
        id=name,
        photo=collection / "photos" / f"{name}.png",
        a=collection / a / f"{name}.glb",
        b=collection / b / f"{name}.glb",
    )


def test_geometric_judge_prefers_true_meshes_on_either_side(collection: Path):
    judge = GeometricJudge()
    verdicts = [_verdict(judge, _pair(collection, k, "true", "worst")) for k in range(NUM_JARS)]
    swapped = [_verdict(judge, _pair(collection, k, "worst", "true")) for k in range(NUM_JARS)]
    assert [v.winner for v in verdicts] == ["a"] * NUM_JARS and [v.winner for v in swapped] == ["b"] * NUM_JARS
    assert all(v.confidence and v.confidence > 0.9 for v in verdicts)


def test_geometric_judge_flips_on_equal_meshes(collection: Path):
    verdict = _verdict(GeometricJudge(), _pair(collection, 0, "true", "true"))
    assert verdict.is_flip and verdict.confidence is None


def test_geometric_score_has_its_parts(collection: Path):
    judge = GeometricJudge()
    photo = collection / "photos" / "v2.png"
    true, worse, worst = (judge.score(collection / each / "v2.glb", photo) for each in ("true", "worse", "worst"))
    assert true.iou > 0.9 > worse.iou  # stretched by 36 %
    assert worst.roughness > 3 * true.roughness and true.back < 0.01


def test_geometric_judge_names_a_file_that_it_cant_read(collection: Path, tmp_path: Path):
    with pytest.raises(UnusableInput, match=r"none\.glb"):
        GeometricJudge().score(tmp_path / "none.glb", collection / "photos" / "v0.png")


def test_geometric_card_is_the_same_each_time():
    assert geometric_card("training") == geometric_card("training")
    assert geometric_card("training").family == "geometric"
