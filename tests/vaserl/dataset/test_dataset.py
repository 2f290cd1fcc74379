"""The manifest: what it keeps, and what it says of a data set that can't be used."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.conftest import make_dataset
from vaserl.dataset.dataset import MANIFEST, MANIFEST_SCHEMA, read_rows, read_vases, write_manifest
from vaserl.errors import UserError
from vaserl.types import DIMENSIONS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_dataset(tmp_path, num_vases=4)


def edit(folder: Path, index: int, **changes) -> None:
    rows = read_rows(folder)
    rows[index].update(changes)
    write_manifest(folder, rows)


def test_vases_come_back_as_they_went_in(folder: Path):
    train, test = read_vases(folder, "train"), read_vases(folder, "test")
    assert [vase.id for vase in train + test] == ["v00", "v01", "v02", "v03"]
    task = train[1].caption_task()
    assert (task.id, task.prompt, task.dimensions) == ("v01/caption", "Describe the vase.", DIMENSIONS)
    assert task.record["Shape Name"] == "LEKYTHOS"
    assert train[0].questions[0].answer == "Athenian"
    assert (folder / "clips" / f"{task.clip}.mp4").is_file()


def test_rejected_rows_stay_in_the_manifest_and_out_of_training(folder: Path):
    edit(folder, 0, rejected_by="quality", reason="blurred", split="")
    assert len(read_rows(folder)) == 4
    assert [vase.id for vase in read_vases(folder, "train")] == ["v01"]


def test_an_empty_data_set_is_said(folder: Path, tmp_path: Path):
    with pytest.raises(UserError, match=r"no vase in split 'val' \(splits there: test, train\)"):
        read_vases(folder, "val")
    for index in range(4):
        edit(folder, index, rejected_by="intact", reason="a sherd")
    with pytest.raises(UserError, match="every photograph was rejected"):
        read_vases(folder, "train")
    with pytest.raises(UserError, match=r"has no manifest\.parquet.*launch\.curate"):
        read_vases(tmp_path / "nothing", "train")


def test_a_record_without_a_dimension_names_the_vase(folder: Path):
    edit(folder, 1, record={"Vase Number": "7", "Provenance": "NOLA"})
    with pytest.raises(UserError, match=r"vase v01 \(photographs/v01_1\.png\) has a record without a single dimension"):
        read_vases(folder, "train")


def test_a_missing_clip_names_vase_and_file(folder: Path):
    clip = read_vases(folder, "train")[0].clip
    (folder / "clips" / f"{clip}.mp4").unlink()
    with pytest.raises(UserError, match=rf"vase v00: its clip clips/{clip}\.mp4 is missing"):
        read_vases(folder, "train")


def test_another_parquet_file_is_refused(folder: Path):
    pq.write_table(pa.table({"x": [1]}), folder / MANIFEST)
    with pytest.raises(UserError, match="lacks the columns photo"):
        read_rows(folder)
    (folder / MANIFEST).write_bytes(b"PAR? no")
    with pytest.raises(UserError, match="is not a parquet file"):
        read_rows(folder)


def test_the_manifest_is_sorted_and_the_same_for_the_same_rows(folder: Path, tmp_path: Path):
    rows = read_rows(folder)
    first = (folder / MANIFEST).read_bytes()
    write_manifest(folder, rows[::-1])
    assert (folder / MANIFEST).read_bytes() == first
    table = pq.read_table(folder / MANIFEST)
    assert table.column_names == MANIFEST_SCHEMA.names
    assert json.loads(table["record"][0].as_py())["Fabric"] == "ATHENIAN"


def test_rights_and_view_survive_and_older_manifests_lack_them(folder: Path):
    edit(folder, 0, rights="CC0 1.0", credit="Museum of V.", view="front", kind="intact")
    first, second, *_ = read_rows(folder)
    assert (first["rights"], first["credit"], first["view"], first["kind"]) == (
        "CC0 1.0",
        "Museum of V.",
        "front",
        "intact",
    )
    assert second["rights"] == second["view"] == ""
    table = pq.read_table(folder / MANIFEST)
    pq.write_table(table.drop_columns(["view", "kind", "rights", "credit"]), folder / MANIFEST)
    assert read_rows(folder)[0] == first | dict.fromkeys(("view", "kind", "rights", "credit"), "")
    assert len(read_vases(folder, "train")) == 2
