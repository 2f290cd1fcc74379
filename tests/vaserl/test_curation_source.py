import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from vaserl.curation.batch import batch_of, rows_of
from vaserl.curation.photograph import UnreadablePhotograph, read_photograph
from vaserl.curation.settings import SourceSettings
from vaserl.curation.source import SOURCE_SCHEMA, Source, read_source
from vaserl.errors import UserError

RECORD = {"Fabric": "ATHENIAN", "Date": "-525 to -475"}


def write_image(path: Path, colour: tuple[int, int, int] = (200, 80, 40)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), colour).save(path)


def write_lines(path: Path, *entries: dict) -> None:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def rows(folder: Path | str, **sections) -> list[dict]:
    """What the source makes of it, records decoded."""
    table = read_source(SourceSettings(path=str(folder), **sections))
    assert table.schema == SOURCE_SCHEMA
    return [row | {"record": json.loads(row["record"])} for row in table.to_pylist()]


def test_listed_photographs_with_records_by_id(tmp_path):
    write_image(tmp_path / "photos" / "a.png")
    write_image(tmp_path / "photos" / "b.png")
    write_lines(
        tmp_path / "photographs.jsonl",
        {"file": "photos/b.png", "vase_id": "v1", "view": 2, "kind": "blur", "rights": "CC0"},
        {"file": "photos/a.png", "vase_id": "v1", "view": 1},
    )
    write_lines(tmp_path / "records.jsonl", {"id": "v1", **RECORD, "Technique": "", "Decoration": None, "rights": "?"})
    first, second = rows(tmp_path)
    assert (first["photo"], first["view"], first["kind"]) == (str(tmp_path / "photos" / "a.png"), "1", "")
    assert (second["photo"], second["view"], second["kind"]) == (str(tmp_path / "photos" / "b.png"), "2", "blur")
    assert first["record"] == second["record"] == RECORD  # empty fields, the id and the rights are no fields
    assert (first["rights"], second["rights"]) == ("?", "CC0")  # the picture's own before the vase's
    assert first["rejected_by"] == first["reason"] == first["photo_sha256"] == ""


@pytest.mark.parametrize(
    ("name", "vase_id", "view"),
    [
        ("v7_2.png", "v7", "2"),
        ("v7_back.jpg", "v7", "back"),
        ("v7.webp", "v7", ""),
        ("vase_photo.png", "vase_photo", ""),  # "photo" is no view
        ("lekythos_met_27_122_6.png", "lekythos_met_27_122_6", ""),  # a record under the whole name decides
        ("krater_met_27_122_6.png", "krater_met_27_122", "6"),
        ("room 3/v7_2.png", "v7", "2"),
    ],
)
def test_ids_and_views_from_file_names(tmp_path, name, vase_id, view):
    write_image(tmp_path / name)
    (tmp_path / "records.csv").write_text("id,Fabric\nlekythos_met_27_122_6,ATHENIAN\n")
    (row,) = rows(tmp_path)
    assert (row["vase_id"], row["view"]) == (vase_id, view)


def test_one_record_file_for_each_vase(tmp_path):
    write_image(tmp_path / "pelike_1.png")
    (tmp_path / "pelike.json").write_text(json.dumps(RECORD))
    (row,) = rows(tmp_path)
    assert row["record"] == RECORD


def test_csv_with_another_id_field(tmp_path):
    write_image(tmp_path / "9001.png")
    (tmp_path / "records.csv").write_text("\ufeffMuseum No,Fabric,Date\n9001,ATHENIAN,\n", encoding="utf-8")
    (row,) = rows(tmp_path, id_field="Museum No")
    assert row["record"] == {"Fabric": "ATHENIAN"}


def test_rows_that_cannot_be_used_say_why(tmp_path):
    write_image(tmp_path / "known.png")
    write_image(tmp_path / "stranger.png")
    write_image(tmp_path / "mute.png")
    write_lines(
        tmp_path / "photographs.jsonl",
        *({"file": f"{name}.png", "vase_id": name, "view": 1} for name in ("known", "stranger", "mute", "gone")),
    )
    write_lines(
        tmp_path / "records.jsonl",
        {"id": "known", **RECORD},
        {"id": "mute", "Provenance": "ITALY, NOLA"},
        {"id": "gone", **RECORD},
    )
    found = {row["vase_id"]: row for row in rows(tmp_path)}
    assert {name: row["rejected_by"] for name, row in found.items()} == {
        "known": "",
        "stranger": "source",
        "mute": "source",
        "gone": "source",
    }
    assert found["known"]["reason"] == ""
    assert found["stranger"]["reason"] == "no record with the id 'stranger' in records.jsonl"
    assert found["mute"]["reason"].startswith("its record states none of Fabric, Technique, Shape Name")
    assert found["gone"]["reason"] == "no such file"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no records"),
        ({"records.jsonl": '{"id": "a"}\n'}, "holds no photographs"),
        ({"records.jsonl": '{"id": "a"}\n{"id": \n'}, "records.jsonl:2: not JSON"),
        ({"records.jsonl": '{"name": "a"}\n'}, "records.jsonl:1: no 'id'; the fields there are name"),
        ({"records.jsonl": '{"id": "a"}\n\n{"id": "a"}\n'}, "records.jsonl:3: a second record with the id 'a'"),
        ({"records.jsonl": "[1]\n"}, "records.jsonl:1: expected a JSON object, got list"),
        ({"records.json": '[{"id": "a"},\n {"id": "a"}]'}, "records.json:2: a second record with the id 'a'"),
        ({"records.json": '[{"id": "a"},\n\n 7]'}, "records.json:3: expected a JSON object, got int"),
        ({"records.json": '[{"id": "a"}\n {"id": "b"}]'}, 'records.json:2: not JSON: expected "," or "]"'),
        ({"records.json": '[{"id": "a"},\n {"id": ]'}, "records.json:2: not JSON"),
        ({"records.json": '{"a": 1}'}, "records.json:a: expected a JSON object, got int"),
        ({"records.csv": "id,Fabric\na,B,C\n"}, "records.csv:2: 1 cells more than the header has"),
        ({"records.csv": "id,Fabric\na,\udce9\n"}, "records.csv:2: not UTF-8"),
        ({"records.parquet": "PAR?"}, "records.parquet: not a parquet file"),
        ({"records.csv": "", "records.jsonl": ""}, "holds records.jsonl and records.csv: remove one"),
        ({"a.json": "{}", "photographs.jsonl": '{"file": "../a.png", "vase_id": "a"}'}, "outside of the folder"),
        ({"a.json": "{}", "photographs.jsonl": '{"vase_id": "a"}'}, 'photographs.jsonl:1: lacks "file"'),
        ({"a.json": "{}", "photographs.jsonl": '{"file": "a", "vase_id": "a"}\n' * 2}, "listed on line 1 already"),
        ({"a.json": "{}", "photographs.jsonl": '{"file": {"bytes": ""}}'}, "file holds the picture itself"),
    ],
)
def test_damaged_input_names_file_and_line(tmp_path, files, message):
    for name, text in files.items():
        (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match="^" + str(tmp_path)) as caught:
        read_source(SourceSettings(path=str(tmp_path)))
    assert message in str(caught.value)


def test_a_missing_folder(tmp_path):
    with pytest.raises(UserError, match=r"source\.path .*/nowhere: no such folder"):
        read_source(SourceSettings(path=str(tmp_path / "nowhere")))


def test_source_stage_hashes_and_decodes(tmp_path):
    Image.effect_noise((64, 64), 80).save(tmp_path / "good.png")  # too varied to be packed into 2,000 bytes
    (tmp_path / "torn.png").write_bytes((tmp_path / "good.png").read_bytes()[:2000])
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "records.jsonl").write_text("".join(json.dumps({"id": n, **RECORD}) + "\n" for n in ("good", "torn")))
    batch = batch_of(read_source(SourceSettings(path=str(tmp_path))).to_pylist())
    done = {row["vase_id"]: row for row in rows_of(Source()(batch))}
    assert done["good"]["photo_sha256"] == hashlib.sha256((tmp_path / "good.png").read_bytes()).hexdigest()
    assert done["good"]["rejected_by"] == ""
    assert done["torn"]["rejected_by"] == "source" and done["torn"]["reason"].startswith("can't be decoded")
    # it was rejected for want of a record before anybody looked at the file: the first reason stays
    assert done["text"]["reason"].startswith("no record with the id 'text'") and done["text"]["photo_sha256"] == ""


def test_photographs_come_upright_and_on_white(tmp_path):
    sideways = Image.new("RGB", (8, 4), (10, 20, 30))
    exif = sideways.getexif()
    exif[0x0112] = 6  # "rotate by 90 degrees to see it upright"
    sideways.save(tmp_path / "exif.jpg", exif=exif)
    assert read_photograph(tmp_path / "exif.jpg").size == (4, 8)
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert read_photograph(tmp_path / "clear.png").getpixel((0, 0)) == (255, 255, 255)
    assert read_photograph(tmp_path / "clear.png", keep_alpha=True).mode == "RGBA"


def test_oversized_and_foreign_images_are_refused(tmp_path):
    Image.new("1", (10_000, 5_001)).save(tmp_path / "large.png")
    with pytest.raises(UnreadablePhotograph, match="10000 x 5001 pixels"):
        read_photograph(tmp_path / "large.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "a.gif")
    with pytest.raises(UnreadablePhotograph, match="not an image in one of the formats"):
        read_photograph(tmp_path / "a.gif")
