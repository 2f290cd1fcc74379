"""Tests the export for the Hugging Face hub by loading it with `datasets`."""

import io
import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path

import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest
import trimesh
from PIL import Image

from tests.conftest import make_dataset
from vaserl.commands.__main__ import main
from vaserl.curation.outcome.card import Findings, write_card
from vaserl.curation.outcome.hub_export import export_to_hub
from vaserl.curation.settings import CardSettings, CurateSettings, SourceSettings
from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.files.clip import read_mp4


@pytest.fixture
def dataset(tmp_path: Path) -> DataSet:
    """Returns the folder of four vases with photograph, mesh and clip. The record of the third states no rights."""
    dataset = DataSet(make_dataset(tmp_path / "dataset", num_vases=4))
    rows = list(dataset.rows)
    for name in ("photographs", "models"):
        (dataset.path / name).mkdir()
    for index, row in enumerate(rows):
        Image.new("RGB", (30, 40), (index * 40, 90, 200)).save(dataset.path / row.photo)
        trimesh.creation.cylinder(radius=1.0 + index, height=2.0).export(dataset.mesh(row))
        rights = ("CC0 1.0", "CC BY 4.0", "", "CC0 1.0")[index]
        rows[index] = replace(row, rights=rights, credit=f"Museum {index}", scores={"quality": 0.5})
    rows[1] = replace(rows[1], rejected_by="intact", reason="a sherd", split="")
    rows.append(replace(rows[0], photo="photographs/extra.png", vase_id="v09", rights="CC BY 4.0"))
    shutil.copy(dataset.path / rows[0].photo, dataset.path / "photographs" / "extra.png")
    dataset.write_rows(rows)
    write_card(dataset, dataset.rows, CardSettings(), Findings())
    return dataset


def loaded(out: Path, tmp_path: Path):
    """Returns the exported folder as `datasets` reads it from another working directory."""
    import datasets

    files = {split: str(out / "data" / f"{split}-*.parquet") for split in ("train", "test")}
    return datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))


def test_export_to_hub_is_loaded_with_pictures_videos_and_models(dataset, tmp_path):
    from datasets import Image as ImageFeature
    from datasets import Mesh, Video

    done = export_to_hub(dataset, tmp_path / "hub")
    assert (done.num_vases, done.num_withheld) == ({"train": 2, "test": 1}, 1)
    # the curated folder may be deleted: the export holds all files
    truth = {row.vase_id: row for row in dataset.rows}
    clips = {vase.id: dataset.clips.load(vase.clip) for vase in dataset.vases("train")}
    dataset.path.rename(tmp_path / "elsewhere")
    splits = loaded(tmp_path / "hub", tmp_path)
    train = splits["train"]
    kinds = [type(train.features[name]) for name in ("photo", "video", "mesh")]
    assert kinds == [ImageFeature, Video, Mesh]
    assert train["vase_id"][:] == ["v00", "v09"] and splits["test"]["vase_id"][:] == ["v03"]
    row = train.cast_column("video", Video(decode=False))[0]
    assert row["photo"].size == (30, 40) and row["photo"].getpixel((3, 3)) == (0, 90, 200)
    # a GLB loads as a scene; its extents are the cylinder's
    assert np.allclose(sorted(row["mesh"].extents), [2.0, 2.0, 2.0], atol=0.02)
    assert row["video"]["path"] == f"{truth['v00'].clip}.mp4" and row["clip"] == truth["v00"].clip
    (tmp_path / "clip.mp4").write_bytes(row["video"]["bytes"])
    assert np.array_equal(read_mp4(tmp_path / "clip.mp4").frames, clips["v00"].frames)
    assert row["questions"] == [asdict(question) for question in truth["v00"].questions]
    assert json.loads(row["record"]) == truth["v00"].record and json.loads(row["scores"]) == {"quality": 0.5}
    assert (row["rights"], row["credit"]) == ("CC0 1.0", "Museum 0")


def test_export_to_hub_names_the_files_of_every_split_in_its_card(dataset, tmp_path):
    import yaml

    export_to_hub(dataset, tmp_path / "hub")
    _, header, body = (tmp_path / "hub" / "README.md").read_text().split("---\n")
    (config,) = yaml.safe_load(header)["configs"]
    for entry in config["data_files"]:
        assert list((tmp_path / "hub").glob(entry["path"])), entry
    assert [entry["split"] for entry in config["data_files"]] == ["train", "test"]
    card = (dataset.path / "DATASET.md").read_text()
    picture = "![photographs and turntables](contact_sheet.png)\n\nPhotographs, and beside each its turntable.\n\n"
    # one vase has no rights; the contact sheet may show it, so the sheet isn't exported
    exported = (
        "# Data set\n\nPublished here: 2 train, 1 test. The card below is that of the whole collection; 1 of its vases "
        "are withheld for the rights in their photographs.\n"
    )
    assert picture in card and body.removeprefix("\n") == card.replace(picture, "").replace("# Data set\n", exported)
    assert not (tmp_path / "hub" / "contact_sheet.png").exists()


@pytest.mark.parametrize(
    ("stated", "header"),
    [
        ("CC BY 4.0", {"license": "cc-by-4.0"}),
        ("Museum: ask us", {"license": "other", "license_name": "Museum: ask us"}),
        ("", {}),
    ],
)
def test_export_to_hub_states_the_license_in_the_header(dataset, tmp_path, stated, header):
    import yaml

    card = CardSettings(license=stated)
    dataset.write_settings(CurateSettings(dataset=dataset.path, source=SourceSettings(path="/museum"), card=card))
    export_to_hub(dataset, tmp_path / "hub")
    _, found, _ = (tmp_path / "hub" / "README.md").read_text().split("---\n")
    assert {name: value for name, value in yaml.safe_load(found).items() if name.startswith("license")} == header


def test_export_to_hub_copies_the_picture_where_nothing_is_withheld(dataset, tmp_path):
    export_to_hub(dataset, tmp_path / "hub", rights=".*")
    readme = (tmp_path / "hub" / "README.md").read_text()
    assert readme.endswith((dataset.path / "DATASET.md").read_text()) and "(contact_sheet.png)" in readme
    sheet = (tmp_path / "hub" / "contact_sheet.png").read_bytes()
    assert sheet == (dataset.path / "contact_sheet.png").read_bytes()


def test_export_to_hub_with_photographs_elsewhere_and_without_a_card(dataset, tmp_path):
    rows = list(dataset.rows)
    elsewhere = tmp_path / "elsewhere.png"
    shutil.move(dataset.path / rows[0].photo, elsewhere)
    system = fsspec.filesystem("memory")
    system.pipe("/museum/b.png", elsewhere.read_bytes())
    rows[0] = replace(rows[0], photo=str(elsewhere), rights="CC0\nof the museum")
    rows[3] = replace(rows[3], photo="memory://museum/b.png")
    dataset.write_rows(rows)
    for name in ("DATASET.md", "contact_sheet.png"):
        (dataset.path / name).unlink()
    (tmp_path / "hub").mkdir()  # empty: nothing is lost
    done = export_to_hub(dataset, tmp_path / "hub", rights="CC0.*|.*CC BY 4.0|")
    system.store.clear()
    assert done.num_vases == {"train": 2, "test": 2} and done.num_withheld == 0
    assert not (tmp_path / "hub" / "contact_sheet.png").exists()
    splits = loaded(tmp_path / "hub", tmp_path)
    pictures = [row for split in splits.values() for row in split.select_columns(["vase_id", "photo"])]
    sizes = {row["vase_id"]: row["photo"].size for row in pictures}
    assert sizes == dict.fromkeys(("v00", "v02", "v03", "v09"), (30, 40))


def test_export_to_hub_withholds_by_rights(dataset, tmp_path):
    assert export_to_hub(dataset, tmp_path / "a", rights="CC0.*").num_vases == {"train": 1, "test": 1}
    assert export_to_hub(dataset, tmp_path / "b", rights=".*").num_withheld == 0
    for rights in ("PD", "CC0"):  # the whole value, "CC0 1.0", must match
        with pytest.raises(UserError, match=f"none of the 4 vases has rights that match '{rights}'"):
            export_to_hub(dataset, tmp_path / "c", rights=rights)
    with pytest.raises(UserError, match="not a regular expression"):
        export_to_hub(dataset, tmp_path / "c", rights="(")


def test_export_to_hub_cuts_large_splits_into_files(dataset, tmp_path):
    rows = list(dataset.rows)
    many = [replace(rows[0], photo=f"photographs/{k}.png", vase_id=f"w{k:03d}") for k in range(70)]
    for row in many:
        shutil.copy(dataset.path / rows[0].photo, dataset.path / row.photo)
    dataset.write_rows(many)
    done = export_to_hub(dataset, tmp_path / "hub", max_bytes=10_000)
    assert [path.name for path in done.files] == [f"train-0000{k}-of-00003.parquet" for k in range(3)]
    assert done.num_bytes == sum(path.stat().st_size for path in (tmp_path / "hub" / "data").iterdir())
    import datasets

    files = str(tmp_path / "hub" / "data" / "*.parquet")
    train = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))["train"]
    assert train["vase_id"][:] == [row.vase_id for row in many]


def test_export_to_hub_names_vase_and_place_of_a_missing_file(dataset, tmp_path):
    (dataset.path / "models" / "v00.glb").unlink()
    with pytest.raises(UserError, match=r"vase v00: the file of its mesh, .*models/v00\.glb, can't be read"):
        export_to_hub(dataset, tmp_path / "hub")
    shutil.copy(dataset.path / "models" / "v03.glb", dataset.path / "models" / "v00.glb")
    assert export_to_hub(dataset, tmp_path / "hub").num_vases == {"train": 2, "test": 1}, "the failed one left nothing"
    assert sorted(path.name for path in (tmp_path / "hub").iterdir()) == ["README.md", "data"]
    assert not list(tmp_path.glob(".hub*"))


@pytest.mark.parametrize("verb", ["export-hub", "publish"])
def test_export_hub_command(dataset, tmp_path, capsys, verb):
    assert main([verb, str(dataset.path), "--out", str(tmp_path / "hub")]) == 0
    captured = capsys.readouterr()
    assert "vases: 2 train, 1 test; withheld for their rights: 1" in captured.out and not captured.err
    assert main([verb, str(dataset.path), "--out", str(tmp_path / "hub")]) == 2
    assert "is not empty" in capsys.readouterr().err


def test_export_to_hub_holds_photographs_that_the_viewer_can_write(dataset, tmp_path):
    picture = Image.new("RGB", (30, 40), (200, 90, 40))
    picture.save(dataset.path / "a.jpg", quality=95)
    picture.convert("CMYK").save(dataset.path / "b.tif")
    clear = picture.convert("RGBA")
    clear.putalpha(0)
    clear.paste((200, 90, 40, 255), (10, 10, 30, 40))
    clear.save(dataset.path / "c.png")
    picture.quantize(8).save(dataset.path / "d.png")
    Image.new("I;16", (30, 40), 40_000).save(dataset.path / "e.png")
    rows = [replace(next(iter(dataset.rows)), photo=f"{name}", vase_id=name) for name in ("a.jpg", "b.tif", "c.png")]
    rows += [replace(rows[0], photo=name, vase_id=name) for name in ("d.png", "e.png")]
    dataset.write_rows(rows)
    assert export_to_hub(dataset, tmp_path / "hub").num_converted == 4
    found = pq.read_table(next((tmp_path / "hub" / "data").glob("*.parquet"))).to_pylist()
    photos = {row["vase_id"]: row["photo"] for row in found}
    assert photos["a.jpg"] == {"bytes": (dataset.path / "a.jpg").read_bytes(), "path": "a.jpg"}
    assert photos["b.tif"]["path"] == "b.png"
    for name, photo in photos.items():
        image = Image.open(io.BytesIO(photo["bytes"]))
        image.save(io.BytesIO(), "JPEG")  # as the viewer does
        expected = (156, 156, 156) if name == "e.png" else (200, 90, 40)  # 40,000 of 65,535 is 156 of 255
        assert np.abs(np.array(image.convert("RGB").getpixel((20, 20))) - expected).max() <= 2, name
        assert image.mode == "RGB"
    assert Image.open(io.BytesIO(photos["c.png"]["bytes"])).getpixel((2, 2)) == (255, 255, 255)
    assert "Of the photographs, 4 are PNG files" in (tmp_path / "hub" / "README.md").read_text()


def test_export_to_hub_names_a_photograph_that_cannot_be_decoded(dataset, tmp_path):
    row = next(iter(dataset.rows))
    (dataset.path / row.photo).write_bytes(b"GIF89a, and no more")
    with pytest.raises(UserError, match=r"the file of its photo, .* can't be read: a GIF file, which is not read"):
        export_to_hub(dataset, tmp_path / "hub")
