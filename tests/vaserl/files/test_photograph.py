"""Tests reading untrusted photographs: upright, on white, and rejected if unusable."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.fakes.curation_stages import over_batches
from tests.fakes.museum_folders import RECORD, write_lines
from vaserl.curation.job.batch import batch_of, rows_of
from vaserl.curation.settings import SourceSettings
from vaserl.curation.source import read_photograph_source
from vaserl.curation.stages.source import SOURCE, SourceReader
from vaserl.files.photograph import UnreadablePhotograph, pixel_limit_environment, read_photograph


def test_source_stage_hashes_and_decodes(tmp_path):
    Image.effect_noise((64, 64), 80).save(tmp_path / "good.png")  # too varied to be packed into 2,000 bytes
    (tmp_path / "torn.png").write_bytes((tmp_path / "good.png").read_bytes()[:2000])
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "records.jsonl").write_text("".join(json.dumps({"id": n, **RECORD}) + "\n" for n in ("good", "torn")))
    batch = batch_of(read_photograph_source(SourceSettings(path=str(tmp_path))).to_pylist())
    done = {row["vase_id"]: row for row in rows_of(over_batches(SOURCE, SourceReader)(batch))}
    assert done["good"]["photo_sha256"] == hashlib.sha256((tmp_path / "good.png").read_bytes()).hexdigest()
    assert done["good"]["rejected_by"] == ""
    assert done["torn"]["rejected_by"] == "source" and done["torn"]["reason"].startswith("can't be decoded")
    assert done["torn"]["photo_sha256"] == hashlib.sha256((tmp_path / "torn.png").read_bytes()).hexdigest()
    # it was rejected without a record before the file was read; the first reason stays
    assert done["text"]["reason"].startswith("no record with the id 'text'") and done["text"]["photo_sha256"] == ""


def test_read_photograph_decodes_a_jpeg_no_smaller_than_requested(tmp_path):
    Image.new("RGB", (1600, 1200)).save(tmp_path / "large.jpg")
    width, height = read_photograph(tmp_path / "large.jpg", shorter_side=200).size
    assert width * 3 == height * 4 and 200 <= height < 1200
    assert read_photograph(tmp_path / "large.jpg").size == (1600, 1200)


def test_read_photograph_names_a_missing_file(tmp_path):
    with pytest.raises(UnreadablePhotograph, match=r"^can't be read: No such file or directory$"):
        read_photograph(tmp_path / "gone.png")


def test_a_pixel_limit_of_the_settings_holds_in_all_stages(tmp_path, monkeypatch):
    monkeypatch.setenv("VASERL_MAX_PIXELS", "1")  # restored after the test
    Image.new("RGB", (30, 20)).save(tmp_path / "a.png")
    write_lines(tmp_path / "records.jsonl", {"id": "a", **RECORD})
    for max_pixels, words in ((599, "30 x 20 pixels; at most 599 are read"), (600, "")):
        settings = SourceSettings(path=str(tmp_path), max_pixels=max_pixels)
        batch = batch_of(read_photograph_source(settings).to_pylist())
        (row,) = rows_of(over_batches(SOURCE, SourceReader)(batch))
        assert row["reason"].startswith(words) and bool(row["reason"]) == bool(words)
        assert pixel_limit_environment() == {"VASERL_MAX_PIXELS": str(max_pixels)}
    started = subprocess.run(
        [sys.executable, "-c", "from vaserl.files.photograph import pixel_limit; print(pixel_limit())"],
        capture_output=True,
    )
    assert started.stdout.strip() == b"600"


def test_pictures_of_other_kinds_are_rows_with_a_reason(tmp_path):
    picture = Image.new("RGB", (30, 20), (200, 90, 40))
    for name in ("v1_1.jpg", "v2_1.gif", "v2_2.JP2", "v1_2.bmp"):
        picture.save(tmp_path / name)
    picture.save(tmp_path / "v1_3.heic", "JPEG")  # a wrong suffix doesn't matter
    (tmp_path / "notes.txt").write_text("no picture")
    write_lines(tmp_path / "records.jsonl", {"id": "v1", **RECORD}, {"id": "v2", **RECORD})
    batch = batch_of(read_photograph_source(SourceSettings(path=str(tmp_path))).to_pylist())
    reasons = {Path(row["photo"]).name: row["reason"] for row in rows_of(over_batches(SOURCE, SourceReader)(batch))}
    not_read = "file, which is not read; save it as JPEG, PNG, WebP or TIFF"
    assert reasons == {
        "v1_1.jpg": "",
        "v1_2.bmp": f"a BMP {not_read}",
        "v1_3.heic": "",
        "v2_1.gif": f"a GIF {not_read}",
        "v2_2.JP2": f"a JPEG 2000 {not_read}",
    }
