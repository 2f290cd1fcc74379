"""The studies' own parts; their runs are jobs that have tests."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from launch.study import _share_of, _write_constant_dataset, main
from vaserl.dataset.dataset import read_vases
from vaserl.report.study import constant_answer_figure, per_dimension_figure
from vaserl.types import DIMENSIONS


def test_every_training_vase_gets_the_one_caption(dataset: Path, tmp_path: Path):
    _write_constant_dataset(dataset, tmp_path / "constant", "Always this.")
    assert {vase.caption for vase in read_vases(tmp_path / "constant", "train")} == {"Always this."}
    held_out = read_vases(tmp_path / "constant", "test")
    assert [vase.caption for vase in held_out] == [vase.caption for vase in read_vases(dataset, "test")]


def test_the_share_of_samples_that_are_the_answer(tmp_path: Path):
    table = pa.Table.from_pylist([{"completion": text} for text in ("this ", "this", "that", "")])
    pq.write_table(table, tmp_path / "step=00003.parquet")
    assert _share_of("this", tmp_path, 3) == 0.5


def test_a_folder_without_a_quick_start_is_refused(tmp_path: Path, capsys):
    assert main(["per-dimension", str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "holds no finished quick start" in capsys.readouterr().err


@pytest.mark.parametrize("num_steps", [1, 12])
def test_the_figures_say_their_numbers(num_steps: int):
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
