"""Tests the parts that only the studies use; the jobs that they start have tests of their own."""

from pathlib import Path

import pytest

from launch.study import _share_of, _write_constant_dataset, main
from tests.fakes.scored_groups import scored_group
from vaserl.dataset import DataSet
from vaserl.report.study import constant_answer_figure, per_dimension_figure
from vaserl.runs.rows import rollout_rows
from vaserl.types import DIMENSIONS


def test_constant_dataset_gives_every_training_vase_the_one_caption(dataset: Path, tmp_path: Path):
    _write_constant_dataset(DataSet(dataset), DataSet(tmp_path / "constant"), "Always this.")
    assert {vase.caption for vase in DataSet(tmp_path / "constant").vases("train")} == {"Always this."}
    held_out = DataSet(tmp_path / "constant").vases("test")
    assert [vase.caption for vase in held_out] == [vase.caption for vase in DataSet(dataset).vases("test")]


def test_share_of_counts_the_samples_that_are_the_answer():
    scored = scored_group("v1", ["this ", "this", "that", ""], [0.0] * 4)
    assert _share_of("this", list(rollout_rows(3, [scored], [[0.0] * 4]))) == 0.5


def test_main_refuses_a_folder_without_a_quick_start(tmp_path: Path, capsys):
    assert main(["per-dimension", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "holds no finished quick start" in capsys.readouterr().err


@pytest.mark.parametrize("num_steps", [1, 12])
def test_figures_show_their_numbers(num_steps: int):
    steps = [
        {"step": n + 1, "reward/mean": 0.4, "constant": 0.3, "share_constant": 0.5}
        | {f"reward/{dimension}": 0.5 for dimension in DIMENSIONS}
        for n in range(num_steps)
    ]
    windows = {dimension: {"first": 0.12, "last": 0.34} for dimension in DIMENSIONS}
    held_out = {"dimensions": {dimension: {"before": 0.1, "after": 0.2} for dimension in DIMENSIONS}}
    found = {"steps": steps, "windows": windows, "held_out": held_out}
    assert b"constant answer, same tasks" in constant_answer_figure(found)
    figure = per_dimension_figure(found)
    assert all(f"{dimension}  0.12 → 0.34".encode() in figure for dimension in DIMENSIONS)
