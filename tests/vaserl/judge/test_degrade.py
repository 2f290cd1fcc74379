"""Tests of damage to meshes and photographs: equal by seed, worse by construction, more so at a greater strength."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fakes.judged_jars import jar
from vaserl.judge.calibration import DAMAGE
from vaserl.judge.degrade import MeshDamage, PhotoDamage, damaged_mesh, damaged_photograph
from vaserl.judge.truth import true_distance
from vaserl.meshes.glb import write_glb

PHOTO_DAMAGE: tuple[PhotoDamage, ...] = ("crop", "occlusion", "downscale", "blur")


@pytest.mark.parametrize("kind", DAMAGE)
def test_mesh_damage_is_decided_by_its_seed(kind: MeshDamage):
    one, same = (damaged_mesh(jar(1), kind, strength=0.5, seed=3) for _ in range(2))
    assert (one.vertices == same.vertices).all() and (one.faces == same.faces).all()
    if kind in ("drop_faces", "noise", "holes"):
        other = damaged_mesh(jar(1), kind, strength=0.5, seed=4)
        assert one.vertices.shape != other.vertices.shape or (one.vertices != other.vertices).any()


def test_drop_faces_removes_the_stated_share():
    mesh = jar(1)
    left = len(damaged_mesh(mesh, "drop_faces", strength=0.5, seed=0).faces) / len(mesh.faces)
    assert left == pytest.approx(0.7, abs=4 * np.sqrt(0.21 / len(mesh.faces)))


def test_noise_moves_doubled_vertices_together():
    mesh = jar(1)
    mesh.unmerge_vertices()
    noisy = damaged_mesh(mesh, "noise", strength=1.0, seed=0)
    before = {tuple(v) for v in np.round(mesh.vertices, 9)}
    after = {tuple(v) for v in np.round(noisy.vertices, 9)}
    assert len(after) == len(before) < len(mesh.vertices)  # no seam has opened
    assert np.std(noisy.vertices - mesh.vertices) == pytest.approx(0.02, rel=0.1)


def test_stretch_changes_the_height_alone():
    mesh, stretched = jar(1), damaged_mesh(jar(1), "stretch", strength=1.0, seed=0)
    ratio = stretched.extents / mesh.extents
    assert ratio[[0, 2]] == pytest.approx([1, 1]) and ratio[1] in (pytest.approx(1.6), pytest.approx(1 / 1.6))


def test_smoothing_shrinks_and_holes_open():
    mesh = jar(1)
    assert damaged_mesh(mesh, "smooth", strength=1.0, seed=0).volume < 0.97 * mesh.volume
    holes = damaged_mesh(mesh, "holes", strength=0.5, seed=0)
    assert not holes.is_watertight and len(holes.faces) < len(mesh.faces)


def test_damage_increases_the_true_distance_with_its_strength(tmp_path: Path):
    write_glb(tmp_path / "true.glb", jar(2))
    for kind in ("noise", "stretch"):
        distances = []
        for strength in (0.2, 0.6, 1.0):
            write_glb(tmp_path / "x.glb", damaged_mesh(jar(2), kind, strength=strength, seed=0))
            distances.append(true_distance(tmp_path / "x.glb", tmp_path / "true.glb"))
        assert distances == sorted(distances) and distances[2] > 1.5 * distances[0]


@pytest.mark.parametrize("strength", [0.0, 1.1])
def test_strength_is_checked(strength: float):
    with pytest.raises(ValueError, match="strength must be above 0"):
        damaged_mesh(jar(1), "noise", strength=strength, seed=0)


@pytest.mark.parametrize("kind", PHOTO_DAMAGE)
def test_photo_damage_is_decided_by_its_seed_and_changes_the_photograph(kind: PhotoDamage):
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 60, 3), dtype=np.uint8))
    one, same = (damaged_photograph(picture, kind, strength=0.5, seed=1) for _ in range(2))
    assert one.size == same.size and one.tobytes() == same.tobytes() != picture.tobytes()


def test_photo_damage_by_hand():
    picture = Image.fromarray(np.full((100, 50, 3), 200, np.uint8))
    assert damaged_photograph(picture, "crop", strength=1.0, seed=0).size == (20, 40)
    covered = np.asarray(damaged_photograph(picture, "occlusion", strength=1.0, seed=0))
    assert (covered == 127).all(axis=-1).mean() == pytest.approx(0.49)
    board = Image.fromarray((np.indices((64, 64)).sum(axis=0) % 2 * 255).astype(np.uint8)).convert("RGB")
    for kind in ("downscale", "blur"):
        flat = np.asarray(damaged_photograph(board, kind, strength=1.0, seed=0)).astype(float)
        assert flat.std() < 20 < np.asarray(board).astype(float).std()
