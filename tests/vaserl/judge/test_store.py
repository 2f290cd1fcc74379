"""Tests of the store of replies: resuming, refusing to mix, and what is named instead of judged."""

from dataclasses import replace
from pathlib import Path

import pytest

from vaserl.errors import UserError
from vaserl.judge.judge import JudgeCard
from vaserl.judge.pair import MeshPair
from vaserl.judge.reply import Reply
from vaserl.judge.store import PairHashes, StoreBinding, VerdictStore
from vaserl.judge.verdict import EvaluationVerdict, TrainingVerdict

CARD = JudgeCard(name="j", family="f", role="evaluation", sha256="0")
BINDING = StoreBinding.of(CARD, "montage", 56)


@pytest.fixture
def pair(tmp_path: Path) -> MeshPair:
    for name in ("photo.png", "a.glb", "b.glb"):
        (tmp_path / name).write_text(name)
    return MeshPair(id="x/y/o", photo=tmp_path / "photo.png", a=tmp_path / "a.glb", b=tmp_path / "b.glb")


def _replies(ab: str = "1", ba: str = "2"):
    return {"ab": Reply(text=ab, probability=0.75), "ba": Reply(text=ba, probability=None)}


def test_store_gives_back_what_was_added(tmp_path: Path, pair: MeshPair):
    store = VerdictStore(tmp_path / "s", BINDING)
    assert not store.is_settled(pair, PairHashes.of(pair))
    store.add(pair, PairHashes.of(pair), _replies())
    again = VerdictStore(tmp_path / "s", BINDING)
    assert again.is_settled(pair, PairHashes.of(pair))
    assert again.texts(pair.id) == {"ab": "1", "ba": "2"}
    verdict = again.verdicts([pair])[pair.id]
    assert type(verdict) is EvaluationVerdict and verdict.winner == "a" and verdict.confidence is None


def test_store_of_a_training_judge_gives_training_verdicts(tmp_path: Path, pair: MeshPair):
    store = VerdictStore(tmp_path / "s", StoreBinding.of(replace(CARD, role="training"), "montage", 56))
    store.add(pair, PairHashes.of(pair), _replies())
    assert type(store.verdicts([pair])[pair.id]) is TrainingVerdict


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (replace(BINDING, judge=replace(CARD, sha256="1")), "judge sha256"),
        (replace(BINDING, judge=replace(CARD, role="training")), "judge role"),
        (replace(BINDING, prompt_sha256="1"), "prompt_sha256"),
        (StoreBinding.of(CARD, "montage", 84), "render_sha256"),
        (StoreBinding.of(CARD, "panel", 56), "mode and prompt_sha256 and render_sha256"),
    ],
)
def test_store_refuses_to_mix(tmp_path: Path, other: StoreBinding, named: str):
    VerdictStore(tmp_path / "s", BINDING)
    with pytest.raises(UserError, match=rf"binding\.json: verdicts with another {named} don't mix"):
        VerdictStore(tmp_path / "s", other)


def test_store_refuses_a_mesh_that_has_changed(tmp_path: Path, pair: MeshPair):
    store = VerdictStore(tmp_path / "s", BINDING)
    store.add(pair, PairHashes.of(pair), _replies())
    pair.b.write_text("another mesh")
    with pytest.raises(UserError, match=r"pair 'x/y/o' was judged with another content of .*b\.glb"):
        store.is_settled(pair, PairHashes.of(pair))


def test_store_asks_again_after_a_kill_within_a_pair(tmp_path: Path, pair: MeshPair):
    store = VerdictStore(tmp_path / "s", BINDING)
    store.add(pair, PairHashes.of(pair), _replies())
    file = tmp_path / "s" / "replies.jsonl"
    content = file.read_bytes()
    for cut in (len(content) - 5, content.index(b"\n") + 1, 3):
        file.write_bytes(content[:cut])
        torn = VerdictStore(tmp_path / "s", BINDING)
        assert not torn.is_settled(pair, PairHashes.of(pair)) and not torn.verdicts([pair])
        torn.add(pair, PairHashes.of(pair), _replies())
        assert VerdictStore(tmp_path / "s", BINDING).verdicts([pair])[pair.id].winner == "a"


def test_unusable_pair_has_a_reason_and_is_asked_again_once_its_file_changes(tmp_path: Path, pair: MeshPair):
    store = VerdictStore(tmp_path / "s", BINDING)
    store.add_unusable(pair, PairHashes.of(pair), "a.glb: no triangles")
    again = VerdictStore(tmp_path / "s", BINDING)
    assert again.unusable([pair]) == {pair.id: "a.glb: no triangles"} and not again.verdicts([pair])
    assert again.is_settled(pair, PairHashes.of(pair))
    pair.a.write_text("a better file")
    assert not again.is_settled(pair, PairHashes.of(pair))
    again.add(pair, PairHashes.of(pair), _replies())
    assert again.unusable([pair]) == {}
