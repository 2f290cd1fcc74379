"""The folder of an evaluation."""

from pathlib import Path

import pytest

from vaserl.errors import UserError
from vaserl.runs.evaluation_run import EvaluationRun
from vaserl.types import Score

ROW = {
    "id": "v1",
    "record": {"Fabric": "ATHENIAN"},
    "reference": "Athenian.",
    "captions": {"sft": "Corinthian.", "rl": "Athenian."},
    "scores": {"sft": {"total": 0.0, "parts": {"fabric": 0.0}}, "rl": {"total": 1.0, "parts": {"fabric": 1.0}}},
}


def test_evaluation_run_reads_what_it_wrote(tmp_path: Path):
    run = EvaluationRun(tmp_path)
    run.write({"num_vases": 1}, [{**ROW, "values": {"truth": {"fabric": "ATHENIAN"}}, "clip": "c"}])
    assert run.summary == {"num_vases": 1}
    (vase,) = run.captions
    assert (vase.id, vase.clip, vase.values["truth"]) == ("v1", "c", {"fabric": "ATHENIAN"})
    assert vase.scores["rl"] == Score(total=1.0, parts={"fabric": 1.0})


def test_evaluation_run_reads_rows_without_values_and_clip(tmp_path: Path):
    run = EvaluationRun(tmp_path)
    run.write({}, [ROW])
    (vase,) = run.captions
    assert (vase.values, vase.clip) == ({}, "")


def test_evaluation_run_names_the_row_that_it_can_not_read(tmp_path: Path):
    run = EvaluationRun(tmp_path)
    with pytest.raises(UserError, match=r"evaluation\.json can't be read"):
        _ = run.summary
    run.write({}, [ROW, {**ROW, "scores": {"rl": {"points": 3}}}])
    with pytest.raises(UserError, match=r"captions\.jsonl, row 2 was written by another version"):
        _ = run.captions
