"""Tests `vaserl caption`: one reader of photographs, the clip's shape from the model's training, and its doubts."""

import shutil
from pathlib import Path

import pytest
import trimesh
from PIL import Image

from tests.conftest import make_dataset
from tests.fakes.turned_vases import lit_photograph, seen_mask
from vaserl.commands.__main__ import main
from vaserl.dataset import SYNTHETIC_MUSEUM, DataSet
from vaserl.errors import UserError
from vaserl.files.clip import read_mp4
from vaserl.runs.run import SftRun
from vaserl.runs.training_origin import TrainingOrigin, origin_of_model, write_origin
from vaserl.settings import SftSettings

SYNTHETIC = TrainingOrigin(num_frames=6, fps=3.0, resolution=84, num_vases=1200, num_synthetic=1200)


@pytest.fixture
def model(tiny_model: Path, tmp_path: Path) -> Path:
    """Returns a model's folder that may be written to."""
    return shutil.copytree(tiny_model, tmp_path / "run" / "model")


@pytest.fixture
def pot(tmp_path: Path) -> Path:
    """Returns a photograph of a pot that stands upright only by its EXIF orientation."""
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = Image.fromarray(lit_photograph(seen_mask())).transpose(Image.Transpose.ROTATE_90)
    lying.save(tmp_path / "pot.png", exif=exif)
    return tmp_path / "pot.png"


def test_caption_takes_the_clips_shape_from_the_training_and_says_that_it_was_synthetic(model, pot, tmp_path, capsys):
    write_origin(model, SYNTHETIC)
    assert main(["caption", str(pot), "--model", str(model), "--out", str(tmp_path / "out")]) == 0
    clip = read_mp4(tmp_path / "out" / "turntable.mp4")
    assert (clip.frames.shape, clip.fps) == ((6, 84, 84, 3), 3.0)
    _, *notes = capsys.readouterr().out.splitlines()
    (said,) = [note for note in notes if "synthetic" in note]
    assert said.startswith("  note: the model was trained on 1,200 vases, all of them synthetic")
    assert not any("no vase" in note for note in notes)


def test_caption_of_a_model_without_a_statement_says_what_was_assumed_and_marks_what_is_no_vase(
    model, tmp_path, capsys
):
    trimesh.creation.box((1, 1, 1)).subdivide().subdivide().export(tmp_path / "box.glb")
    options = ["--model", str(model), "--resolution", "56", "--out", str(tmp_path / "out")]
    assert main(["caption", str(tmp_path / "box.glb"), *options]) == 0
    assert read_mp4(tmp_path / "out" / "turntable.mp4").frames.shape == (4, 56, 56, 3)
    notes = capsys.readouterr().out
    assert "note: this may be no vase: " in notes
    assert "assumed where not given: 4 frames (--num-frames), 2 a second (--fps), 112 pixels (--resolution)" in notes


def test_caption_refuses_what_the_reader_and_the_lathe_refuse(model, tmp_path, capsys):
    Image.new("RGB", (200, 200), (240, 240, 240)).save(tmp_path / "blank.png")
    Image.new("RGB", (40, 30)).save(tmp_path / "a.gif")
    Image.new("1", (10_000, 5_001)).save(tmp_path / "large.png")
    for name, options, words in (
        ("blank.png", [], "can't be lifted to 3D, so it may show no vase: no vase found"),
        ("a.gif", [], "is neither a GLB file nor a photograph: a GIF file, which is not read"),
        ("large.png", [], "10000 x 5001 pixels; at most 50,000,000 are read; raise source.max_pixels (vaserl lathe"),
        ("blank.png", ["--max-pixels", "39999"], "200 x 200 pixels; at most 39,999 are read"),
    ):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("VASERL_MAX_PIXELS", "50000000")  # restored after the command
            assert main(["caption", str(tmp_path / name), "--model", str(model), *options]) == 2
        assert words in capsys.readouterr().err


def test_origin_of_a_supervised_runs_model_comes_from_its_data_set(model, tmp_path):
    dataset = DataSet(
        make_dataset(tmp_path / "data")
    )  # six vases, four of them for training, eight frames at 4 a second
    rows = list(dataset.rows)
    rows[0].record["Collection Record"] = f"{SYNTHETIC_MUSEUM}: 12"  # type: ignore[index]
    dataset.write_rows(rows)
    settings = {"path": dataset.path, "num_frames": 4}
    run = SftRun(model.parent)
    run.begin(SftSettings.model_validate({"run_dir": run.path, "model": {"path": model}, "data": settings}))
    origin = origin_of_model(model)
    assert origin == TrainingOrigin(num_frames=4, fps=2.0, resolution=56, num_vases=4, num_synthetic=1)
    assert not origin.is_synthetic
    shutil.rmtree(dataset.path)
    assert origin_of_model(model) is None
    write_origin(model, SYNTHETIC)
    assert origin_of_model(model) == SYNTHETIC
    (model / "training.json").write_text("{}")
    with pytest.raises(UserError, match=r"training\.json is damaged; export the model again"):
        origin_of_model(model)
