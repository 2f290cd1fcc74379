"""Tests of judges in vLLM engines, with the real vLLM and small models of two families with random weights."""

from pathlib import Path

import numpy as np
import pytest

from actors.judge import engine_judge
from vaserl.judge.judge import JudgeQuery
from vaserl.judge.mode import MODES
from vaserl.judge.pair import ORDERS, MeshPair
from vaserl.judge.settings import JudgeModelSettings
from vaserl.settings import ClusterSettings
from vaserl.synthetic.models.tiny_internvl import build_tiny_internvl

PAIR = MeshPair(id="p", photo=Path("p.png"), a=Path("a.glb"), b=Path("b.glb"))


def _queries(num: int) -> list[JudgeQuery]:
    rng = np.random.default_rng(0)
    found = []
    for _ in range(num):
        one, other = rng.integers(0, 255, (2, 112, 168, 3), dtype=np.uint8)
        for order, images in zip(ORDERS, ((one, other), (other, one)), strict=True):
            found.append(JudgeQuery(pair=PAIR, order=order, prompt=MODES["montage"].prompt, images=images))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("family", ["qwen2.5-vl", "internvl"])
def test_engine_judge_answers_in_order_and_alike(family: str, tiny_model: Path, tmp_path: Path, cluster: None):
    """Each answer depends on its images and not on the other queries of a call."""
    prompt = MODES["montage"].prompt
    path = tiny_model if family == "qwen2.5-vl" else build_tiny_internvl(tmp_path / "internvl", [prompt])
    settings = JudgeModelSettings(kind="vllm", family=family, path=path, dtype="float32", num_gpus=0, num_cpus=1)
    queries = _queries(4)
    with engine_judge(settings, ClusterSettings(), 2) as judge:
        replies = judge.answer(queries)
        assert len(replies) == len(queries)
        backwards = judge.answer(queries[::-1])[::-1]
    assert [reply.text for reply in replies] == [reply.text for reply in backwards]
    assert len({reply.text for reply in replies}) > 1  # the images matter
    assert all(reply.probability is None or 0 <= reply.probability <= 1 for reply in replies)
