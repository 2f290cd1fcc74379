"""Tests the whole evaluation on a few vases, against numbers by hand."""

import json
import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from vaserl.errors import UserError
from vaserl.evaluation.dimensions import Values
from vaserl.evaluation.evaluate import EvaluationConfig, EvaluationRow, Reader, evaluate_captions
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Score

FABRICS, SHAPES = ("Athenian", "Corinthian"), ("kylix", "lekythos", "pelike")


def bag_of_words(texts: Sequence[str]) -> np.ndarray:
    """A text encoder without a model: hashed word counts and a constant, so that no vector is zero."""
    vectors = np.zeros((len(texts), 64))
    vectors[:, 0] = 0.1
    for row, text in zip(vectors, texts, strict=True):
        for word in text.lower().split():
            row[1 + zlib.crc32(word.encode()) % 63] += 1
    return vectors


def read_record(record) -> Values:
    return {dimension: record.get(field) for dimension, field in FIELD_OF_DIMENSION.items()}


def read_caption(caption: str) -> Values:
    values = caption.split()
    return {
        "fabric": next((word for word in values if word in FABRICS), None),
        "shape": next((word for word in values if word in SHAPES), None),
    }


READER = Reader(record=read_record, caption=read_caption)
CONFIG = EvaluationConfig(num_resamples=500)


def scored(record, caption: str) -> Score:
    stated, true = read_caption(caption), read_record(record)
    parts = {name: float(stated.get(name) == true[name]) for name in DIMENSIONS if true[name] is not None}
    return Score(total=sum(parts.values()) / 2, parts=parts)


def world(num_vases: int = 12) -> list[EvaluationRow]:
    """Returns rows in which RL is always right, and SFT never names the fabric and always says kylix."""
    rows = []
    for n in range(num_vases):
        record = {"Fabric": FABRICS[n % 2], "Shape Name": SHAPES[n % 3]}
        captions = {"sft": f"a kylix number {n}", "rl": f"{record['Fabric']} {record['Shape Name']} number {n}"}
        rows.append(
            EvaluationRow(
                id=f"v{n}",
                record=record,
                reference=captions["rl"],
                captions=captions,
                scores={system: scored(record, caption) for system, caption in captions.items()},
                clip="c" * 64,
            )
        )
    return rows


TRAIN = [{"Fabric": FABRICS[n % 2], "Shape Name": SHAPES[n % 3]} for n in range(60)]


def test_evaluate_captions_in_a_known_world() -> None:
    result = evaluate_captions(world(), TRAIN, READER, bag_of_words, CONFIG)
    sft, rl = (result.summary["systems"][system] for system in ("sft", "rl"))
    difference = result.summary["differences"]["rl"]
    assert (result.summary["baseline"], list(result.summary["differences"])) == ("sft", ["rl"])
    assert rl["reward"]["mean"] == 1.0
    assert sft["reward"]["mean"] == pytest.approx(1 / 6)  # half a point on the third of vases that are kylikes
    assert difference["reward"]["mean"] == pytest.approx(5 / 6)
    assert difference["reward"]["low"] > 0
    assert rl["lexical_paper"]["mean"] == 1.0
    assert rl["recall_at_1_paper"]["mean"] == 1.0
    assert rl["text_cosine"]["mean"] == pytest.approx(1.0)
    assert rl["text_fid"] == pytest.approx(0.0, abs=1e-3)
    assert rl["overall_paper"]["mean"] == pytest.approx(1.0)
    assert sft["text_fid"] > 0.1

    fabric, shape = sft["dimensions"]["fabric"], sft["dimensions"]["shape"]
    assert (fabric["num_targets"], fabric["num_stated"], fabric["accuracy_when_stated"]) == (12, 0, None)
    assert shape["accuracy"]["mean"] == pytest.approx(1 / 3)
    assert difference["dimensions"]["fabric"]["stated"]["mean"] == 1.0
    assert sft["dimensions"]["dating"]["num_targets"] == 0 and sft["dimensions"]["dating"]["accuracy"] is None

    # Fabric and shape cycle with periods 2 and 3, so neither predicts the other: a guess gets its base rate.
    baselines = result.summary["baselines"]
    assert baselines["fabric"]["majority"]["mean"] == pytest.approx(1 / 2)
    assert baselines["shape"]["guess_from_others"]["mean"] == pytest.approx(1 / 3)
    assert baselines["dating"] == {"majority_value": None, "majority": None, "guess_from_others": None}


def test_evaluate_captions_counts_captions_in_other_languages() -> None:
    rows = world()
    unread = [
        replace(row, scores={s: _with_unread(score, s == "sft") for s, score in row.scores.items()}) for row in rows
    ]
    result = evaluate_captions(unread, TRAIN, READER, bag_of_words, CONFIG)
    assert (*(result.summary["systems"][system]["unread"]["mean"] for system in ("sft", "rl")),) == (1, 0)
    assert result.summary["differences"]["rl"]["unread"]["mean"] == -1
    assert "unread" not in evaluate_captions(rows, TRAIN, READER, bag_of_words, CONFIG).summary["systems"]["sft"]


def _with_unread(score: Score, unread: bool) -> Score:
    return replace(score, parts={**score.parts, "unread": float(unread)})


def test_evaluate_captions_result_is_json_and_keeps_read_values() -> None:
    result = evaluate_captions(world(), TRAIN, READER, bag_of_words, CONFIG)
    assert json.loads(json.dumps(result.summary)) == result.summary
    vase = result.vases[1]
    assert vase.id == "v1" and vase.clip == "c" * 64
    assert vase.values["truth"]["fabric"] == "Corinthian"
    assert vase.values["sft"] == {"fabric": None, "shape": "kylix"}
    assert vase.scores["rl"].total == 1.0


def test_evaluate_captions_overall_is_the_published_formula_over_the_means() -> None:
    sft = evaluate_captions(world(), TRAIN, READER, bag_of_words, CONFIG).summary["systems"]["sft"]
    mean = {name: value["mean"] for name, value in sft.items() if isinstance(value, dict) and "mean" in value}
    expected = (
        0.25 * mean["text_cosine"]
        + 0.25 * mean["text_cosine"]
        + 0.20 * mean["recall_at_10_paper"]
        + 0.15 * mean["lexical_paper"]
        + 0.10 * mean["recall_at_5_paper"]
        + 0.05 * mean["recall_at_1_paper"]
    )
    assert mean["overall_paper"] == pytest.approx(expected)


def test_evaluate_captions_compares_with_the_stated_baseline() -> None:
    result = evaluate_captions(world(), TRAIN, READER, bag_of_words, replace(CONFIG, baseline="rl"))
    assert result.summary["differences"]["sft"]["reward"]["mean"] == pytest.approx(-5 / 6)
    assert result.summary["differences"]["sft"]["reward"]["verdict"] == "worse"
    with pytest.raises(UserError, match="baseline = 'base' is none of the systems: sft, rl"):
        evaluate_captions(world(), TRAIN, READER, bag_of_words, replace(CONFIG, baseline="base"))


def test_evaluate_captions_counts_failures_as_failures() -> None:
    rows = []
    for n, row in enumerate(world()):
        nothing = Score(total=0.0, parts=dict.fromkeys(row.scores["rl"].parts, 0.0))
        caption, score = (row.captions["rl"], row.scores["rl"]) if n % 2 else (" ", nothing)
        rows.append(replace(row, captions={**row.captions, "half": caption}, scores={**row.scores, "half": score}))
    summary = evaluate_captions(rows, TRAIN, READER, bag_of_words, CONFIG).summary
    half = summary["systems"]["half"]
    assert half["failed"]["mean"] == 0.5 and half["failed"]["num_values"] == 12
    for name in ("reward", "text_cosine", "lexical_strict", "recall_at_1_paper", "recall_at_1_strict", "overall_paper"):
        assert half[name]["mean"] == pytest.approx(0.5), name
    assert half["text_fid"] > summary["systems"]["rl"]["text_fid"], "a failure is no perfect distance"
    fabric = half["dimensions"]["fabric"]
    assert (fabric["accuracy"]["mean"], fabric["accuracy_when_stated"]["mean"], fabric["stated"]["mean"]) == (
        0.5,
        1,
        0.5,
    )


def test_evaluate_captions_dimensions_are_tested_as_a_family() -> None:
    dimensions = evaluate_captions(world(), TRAIN, READER, bag_of_words, CONFIG).summary["differences"]["rl"][
        "dimensions"
    ]
    fabric, shape = dimensions["fabric"]["accuracy"], dimensions["shape"]["accuracy"]
    # RL alone is right on all 12 fabrics, and on the 8 shapes that are no kylix: 2 / 2^12 and 2 / 2^8
    assert (fabric["p"], shape["p"]) == (2 / 2**12, 2 / 2**8)
    assert (fabric["p_holm"], shape["p_holm"]) == (4 / 2**12, 2 / 2**8)
    assert (fabric["wins"], fabric["ties"], fabric["losses"], fabric["verdict"]) == (12, 0, 0, "better")
    assert dimensions["dating"]["accuracy"] is None


def test_evaluate_captions_depends_on_the_seed_only() -> None:
    first, second = (evaluate_captions(world(), TRAIN, READER, bag_of_words, CONFIG) for _ in range(2))
    assert first.summary == second.summary


def test_evaluate_captions_names_unusable_rows() -> None:
    rows = world(4)
    with pytest.raises(UserError, match="two rows have the id 'v0'"):
        evaluate_captions([rows[0], rows[0]], TRAIN, READER, bag_of_words, CONFIG)
    with pytest.raises(UserError, match="at least two held-out vases, got 0"):
        evaluate_captions([], TRAIN, READER, bag_of_words, CONFIG)
    half = replace(rows[1], captions={"sft": "a kylix"})
    with pytest.raises(UserError, match="v1 has no caption or no score of 'rl'"):
        evaluate_captions([rows[0], half], TRAIN, READER, bag_of_words, CONFIG)
