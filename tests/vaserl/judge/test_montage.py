"""Tests of what a judge sees."""

from pathlib import Path

import numpy as np
import pytest
import trimesh

from vaserl.judge.mode import MODES, JudgeMode
from vaserl.judge.montage import PairImages, UnusableInput, render_sha256, thumbnail
from vaserl.judge.pair import ORDERS, MeshPair
from vaserl.meshes.glb import write_glb

SIDE = 56


def _pair(collection: Path, name: str = "v1") -> MeshPair:
    return MeshPair(
        id=name,
        photo=collection / "photos" / f"{name}.png",
        a=collection / "true" / f"{name}.glb",
        b=collection / "worst" / f"{name}.glb",
    )


def test_protocol_has_two_images_with_the_same_photograph_inside(collection: Path):
    pair = _pair(collection)
    with PairImages("montage", SIDE) as images:
        ab, ba = (images.of_pair(pair, order) for order in ORDERS)
    assert len(ab) == len(ba) == 2
    assert all(image.shape == (2 * SIDE, 3 * SIDE, 3) for image in ab)
    photo = thumbnail(pair.photo, SIDE)
    assert all((image[SIDE:, 2 * SIDE :] == photo).all() for image in ab)
    assert (ab[0] == ba[1]).all() and (ab[1] == ba[0]).all() and (ab[0] != ab[1]).any()


def test_front_tile_shows_normals_and_not_paint(collection: Path):
    with PairImages("montage", SIDE) as images:
        front = images.of_pair(_pair(collection), "ab")[0][:SIDE, :SIDE]
    middle, right = front[SIDE // 2, SIDE // 2].astype(int), front[SIDE // 2]
    assert middle[2] > 240 and abs(middle[0] - 128) < 30  # the middle of the wall faces the camera
    seen = np.flatnonzero((right != 128).any(axis=1))
    assert right[seen[-2], 0] > 200 and right[seen[1], 0] < 60  # its right edge faces right, its left edge left


@pytest.mark.parametrize("mode", list(MODES))
def test_modes_have_the_stated_number_of_images(collection: Path, mode: JudgeMode):
    with PairImages(mode, SIDE) as images:
        found = images.of_pair(_pair(collection), "ab")
    assert len(found) == MODES[mode].num_images
    tile = found[0][SIDE:, 2 * SIDE :]
    if mode == "reference_free":
        assert (tile == 128).all()
    if mode == "panel":
        assert (found[0] == thumbnail(_pair(collection).photo, SIDE)).all()


def test_size_and_position_of_a_mesh_are_not_seen(collection: Path, tmp_path: Path):
    from vaserl.meshes.glb import load_mesh

    pair = _pair(collection)
    mesh = load_mesh(pair.a).to_mesh()
    mesh.apply_transform(trimesh.transformations.scale_matrix(40.0))
    mesh.apply_translation([3.0, -2.0, 1.0])
    write_glb(tmp_path / "large.glb", mesh)
    with PairImages("montage", SIDE) as images:
        one, other = (images.montage(path, pair.photo).astype(int) for path in (pair.a, tmp_path / "large.glb"))
    assert (np.abs(one - other).max(axis=-1) > 8).mean() < 0.01


def _flat() -> trimesh.Trimesh:
    return trimesh.Trimesh([[0, 0, 0], [1e-7, 0, 0], [0, 1, 0]], [[0, 1, 2]], process=False)


def test_unreadable_and_invisible_meshes_are_named(collection: Path, tmp_path: Path):
    files = {name: tmp_path / f"{name}.glb" for name in ("empty", "text", "absent", "nan", "invisible")}
    files["empty"].write_bytes(b"")
    files["text"].write_text("o mesh")
    write_glb(files["invisible"], _flat())
    mesh = trimesh.creation.box()
    write_glb(files["nan"], mesh)
    content = files["nan"].read_bytes()
    half = np.float32(0.5).tobytes()
    files["nan"].write_bytes(content.replace(half, np.float32(np.nan).tobytes()))
    photo = _pair(collection).photo
    with PairImages("montage", SIDE) as images:
        for name, path in files.items():
            with pytest.raises(UnusableInput, match=f"{name}.glb"):
                images.montage(path, photo)
        with pytest.raises(UnusableInput, match=r"none\.png"):
            images.montage(_pair(collection).a, tmp_path / "none.png")


def test_render_hash_depends_on_mode_and_size():
    assert len({render_sha256("montage", 56), render_sha256("montage", 84), render_sha256("panel", 56)}) == 3
    assert render_sha256("montage", 56) == render_sha256("montage", 56)
