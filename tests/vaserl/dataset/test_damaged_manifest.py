"""Tests that a manifest of somebody else ends a command with its row, and leads to no file outside of the data set."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from vaserl.dataset import DataSet
from vaserl.errors import UserError


def with_column(dataset: Path, folder: Path, name: str, column: pa.Array) -> DataSet:
    """Returns a copy of the data set whose manifest has another column."""
    shutil.copytree(dataset, folder)
    table = pq.read_table(folder / "manifest.parquet")
    pq.write_table(table.set_column(table.column_names.index(name), name, column), folder / "manifest.parquet")
    return DataSet(folder)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("record", "{", "column record is not JSON"),
        ("record", "[1]", "column record holds JSON of another kind than dict"),
        ("record", '{"Fabric": 1}', "column record holds a value of another type"),
        ("scores", '{"quality": "high"}', "column scores holds a value of another type"),
        ("questions", '["x"]', "column questions holds a value of another type"),
        ("questions", '[{"question": 1}]', "column questions holds a question that is not text"),
        ("other_photos", "[null]", "column other_photos holds a value of another type"),
        ("record", "[" * 100_000, "column record is not JSON: maximum recursion depth"),
    ],
)
def test_a_value_that_no_curation_wrote_is_named(dataset: Path, tmp_path: Path, name: str, value: str, message: str):
    data = with_column(dataset, tmp_path / "a", name, pa.array([""] * 5 + [value]))
    with pytest.raises(UserError, match=rf"manifest\.parquet, row 6 is damaged: {message}"):
        list(data.rows)


def test_a_column_of_numbers_is_named(dataset: Path, tmp_path: Path):
    data = with_column(dataset, tmp_path / "a", "caption", pa.array(range(1, 7)))
    with pytest.raises(UserError, match=r"row 1 is damaged: column caption holds int, expected text"):
        list(data.rows)


@pytest.mark.parametrize("name", ["../../secret.glb", "/etc/passwd", "models/../../secret.glb"])
def test_a_model_outside_of_the_data_set_is_refused(dataset: Path, tmp_path: Path, name: str):
    data = with_column(dataset, tmp_path / "a", "mesh", pa.array([name] * 6))
    with pytest.raises(UserError, match="outside of the data set"):
        data.mesh(next(iter(data.rows)))


def test_a_clip_that_is_no_hash_is_refused(dataset: Path, tmp_path: Path):
    data = with_column(dataset, tmp_path / "a", "clip", pa.array(["../../secret"] * 6))
    with pytest.raises(UserError, match=r"vase v00: its clip '\.\./\.\./secret' is no SHA-256"):
        data.vases("train")
