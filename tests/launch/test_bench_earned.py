"""Tests the bench of what labelled texts earn: records from labels, means by group, and rows that are left out."""

import argparse
import json
from pathlib import Path

import pytest

from launch.bench import earned
from vaserl.errors import UserError
from vaserl.rewards.vase import reference_caption

LABELS = {
    "fabric": ["athenian"],
    "technique": ["red_figure"],
    "shape": ["cup"],
    "dating": [[-490, -470]],
    "attribution": [{"name": "Brygos Painter", "qualifier": "near", "role": "painter"}],
    "decoration": ["satyr", "maenad"],
}
RECORD = {
    "Fabric": "ATHENIAN",
    "Technique": "RED-FIGURE",
    "Shape Name": "CUP",
    "Date": "-490 to -470",
    "Attributed To": "near Brygos Painter",
    "Decoration": "satyr, maenad",
}
NONE = {dimension: [] for dimension in LABELS}


def written(tmp_path: Path, rows: list[dict]) -> argparse.Namespace:
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return argparse.Namespace(files=[file], by="kind")


def test_record_of_labels_by_hand():
    assert earned.record_of(LABELS) == RECORD
    assert earned.record_of(NONE) == {}


def test_run_scores_texts_beside_their_references(tmp_path: Path):
    rows = [
        {"id": "a", "kind": "label", "text": reference_caption(RECORD), "labels": LABELS},
        {"id": "b", "kind": "other", "text": "An Apulian vase and nothing more.", "labels": LABELS},
        {"id": "c", "kind": "other", "labels": LABELS},
        {"id": "d", "kind": "other", "text": "A vase.", "labels": NONE},
        {
            "id": "e",
            "kind": "other",
            "text": "Attisch-rotfigurige Schale mit einem Satyr und einer Mänade, von der Hand des Malers.",
            "labels": LABELS,
        },
    ]
    found = earned.run(written(tmp_path, rows))
    assert found["groups"]["kind label"]["text"]["mean"] == pytest.approx(1.1)
    assert found["groups"]["all"]["num_texts"] == 2
    assert found["groups"]["all"]["reference"] == pytest.approx(1.1)
    assert found["groups"]["kind other"]["parts"]["fabric"] == -0.25
    assert [found[f"num_{name}"] for name in ("without_text", "without_labels", "unread")] == [1, 1, 1]
    printed = earned.words(found)
    assert "kind label: 1 texts earn 1.100" in printed and "1 without text, 1 without labels, 1 unread" in printed


def test_run_refuses_unusable_files(tmp_path: Path):
    with pytest.raises(UserError, match=r"texts.jsonl:1: expected an object with `labels`"):
        earned.run(written(tmp_path, [{"text": "a cup"}]))
    with pytest.raises(UserError, match="no row has a text"):
        earned.run(written(tmp_path, [{"labels": LABELS}]))
