"""Tests the reward's parser as the evaluation's reader: a guess is judged as leniently as a caption."""

import numpy as np
import pytest

from vaserl.evaluation.evaluate import EvaluationConfig, EvaluationRow, evaluate_captions
from vaserl.evaluation.reading import reward_reader
from vaserl.rewards.vase import vase_caption
from vaserl.types import DIMENSIONS, Completion, Dimension, Score, Task

READER = reward_reader()
RECORD = {
    "Fabric": "ATHENIAN",
    "Technique": "BLACK-FIGURE",
    "Shape Name": "AMPHORA, NECK",
    "Date": "-525 to -475",
    "Decoration": "WARRIOR",
    "Attributed To": "ANTIMENES P by BEAZLEY",
}
CAPTION = "Attic black-figured neck-amphora, c. 525–475 BCE, depicting a warrior, attributed to the Antimenes Painter."


def test_reward_reader_reads_record_and_caption_alike() -> None:
    values = READER.record(RECORD)
    assert None not in values.values()
    assert READER.caption(CAPTION) == values
    assert READER.caption("") == dict.fromkeys(values)


def scored(record: dict[str, str], caption: str) -> Score:
    task = Task(id="v/caption", clip="", prompt="", dimensions=DIMENSIONS, record=record, reference=CAPTION)
    completion = Completion(text=caption, token_ids=(), logprobs=(), finish_reason="stop", weights_version=1)
    return vase_caption(task, completion)


def test_reward_reader_agrees_with_the_reward_on_dimensions() -> None:
    """Uses a vase without an attribution. The caption "sft" names two techniques and no painter, "rl" states every
    value."""
    records = [RECORD, {name: value for name, value in RECORD.items() if name != "Attributed To"}]
    hedged = "Athenian black-figure and red-figure kylix, c. 525–475 BCE, depicting a warrior."
    rows = [
        EvaluationRow(
            id=str(n),
            record=record,
            reference=CAPTION,
            captions={"sft": hedged, "rl": CAPTION},
            scores={"sft": scored(record, hedged), "rl": scored(record, CAPTION)},
        )
        for n, record in enumerate(records)
    ]
    config = EvaluationConfig(num_resamples=50)
    found = evaluate_captions(rows, [RECORD] * 3, READER, lambda texts: np.eye(4)[[len(t) % 4 for t in texts]], config)
    sft, rl = (found.summary["systems"][system]["dimensions"] for system in ("sft", "rl"))
    assert {name: rl[name]["accuracy"]["mean"] for name in DIMENSIONS} == dict.fromkeys(DIMENSIONS, 1.0)
    assert [rl[name]["num_targets"] for name in DIMENSIONS] == [2, 2, 2, 2, 2, 1]
    assert rl["attribution"]["invented"]["mean"] == 1.0 and sft["attribution"]["invented"]["mean"] == 0.0
    expected = {"fabric": 1, "technique": 0, "shape": 0, "dating": 1, "decoration": 1, "attribution": 0}
    assert {name: sft[name]["accuracy"]["mean"] for name in DIMENSIONS} == expected
    assert sft["technique"]["stated"]["mean"] == 1.0 and sft["attribution"]["num_stated"] == 0


@pytest.mark.parametrize(
    ("dimension", "guess", "truth", "expected"),
    [
        ("shape", "amphora", "amphora/neck", True),  # same family, one without a subtype: .85
        ("shape", "amphora/belly", "amphora/neck", False),  # .5
        ("shape", "kylix", "pelike", False),
        ("dating", "-525 to -475", "-520 to -475", True),  # 45 of 50 years: .9
        ("dating", "-525 to -500", "-525 to -475", False),  # 25 of 50 years: .5
        ("dating", "-525 to -475 | -300 to -200", "-525 to -475", False),
        ("decoration", "warrior | horse | dog", "warrior | horse", True),  # F1 = 2 (2/3 · 1) / (2/3 + 1) = .8
        ("decoration", "warrior | dog", "warrior | horse", False),  # F1 = .5
        ("fabric", "athenian", "corinthian", False),
        ("attribution", "antimenes", "antimenes", True),
    ],
)
def test_reward_reader_same_starts_at_the_rewards_threshold(
    dimension: Dimension, guess: str, truth: str, expected: bool
) -> None:
    assert READER.same(dimension, guess, truth) is expected
