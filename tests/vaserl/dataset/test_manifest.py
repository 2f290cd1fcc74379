"""Tests the manifest's file: its order, its row groups, manifests of older versions, and files that are no manifest."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import make_dataset
from vaserl.dataset import ROW_SCHEMA, DataSet, Manifest, Row
from vaserl.errors import UserError


@pytest.fixture
def dataset(tmp_path: Path) -> DataSet:
    return DataSet(make_dataset(tmp_path, num_vases=4))


def test_manifest_is_read_again_and_knows_its_length(dataset: DataSet):
    rows = dataset.rows
    assert len(rows) == 4 and list(rows) == list(rows)
    first, *others = rows
    dataset.write_rows([replace(first, caption="A cup."), *others])
    assert first not in rows and replace(first, caption="A cup.") in rows


def test_manifest_is_the_same_for_the_same_rows(dataset: DataSet):
    before = dataset.rows.path.read_bytes()
    dataset.write_rows(list(dataset.rows)[::-1])
    assert dataset.rows.path.read_bytes() == before
    table = pq.read_table(dataset.rows.path)
    assert table.schema.names == ROW_SCHEMA.names and table.schema.types == [pa.string()] * len(ROW_SCHEMA)
    assert json.loads(table["record"][0].as_py())["Fabric"] == "ATHENIAN"


def test_write_makes_row_groups_of_one_length(tmp_path: Path, monkeypatch):
    monkeypatch.setattr("vaserl.dataset.manifest._ROWS_IN_GROUP", 4)
    rows = [Row(photo=f"{k:02d}", vase_id=str(k)) for k in range(11)]
    DataSet(tmp_path / "a").write_rows(reversed(rows))
    manifest = DataSet(tmp_path / "b").rows
    manifest.write(row for start in range(0, 11, 3) for row in rows[start : start + 3])
    metadata = pq.read_metadata(manifest.path)
    assert [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)] == [4, 4, 3]
    assert DataSet(tmp_path / "a").rows.path.read_bytes() == manifest.path.read_bytes()


def test_manifest_keeps_rights_and_view_which_older_ones_lack(dataset: DataSet):
    stated = {"rights": "CC0 1.0", "credit": "Museum of V.", "view": "front", "kind": "intact"}
    first, *others = dataset.rows
    dataset.write_rows([replace(first, **stated), *others])
    first, second, *_ = dataset.rows
    assert {name: getattr(first, name) for name in stated} == stated and second.rights == second.view == ""
    table = pq.read_table(dataset.rows.path)
    pq.write_table(table.drop_columns(list(stated)), dataset.rows.path)
    assert next(iter(dataset.rows)) == replace(first, **dict.fromkeys(stated, ""))
    assert len(dataset.vases("train")) == 2


def test_manifest_refuses_another_parquet_file(tmp_path: Path):
    manifest = Manifest(tmp_path / "m.parquet")
    pq.write_table(pa.table({"x": [1]}), manifest.path)
    with pytest.raises(UserError, match="lacks the columns photo"):
        list(manifest)
    manifest.path.write_bytes(b"PAR? no")
    with pytest.raises(UserError, match="is not a parquet file"):
        len(manifest)
