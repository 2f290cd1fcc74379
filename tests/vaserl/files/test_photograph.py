"""Tests reading untrusted photographs: upright, on white, and rejected if unusable."""

import hashlib
import json

import pytest
from PIL import Image

from tests.fakes.curation_stages import over_batches
from tests.fakes.hostile_pictures import png_claiming, png_torn_in_its_pixels
from tests.fakes.museum_folders import RECORD
from vaserl.curation.job.batch import batch_of, rows_of
from vaserl.curation.settings import SourceSettings
from vaserl.curation.source import read_photograph_source
from vaserl.curation.stages.source import SOURCE, SourceReader
from vaserl.files.photograph import UnreadablePhotograph, read_photograph


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


def test_read_photograph_is_upright_and_on_white(tmp_path):
    sideways = Image.new("RGB", (8, 4), (10, 20, 30))
    exif = sideways.getexif()
    exif[0x0112] = 6  # "rotate by 90 degrees to see it upright"
    sideways.save(tmp_path / "exif.jpg", exif=exif)
    assert read_photograph(tmp_path / "exif.jpg").size == (4, 8)
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert read_photograph(tmp_path / "clear.png").getpixel((0, 0)) == (255, 255, 255)
    assert read_photograph(tmp_path / "clear.png", keep_alpha=True).mode == "RGBA"
    Image.new("LA", (2, 2), (0, 0)).save(tmp_path / "grey.png")
    Image.new("P", (2, 2)).save(tmp_path / "palette.png", transparency=0)
    for name in ("grey.png", "palette.png"):
        assert read_photograph(tmp_path / name).getpixel((0, 0)) == (255, 255, 255), name


def test_read_photograph_decodes_a_jpeg_no_smaller_than_requested(tmp_path):
    Image.new("RGB", (1600, 1200)).save(tmp_path / "large.jpg")
    width, height = read_photograph(tmp_path / "large.jpg", shorter_side=200).size
    assert width * 3 == height * 4 and 200 <= height < 1200
    assert read_photograph(tmp_path / "large.jpg").size == (1600, 1200)


def test_read_photograph_rejects_oversized_and_foreign_images(tmp_path):
    Image.new("1", (10_000, 5_001)).save(tmp_path / "large.png")
    with pytest.raises(UnreadablePhotograph, match="10000 x 5001 pixels"):
        read_photograph(tmp_path / "large.png")
    # Pillow has limits of its own, the first of which is a warning and the second an error of another family
    for side in (9_600, 20_000):
        with pytest.raises(UnreadablePhotograph, match="more than 50,000,000 pixels"):
            read_photograph(png_claiming(side, side))
    with pytest.raises(UnreadablePhotograph, match=r"can't be decoded .*broken PNG"):
        read_photograph(png_torn_in_its_pixels())
    Image.new("RGB", (4, 4)).save(tmp_path / "a.gif")
    with pytest.raises(UnreadablePhotograph, match="not an image in one of the formats"):
        read_photograph(tmp_path / "a.gif")


def test_read_photograph_names_a_missing_file(tmp_path):
    with pytest.raises(UnreadablePhotograph, match=r"^can't be read: No such file or directory$"):
        read_photograph(tmp_path / "gone.png")
