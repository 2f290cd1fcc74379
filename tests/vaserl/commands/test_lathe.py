"""Tests `vaserl lathe`: from one photograph to a mesh and a drawing to scale."""

import numpy as np
import pytest
from PIL import Image

from tests.fakes.turned_vases import lit_photograph, seen_mask
from vaserl.commands.__main__ import main
from vaserl.meshes.glb import load_mesh


def test_a_photograph_becomes_a_model_and_a_drawing(tmp_path, capsys):
    Image.fromarray(lit_photograph(seen_mask())).save(tmp_path / "pot.png")
    out = tmp_path / "out"
    size = ["--height-mm", "300", "--wall-mm", "5", "--scale", "0.3333333333", "--resolution", "48"]
    assert main(["lathe", str(tmp_path / "pot.png"), "--out", str(out), *size]) == 0
    assert "0 handles" in capsys.readouterr().out
    assert load_mesh(out / "model.glb").extents[1] == pytest.approx(1.0, abs=1e-3)
    svg = (out / "profile.svg").read_text()
    assert "H. 300 mm, 1:3" in svg and "wall 5 mm as measured" in svg
    # eight frames of the turntable in two rows, and the normals of six views in two rows
    assert Image.open(out / "turntable.png").size == (4 * 48, 2 * 48)
    assert Image.open(out / "normals.png").size == (3 * 48, 2 * 48)
    assert np.asarray(Image.open(out / "turntable.png")).std() > 10
    # photograph, cut-out, profile, three frames
    sheet = np.asarray(Image.open(out / "sheet.png")).reshape(48, 6, 48, 3)
    changed = np.abs(sheet[:, 0].astype(int) - sheet[:, 1]).sum(axis=2) > 0
    assert changed[24, 0] and not changed[24, 24], "the cut-out veils what is beside the vase"
    dark = sheet[:, 2].min(axis=2) < 128
    assert (dark & dark[:, ::-1]).sum() > 0.8 * dark.sum(), "the profile is drawn on both sides"


def test_a_model_that_a_curation_would_reject_is_said_to_be_one(tmp_path, capsys):
    y, x = np.mgrid[:224, :224]
    photo = lit_photograph(seen_mask())
    Image.fromarray(photo).save(tmp_path / "pot.png")
    wrong = (np.abs(x - 112) < 80) & (np.abs(y - 112) < 90)  # the mask of a box
    Image.fromarray((wrong * 255).astype(np.uint8)).save(tmp_path / "mask.png")
    arguments = ["lathe", str(tmp_path / "pot.png"), "--resolution", "48", "--out", str(tmp_path / "out")]
    assert main([*arguments, "--masks", str(tmp_path / "mask.png")]) == 0
    assert (
        "a curation would reject the model: 56% of what was taken for the vase has the backdrop"
        in capsys.readouterr().out
    )


def test_photographs_of_several_sides_are_used_together(tmp_path, capsys):
    for name in ("a.png", "b.png"):
        Image.fromarray(lit_photograph(seen_mask())).save(tmp_path / name)
    names = [str(tmp_path / name) for name in ("a.png", "b.png")]
    out = ["--out", str(tmp_path / "out"), "--resolution", "48"]
    assert main(["lathe", *names, "--sides", "right", "back", *out]) == 0
    assert "shown: right, back (" in capsys.readouterr().out
    assert main(["lathe", *names, "--sides", "right", *out]) == 2
    assert "names 1 sides for 2 photographs" in capsys.readouterr().err
    assert main(["lathe", *names, "--sides", "back", "back", *out]) == 2
    assert "two photographs show the same side" in capsys.readouterr().err


def test_what_cannot_be_lifted_is_said_with_the_files_name(tmp_path, capsys):
    Image.new("RGB", (200, 200), (240, 240, 240)).save(tmp_path / "blank.png")
    (tmp_path / "words.png").write_text("no picture")
    Image.fromarray(lit_photograph(seen_mask())).save(tmp_path / "pot.png")
    for name, options, words in (
        ("blank.png", [], "no vase found"),
        ("words.png", [], "not an image"),
        ("gone.png", [], "can't be read: No such file"),
        ("pot.png", ["--wall-mm", "5"], "needs a height_mm"),
    ):
        assert main(["lathe", str(tmp_path / name), "--out", str(tmp_path / "out"), *options]) == 2
        said = capsys.readouterr().err
        assert name in said and words in said
    assert not (tmp_path / "out").exists()
