import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from vaserl.curation.batch import batch_of, rows_of
from vaserl.curation.photograph import UnreadablePhotograph, read_photograph
from vaserl.curation.settings import SourceSettings
from vaserl.curation.source import Source, read_source
from vaserl.errors import UserError

RECORD = {"Fabric": "ATHENIAN", "Date": "-525 to -475"}


def write_image(path: Path, colour: tuple[int, int, int] = (200, 80, 40)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), colour).save(path)


def write_lines(path: Path, *entries: dict) -> None:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def test_listed_photographs_with_records_by_id(tmp_path):
    write_image(tmp_path / "photos" / "a.png")
    write_image(tmp_path / "photos" / "b.png")
    write_lines(
        tmp_path / "photographs.jsonl",
        {"file": "photos/b.png", "vase_id": "v1", "view": 2, "kind": "blur"},
        {"file": "photos/a.png", "vase_id": "v1", "view": 1},
    )
    write_lines(tmp_path / "records.jsonl", {"id": "v1", **RECORD, "Technique": "", "Decoration": None})
    first, second = read_source(SourceSettings(path=tmp_path))
    assert (first.path, first.view, first.kind) == (tmp_path / "photos" / "a.png", "1", "")
    assert (second.path, second.view, second.kind) == (tmp_path / "photos" / "b.png", "2", "blur")
    assert first.record == second.record == RECORD  # empty fields and the id are no fields
    assert not first.problem


@pytest.mark.parametrize(
    ("name", "vase_id", "view"),
    [
        ("v7_2.png", "v7", "2"),
        ("v7_back.jpg", "v7", "back"),
        ("v7.webp", "v7", ""),
        ("vase_photo.png", "vase_photo", ""),  # "photo" is no view
        ("lekythos_met_27_122_6.png", "lekythos_met_27_122_6", ""),  # a record under the whole name decides
        ("krater_met_27_122_6.png", "krater_met_27_122", "6"),
    ],
)
def test_ids_and_views_from_file_names(tmp_path, name, vase_id, view):
    write_image(tmp_path / name)
    (tmp_path / "records.csv").write_text("id,Fabric\nlekythos_met_27_122_6,ATHENIAN\n")
    (photograph,) = read_source(SourceSettings(path=tmp_path))
    assert (photograph.vase_id, photograph.view) == (vase_id, view)


def test_one_record_file_for_each_vase(tmp_path):
    write_image(tmp_path / "pelike_1.png")
    (tmp_path / "pelike.json").write_text(json.dumps(RECORD))
    (photograph,) = read_source(SourceSettings(path=tmp_path))
    assert photograph.record == RECORD


def test_csv_with_another_id_field(tmp_path):
    write_image(tmp_path / "9001.png")
    (tmp_path / "records.csv").write_text("﻿Vase Number,Fabric,Date\n9001,ATHENIAN,\n", encoding="utf-8")
    (photograph,) = read_source(SourceSettings(path=tmp_path, id_field="Vase Number"))
    assert photograph.record == {"Fabric": "ATHENIAN"}


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
    problems = {photograph.vase_id: photograph.problem for photograph in read_source(SourceSettings(path=tmp_path))}
    assert problems["known"] == ""
    assert problems["stranger"] == "no record with the id 'stranger' in records.jsonl"
    assert problems["mute"].startswith("its record states none of Fabric, Technique, Shape Name")
    assert problems["gone"] == "no such file"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no records"),
        ({"records.jsonl": '{"id": "a"}\n'}, "holds no photographs"),
        ({"records.jsonl": '{"id": "a"}\n{"id": \n'}, "records.jsonl:2: not JSON"),
        ({"records.jsonl": '{"name": "a"}\n'}, "records.jsonl:1: no 'id'; the fields there are name"),
        ({"records.jsonl": '{"id": "a"}\n\n{"id": "a"}\n'}, "records.jsonl:3: a second record with the id 'a'"),
        ({"records.jsonl": "[1]\n"}, "records.jsonl:1: expected a JSON object, got list"),
        ({"a.json": "{}", "photographs.jsonl": '{"file": "../a.png", "vase_id": "a"}'}, "outside of the folder"),
        ({"a.json": "{}", "photographs.jsonl": '{"file": "a.png"}'}, 'photographs.jsonl:1: lacks "vase_id"'),
        ({"a.json": "{}", "photographs.jsonl": '{"file": "a", "vase_id": "a"}\n' * 2}, "listed on line 1 already"),
    ],
)
def test_damaged_input_names_file_and_line(tmp_path, files, message):
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match="^" + str(tmp_path)) as caught:
        read_source(SourceSettings(path=tmp_path))
    assert message in str(caught.value)


def test_a_missing_folder(tmp_path):
    with pytest.raises(UserError, match=r"source\.path .*/nowhere: no such folder"):
        read_source(SourceSettings(path=tmp_path / "nowhere"))


def test_source_stage_hashes_and_decodes(tmp_path):
    Image.effect_noise((64, 64), 80).save(tmp_path / "good.png")  # too varied to be packed into 2,000 bytes
    (tmp_path / "torn.png").write_bytes((tmp_path / "good.png").read_bytes()[:2000])
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "records.jsonl").write_text("".join(json.dumps({"id": n, **RECORD}) + "\n" for n in ("good", "torn")))
    batch = batch_of([photograph.row() for photograph in read_source(SourceSettings(path=tmp_path))])
    rows = {row["vase_id"]: row for row in rows_of(Source()(batch))}
    assert rows["good"]["photo_sha256"] == hashlib.sha256((tmp_path / "good.png").read_bytes()).hexdigest()
    assert rows["good"]["rejected_by"] == ""
    assert rows["torn"]["rejected_by"] == "source" and rows["torn"]["reason"].startswith("can't be decoded")
    # it was rejected for want of a record before anybody looked at the file: the first reason stays
    assert rows["text"]["reason"].startswith("no record with the id 'text'") and rows["text"]["photo_sha256"] == ""


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
