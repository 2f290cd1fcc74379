"""The manifest: what it keeps, and what it says of a data set that can't be used."""

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import make_dataset
from vaserl.dataset import MANIFEST, ROW_SCHEMA, DataSet, Row
from vaserl.errors import UserError
from vaserl.types import DIMENSIONS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_dataset(tmp_path, num_vases=4)


def edit(folder: Path, index: int, **changes) -> None:
    rows = list(DataSet(folder).rows)
    rows[index] = replace(rows[index], **changes)
    DataSet(folder).write_rows(rows)


def test_vases_come_back_as_they_went_in(folder: Path):
    train, test = DataSet(folder).vases("train"), DataSet(folder).vases("test")
    assert [vase.id for vase in train + test] == ["v00", "v01", "v02", "v03"]
    task = train[1].caption_task()
    assert (task.id, task.prompt, task.dimensions) == ("v01/caption", "Describe the vase.", DIMENSIONS)
    assert task.record["Shape Name"] == "LEKYTHOS"
    assert train[0].questions[0].answer == "Athenian"
    assert (folder / "clips" / f"{task.clip}.mp4").is_file()


def test_rejected_rows_stay_in_the_manifest_and_out_of_training(folder: Path):
    edit(folder, 0, rejected_by="quality", reason="blurred", split="")
    assert len(list(DataSet(folder).rows)) == 4
    assert [vase.id for vase in DataSet(folder).vases("train")] == ["v01"]


def test_an_empty_data_set_is_said(folder: Path, tmp_path: Path):
    with pytest.raises(UserError, match=r"no vase in split 'val' \(splits there: test, train\)"):
        DataSet(folder).vases("val")
    for index in range(4):
        edit(folder, index, rejected_by="intact", reason="a sherd")
    with pytest.raises(UserError, match="every photograph was rejected"):
        DataSet(folder).vases("train")
    with pytest.raises(UserError, match=r"has no manifest\.parquet.*launch\.curate"):
        DataSet(tmp_path / "nothing").vases("train")


def test_a_record_without_a_dimension_names_the_vase(folder: Path):
    edit(folder, 1, record={"Vase Number": "7", "Provenance": "NOLA"})
    with pytest.raises(UserError, match=r"vase v01 \(photographs/v01_1\.png\) has a record without a single dimension"):
        DataSet(folder).vases("train")


def test_a_missing_clip_names_vase_and_file(folder: Path):
    clip = DataSet(folder).vases("train")[0].clip
    (folder / "clips" / f"{clip}.mp4").unlink()
    with pytest.raises(UserError, match=rf"vase v00: its clip clips/{clip}\.mp4 is missing"):
        DataSet(folder).vases("train")


def test_another_parquet_file_is_refused(folder: Path):
    pq.write_table(pa.table({"x": [1]}), folder / MANIFEST)
    with pytest.raises(UserError, match="lacks the columns photo"):
        list(DataSet(folder).rows)
    (folder / MANIFEST).write_bytes(b"PAR? no")
    with pytest.raises(UserError, match="is not a parquet file"):
        list(DataSet(folder).rows)


def test_the_manifest_is_sorted_and_the_same_for_the_same_rows(folder: Path, tmp_path: Path):
    rows = list(DataSet(folder).rows)
    first = (folder / MANIFEST).read_bytes()
    DataSet(folder).write_rows(rows[::-1])
    assert (folder / MANIFEST).read_bytes() == first
    table = pq.read_table(folder / MANIFEST)
    assert table.column_names == ROW_SCHEMA.names
    assert json.loads(table["record"][0].as_py())["Fabric"] == "ATHENIAN"


def test_rights_and_view_survive_and_older_manifests_lack_them(folder: Path):
    edit(folder, 0, rights="CC0 1.0", credit="Museum of V.", view="front", kind="intact")
    first, second, *_ = list(DataSet(folder).rows)
    assert (first.rights, first.credit, first.view, first.kind) == (
        "CC0 1.0",
        "Museum of V.",
        "front",
        "intact",
    )
    assert second.rights == second.view == ""
    table = pq.read_table(folder / MANIFEST)
    pq.write_table(table.drop_columns(["view", "kind", "rights", "credit"]), folder / MANIFEST)
    assert next(iter(DataSet(folder).rows)) == replace(first, view="", kind="", rights="", credit="")
    assert len(DataSet(folder).vases("train")) == 2


def test_rows_are_read_again_and_sized(folder: Path):
    rows = DataSet(folder).rows
    assert len(rows) == 4 and list(rows) == list(rows)
    first = next(iter(rows))
    edit(folder, 0, caption="A cup.")
    assert first not in rows and replace(first, caption="A cup.") in rows


def test_write_gives_row_groups_of_one_length(folder: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("vaserl.dataset.manifest._ROWS_IN_GROUP", 4)
    rows = [Row(photo=f"{k:02d}", vase_id=str(k)) for k in range(11)]
    DataSet(tmp_path / "a").write_rows(reversed(rows))
    DataSet(tmp_path / "b").rows.write(row for start in range(0, 11, 3) for row in rows[start : start + 3])
    a, b = (pq.ParquetFile(tmp_path / name / MANIFEST) for name in "ab")
    assert (tmp_path / "a" / MANIFEST).read_bytes() == (tmp_path / "b" / MANIFEST).read_bytes()
    assert [a.metadata.row_group(k).num_rows for k in range(3)] == [4, 4, 3] and b.metadata.num_rows == 11
