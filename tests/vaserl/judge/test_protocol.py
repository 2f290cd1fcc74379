"""Tests of the protocol: orders, parsing, verdicts, and the separation of training and evaluation judges."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakes.planted_judges import PlantedJudge, biased, mesh_pairs, verdicts_of
from vaserl.errors import UserError
from vaserl.judge.judge import JudgeCard, check_families
from vaserl.judge.mode import MODES
from vaserl.judge.pair import MeshPair, Order, side_shown
from vaserl.judge.preferences import mesh_preferences
from vaserl.judge.reply import Reply, parse_reply
from vaserl.judge.verdict import EvaluationVerdict, TrainingVerdict, verdict_of

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("text", "expected"), [("1", 1), ("2", 2), (" 2\n", 2), ("1\n", 1)])
def test_parse_reply_reads_the_digit(text: str, expected: int):
    assert parse_reply(text) == expected


@pytest.mark.parametrize("text", ["", "3", "12", "1.", "Answer: 1", "1\n2", "the first", "1 or 2", "١", "²", "tie"])
def test_parse_reply_reads_nothing_else(text: str):
    assert parse_reply(text) is None


@pytest.mark.parametrize(
    ("order", "position", "side"), [("ab", 1, "a"), ("ab", 2, "b"), ("ba", 1, "b"), ("ba", 2, "a")]
)
def test_side_shown_is_that_of_the_pairs_meshes(order: Order, position, side):
    pair = MeshPair(id="p", photo=Path("p"), a=Path("a"), b=Path("b"))
    assert side_shown(order, position) == side
    assert pair.shown(order)[position - 1] == getattr(pair, side)


@pytest.mark.parametrize(
    ("ab", "ba", "winner", "is_flip", "is_parsed"),
    [
        ("1", "2", "a", False, True),  # image 1 of ab and image 2 of ba are both mesh a
        ("2", "1", "b", False, True),
        ("1", "1", None, True, True),  # the first image, whichever mesh it is
        ("2", "2", None, True, True),
        ("1", "?", None, False, False),
        ("?", "?", None, False, False),
    ],
)
def test_verdict_of_both_orders(ab: str, ba: str, winner, is_flip: bool, is_parsed: bool):
    replies: dict[Order, Reply] = {
        "ab": Reply(text=ab, probability=0.9),
        "ba": Reply(text=ba, probability=0.7),
    }
    verdict = verdict_of("evaluation", "p", replies)
    assert (verdict.winner, verdict.is_flip, verdict.is_parsed) == (winner, is_flip, is_parsed)
    assert verdict.confidence == (pytest.approx(0.8) if winner else None)


def test_verdict_of_one_order_is_refused():
    with pytest.raises(ValueError, match="both orders, got \\['ab'\\]"):
        verdict_of("evaluation", "p", {"ab": Reply(text="1", probability=None)})


def test_roles_give_different_types():
    pairs = mesh_pairs(1)
    assert type(verdicts_of(biased(), pairs, "training")["p00000"]) is TrainingVerdict
    assert type(verdicts_of(biased(), pairs, "evaluation")["p00000"]) is EvaluationVerdict


def test_preferences_are_the_training_verdicts_with_a_winner():
    pairs = mesh_pairs(4)
    said = {"p00000": "a", "p00001": "b", "p00002": "1", "p00003": "?"}
    verdicts = verdicts_of(PlantedJudge(said.__getitem__), pairs, "training")
    found = mesh_preferences(
        [verdict for verdict in verdicts.values() if isinstance(verdict, TrainingVerdict)], {p.id: p for p in pairs}
    )
    assert [(p.pair_id, p.chosen.name, p.rejected.name) for p in found] == [
        ("p00000", "a.glb", "b.glb"),
        ("p00001", "b.glb", "a.glb"),
    ]


def test_preferences_refuse_an_evaluation_verdict_at_run_time():
    pairs = mesh_pairs(1)
    verdicts = verdicts_of(PlantedJudge(lambda _: "a"), pairs, "evaluation")
    with pytest.raises(UserError, match="EvaluationVerdict can't become training data"):
        mesh_preferences(list(verdicts.values()), {p.id: p for p in pairs})  # pyright: ignore[reportArgumentType]


def test_preferences_refuse_an_evaluation_verdict_by_type(tmp_path: Path):
    """pyright accepts the call with training verdicts, and refuses the same call with evaluation verdicts."""
    script = tmp_path / "mixed.py"
    call = "mesh_preferences([{}(pair_id='p', ab='a', ba='a', confidence=None)], {{}})\n"
    script.write_text(
        "from vaserl.judge.preferences import mesh_preferences\n"
        "from vaserl.judge.verdict import EvaluationVerdict, TrainingVerdict\n"
        + call.format("TrainingVerdict")
        + call.format("EvaluationVerdict")
    )
    config = tmp_path / "pyrightconfig.json"
    config.write_text(f'{{"extraPaths": ["{ROOT}"], "include": ["mixed.py"]}}')
    command = [sys.executable, "-m", "pyright", "--project", str(config), "--pythonpath", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300)
    errors = [line for line in done.stdout.splitlines() if " - error: " in line]
    assert len(errors) == 1 and "mixed.py:4:" in errors[0] and "EvaluationVerdict" in done.stdout, done.stdout


def _card(name: str, family: str, role) -> JudgeCard:
    return JudgeCard(name=name, family=family, role=role, sha256="0")


def test_judges_of_both_roles_have_different_families():
    check_families(_card("x", "qwen2.5-vl", "training"), _card("y", "internvl", "evaluation"))
    with pytest.raises(UserError, match=r"are both of the family 'Qwen2\.5-VL'"):
        check_families(_card("x", "Qwen2.5-VL", "training"), _card("y", "qwen2.5-vl", "evaluation"))
    with pytest.raises(UserError, match="'x' has the role 'evaluation'; expected the training judge"):
        check_families(_card("x", "a", "evaluation"), _card("y", "b", "evaluation"))


def test_modes_have_prompts_and_only_the_protocol_has_no_failure():
    assert [name for name, card in MODES.items() if not card.failure] == ["montage"]
    assert MODES["montage"].num_images == 2
    assert len({card.prompt_sha256 for card in MODES.values()}) == len(MODES)
    for card in MODES.values():
        assert "Answer with one digit and nothing else: 1 if" in card.prompt
