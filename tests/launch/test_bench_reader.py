"""Tests the bench of the parser on labelled texts: shares, words that count as the same, and rows that are refused."""

import argparse
import json
from pathlib import Path

import pytest

from launch.bench import reader
from launch.bench.labelled_texts import read_labelled_texts
from vaserl.errors import UserError
from vaserl.rewards.vase import parse_caption

LABELS = {
    "fabric": ["athenian"],
    "technique": ["red_figure"],
    "shape": ["cup"],
    "dating": [[-490, -470]],
    "attribution": [{"name": "Brygos Painter"}],
    "decoration": ["satyr", "run"],
    "ornament": ["palmette"],
}
RIGHT = "Attic red-figure cup, 490–470 BC, a running satyr between palmettes, by the Brygos Painter"


def measured(tmp_path: Path, rows: list[dict]) -> dict:
    file = tmp_path / "texts.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return reader.run(argparse.Namespace(files=[file], by="register", misread=True))


def test_run_counts_right_dimensions_and_leaves_out_other_languages(tmp_path: Path):
    rows = [
        {"id": "a", "register": "museum", "text": RIGHT, "labels": LABELS},
        {"id": "b", "register": "vlm", "text": RIGHT.replace("Attic", "Apulian"), "labels": LABELS},
        {"id": "c", "register": "vlm", "text": "Attisch-rotfigurige Schale, Maler", "labels": LABELS},
    ]
    found = measured(tmp_path, rows)
    everything = found["groups"]["all"]
    assert (everything["num_texts"], everything["num_unread"]) == (2, 1)
    counts = {name: share["count"] for name, share in everything["right"].items()}
    assert counts == {
        **dict.fromkeys(("technique", "shape", "dating", "attribution", "decoration"), 2),
        **dict.fromkeys(("fabric", "five", "six"), 1),
    }
    assert found["groups"]["register museum"]["right"]["six"]["share"] == 1
    assert found["unread"] == [{"id": "c", "language": "de"}]
    assert found["misread"] == [{"id": "b", "wrong": ["fabric"]}]
    assert "b: fabric" in reader.words(found)


def test_word_f1_by_hand():
    # "satyr" and "running" are labelled, "lion" is not: precision 2/3, recall 2/2
    assert reader.word_f1(["satyr", "running", "lion"], ["satyr", "run"]) == pytest.approx(2 * (2 / 3) / (2 / 3 + 1))
    assert reader.word_f1(["satyr", "palmette"], ["satyr"], ["palmettes"]) == 1
    assert reader.word_f1([], []) == 1
    assert reader.word_f1(["satyr"], []) == reader.word_f1([], ["satyr"]) == 0
    # "scene" is no word of a record's decoration
    assert reader.word_f1(["satyr"], ["satyr", "scene"]) == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "texts.jsonl:1: not JSON"),
        ('{"text": "a"}', "expected an object with `text` and `labels`"),
        ("", "no rows"),
    ],
)
def test_read_labelled_texts_refuses_lines_that_are_no_labelled_text(tmp_path: Path, line: str, words: str):
    file = tmp_path / "texts.jsonl"
    file.write_text(line)
    with pytest.raises(UserError, match=words):
        read_labelled_texts(file, {"text": str, "labels": dict})
    with pytest.raises(UserError, match="No such file"):
        read_labelled_texts(tmp_path / "absent.jsonl", {"text": str, "labels": dict})


def test_judge_takes_further_sets_of_values_and_a_year_at_the_ends_of_a_date():
    labels = {
        "fabric": ["apulian", "gnathian"],
        "technique": ["black_glaze"],
        "shape": ["oinochoe"],
        "dating": [[-500, -400]],
        "attribution": [{"name": "Lydos"}],
        "decoration": [],
        "also": {"fabric": [["gnathian"]], "technique": [[]], "attribution": [["Berlin Painter"]]},
    }
    right = reader.judge(parse_caption("Gnathian oinochoe, 500-401 BC, by the Berlin Painter"), labels)
    assert all(right.values())
    wrong = reader.judge(parse_caption("Apulian red-figure oinochoe, 500-390 BC, by the Pan Painter"), labels)
    assert [dimension for dimension, is_right in wrong.items() if not is_right] == [
        "fabric",
        "technique",
        "dating",
        "attribution",
    ]
