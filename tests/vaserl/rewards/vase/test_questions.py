"""Tests the reward of answers to questions about one dimension against numbers by hand."""

import pytest

from tests.fakes.reward_cases import RECORD, completion, task
from vaserl.rewards.vase import vase_question


@pytest.mark.parametrize(
    ("dimension", "answer", "total"),
    [
        ("fabric", "The fabric of the vase is ATHENIAN.", 1.0),
        ("fabric", "Corinthian", -0.25),
        ("technique", "black-figure or red-figure", 0.5),
        ("shape", "an amphora", 0.85),
        ("dating", "c. 520–470 BCE", 45 / 55),
        ("dating", "c. 600–500 BCE", 0.0),
        ("attribution", "Antimenes Painter", 1.0),
        ("attribution", "near the Antimenes Painter", 0.8),
        ("decoration", "A warrior", 1.0),
        # 30 different words: halfway from 20 to 40.
        ("fabric", "Athenian " + " ".join(f"w{i}" for i in range(29)), 0.9),
        ("fabric", "", 0.0),
    ],
)
def test_vase_question_by_hand(dimension, answer, total):
    assert vase_question(task(RECORD, (dimension,)), completion(answer)).total == pytest.approx(total)


def test_vase_question_refuses_several_dimensions():
    with pytest.raises(ValueError, match="one dimension, got 6"):
        vase_question(task(RECORD), completion("Athenian"))


@pytest.mark.parametrize(
    "answer", ["unknown", "I don't know.", "I can't tell", "I am not sure", "unclear", "undetermined"]
)
@pytest.mark.parametrize("dimension", ["fabric", "technique", "shape", "dating", "attribution"])
def test_an_answer_that_declines_is_silence(dimension, answer):
    parts = vase_question(task(RECORD, (dimension,)), completion(answer)).parts
    assert (parts[f"stated/{dimension}"], parts[dimension]) == (0, 0)
