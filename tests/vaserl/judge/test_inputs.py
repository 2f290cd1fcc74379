"""Tests of the objects of a run: photographs and meshes by name."""

from pathlib import Path

import pytest

from tests.fakes.planted_judges import mesh_pairs
from vaserl.errors import UserError
from vaserl.judge.inputs import draw_pairs, read_objects


def _meshes(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        (folder / f"{name}.glb").write_bytes(b"")
    return folder


def test_objects_of_a_folder_are_the_shared_names(tmp_path: Path):
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("u.png", "v.JPG", "w.webp", "notes.txt", ".hidden.png"):
        (photos / name).write_bytes(b"")
    meshes = {"x": _meshes(tmp_path / "x", "u", "v", "z"), "y": _meshes(tmp_path / "y", "v", "u")}
    objects = read_objects(photos, meshes)
    assert set(objects.photos) == {"u", "v", "w"} and objects.shared(["x", "y"]) == ["u", "v"]
    first = objects.pairs_of("x", "y")[0]
    assert (first.id, first.photo, first.a, first.b) == (
        "x/y/u",
        photos / "u.png",
        tmp_path / "x" / "u.glb",
        tmp_path / "y" / "u.glb",
    )


def test_objects_of_a_data_set_are_its_kept_vases(dataset: Path, tmp_path: Path):
    objects = read_objects(dataset, {"x": _meshes(tmp_path / "x", "v01", "v09")})
    assert len(objects.photos) == 6 and objects.shared(["x"]) == ["v01"]
    assert objects.photos["v01"] == Path("photographs/v01_1.png")


def test_two_photographs_of_one_name_are_refused(tmp_path: Path):
    for name in ("u.png", "u.jpg"):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UserError, match=r"u\.jpg and u\.png have one name"):
        read_objects(tmp_path, {"x": _meshes(tmp_path / "x", "u")})


def test_draw_pairs_is_decided_by_the_seed_and_keeps_the_order():
    pairs = mesh_pairs(30)
    drawn = draw_pairs(pairs, 10, seed=1)
    assert drawn == draw_pairs(pairs, 10, seed=1) != draw_pairs(pairs, 10, seed=2)
    assert len(drawn) == 10 and drawn == sorted(drawn, key=lambda pair: pair.id)
    assert draw_pairs(pairs, None, seed=1) == draw_pairs(pairs, 30, seed=1) == pairs
