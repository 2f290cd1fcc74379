"""Tests the rows of validation.jsonl: their means, and the choice of the best row."""

from pathlib import Path

import pytest

from tests.fakes.settings import train_settings
from vaserl.errors import UserError
from vaserl.runs.changes import changes_between, forbidden_changes
from vaserl.runs.run import Run
from vaserl.runs.validation_row import ValidationRow, best_validation


def row(step: int, reward: float, shape: float | None = None) -> ValidationRow:
    accuracy = shape and {"mean": shape, "low": 0.0, "high": 1.0}
    return ValidationRow(
        step=step,
        weights_version=step + 1,
        split="val",
        num_vases=4,
        num_split_vases=4,
        sample_seed=None,
        interval="95 %",
        metrics={
            "reward": {"mean": reward, "low": reward - 0.1, "high": reward + 0.1},
            "text_fid": 3.5,
            "dimensions": {"shape": {"num_targets": 4, "accuracy": accuracy}},
        },
    )


def test_validation_row_means_are_named_by_metric_and_dimension():
    assert row(1, 0.5, 0.75).means() == {
        "reward": 0.5,
        "text_fid": 3.5,
        "num_targets/shape": 4,
        "accuracy/shape": 0.75,
    }
    assert "accuracy/shape" not in row(1, 0.5).means()


def test_best_validation_is_the_earliest_of_the_highest():
    rows = [row(0, 0.5), row(10, 0.8), row(20, 0.8, 0.25), row(30, 0.7, 0.5)]
    assert best_validation(rows, "reward") == rows[1]
    assert best_validation(rows, "accuracy/shape") == rows[3]
    assert best_validation(rows, "accuracy/dating") is None
    assert best_validation([], "reward") is None


def test_run_reads_the_validations_that_it_wrote(tmp_path: Path):
    run = Run(tmp_path)
    assert run.validations == []
    for each in (row(0, 0.5), row(10, 0.8, 0.5)):
        run.write_validation(each, [{"id": "v1", "caption": "κύλιξ"}])
    assert run.validations == [row(0, 0.5), row(10, 0.8, 0.5)]
    assert "κύλιξ" in run.validation_captions_file(10).read_text()
    with pytest.raises(ValueError, match="not JSON compliant"):
        run.write_validation(row(20, float("nan")), [])
    assert len(run.validations) == 2
    run.validation_file.write_text('{"step": 1}\n')
    with pytest.raises(UserError, match=r"validation\.jsonl, row 1 was written by another version"):
        _ = run.validations


def test_forbidden_changes_of_a_continued_run_keep_its_validation_vases():
    before = train_settings(validation={"every": 1})
    more = {"every": 2, "metric": "lexical_strict", "stop_after": 3, "min_gain": 0.01}
    after = train_settings(validation={**more, "max_vases": 8, "split": "dev"})
    changes = changes_between(before, after)
    assert {change.key for change in changes} == {f"validation.{key}" for key in (*more, "max_vases", "split")}
    forbidden = {change.key for change in forbidden_changes(changes, after)}
    assert forbidden == {"validation.max_vases", "validation.split"}
