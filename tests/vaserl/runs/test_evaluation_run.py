"""Tests the folder of an evaluation run."""

import json
from pathlib import Path

import pytest

from vaserl.errors import UserError
from vaserl.runs.evaluation_run import EvaluatedVase, EvaluationRun
from vaserl.types import Score

ROW = {
    "id": "v1",
    "record": {"Fabric": "ATHENIAN"},
    "reference": "Athenian.",
    "captions": {"sft": "Corinthian.", "rl": "Athenian."},
    "scores": {"sft": {"total": 0.0, "parts": {"fabric": 0.0}}, "rl": {"total": 1.0, "parts": {"fabric": 1.0}}},
}


def test_evaluation_run_reads_what_it_wrote(tmp_path: Path):
    vase = EvaluatedVase(
        id="v1",
        record={"Fabric": "ATHENIAN"},
        reference="Athenian.",
        captions={"sft": "Ångström", "rl": "Athenian."},
        scores={"sft": Score(total=0.0, parts={}), "rl": Score(total=1.0, parts={"fabric": 1.0})},
        values={"truth": {"fabric": "ATHENIAN"}, "sft": {"fabric": None}},
        clip="c",
    )
    run = EvaluationRun(tmp_path)
    run.write({"num_vases": 1}, [vase], {"md": "| metric |\n", "csv": "system\n"})
    assert run.table_file.read_text() == "| metric |\n"
    assert (tmp_path / "evaluation.csv").read_text() == "system\n"
    assert run.summary == {"num_vases": 1}
    assert run.captions == [vase]
    assert list(json.loads(run.captions_file.read_text())) == [*ROW, "values", "clip"]


def test_evaluation_run_reads_rows_without_values_and_clip(tmp_path: Path):
    run = EvaluationRun(tmp_path)
    run.captions_file.write_text(json.dumps(ROW) + "\n")
    (vase,) = run.captions
    assert (vase.values, vase.clip) == ({}, "")
    assert vase.scores["rl"] == Score(total=1.0, parts={"fabric": 1.0})


def test_evaluation_run_names_the_row_that_it_can_not_read(tmp_path: Path):
    run = EvaluationRun(tmp_path)
    with pytest.raises(UserError, match=r"evaluation\.json can't be read"):
        _ = run.summary
    run.captions_file.write_text(f'{json.dumps(ROW)}\n{{"id": "v2", "scores": {{"rl": {{"points": 3}}}}}}\n')
    with pytest.raises(UserError, match=r"captions\.jsonl, row 2 was written by another version"):
        _ = run.captions
