"""Tests the lathe's geometry on vases of known shape: profile, camera, axis, handles, and the closed mesh."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import trimesh

from tests.fakes.turned_vases import (
    HEIGHT,
    SIDE,
    amphora,
    departure,
    flatness,
    lathe_of,
    photograph,
    seen_mask,
    with_handles,
)
from vaserl.meshes.glb import write_glb
from vaserl.meshes.lathe import LatheError, lathe
from vaserl.meshes.lathe.axis import find_axis
from vaserl.meshes.lathe.camera import CameraView
from vaserl.meshes.lathe.profile import profile_of
from vaserl.meshes.lathe.revolve import WALL, inside_of


@pytest.mark.parametrize("view_deg", [(0.0, 0.0), (1.0, 12.0), (-5.0, 8.0), (4.0, 18.0)])
def test_lathe_recovers_the_profile_from_the_side_and_from_slightly_above(view_deg: tuple[float, float]) -> None:
    result = lathe_of(seen_mask(view_deg=view_deg))
    assert departure(result.profile) <= 0.015
    assert result.profile[0, 1] == 0.0 and result.profile[-1, 1] == 1.0
    assert np.diff(result.profile[:, 1]).min() >= 0
    assert result.num_handles == 0
    assert result.silhouette_iou >= 0.95
    # one pixel row of 150 is 0.05 for a foot of 21 pixels
    assert result.view.foot_flatness == pytest.approx(flatness(0.0, view_deg), abs=0.07)
    assert result.view.mouth_flatness == pytest.approx(flatness(1.0, view_deg), abs=0.07)


def test_profile_of_without_the_camera_the_foot_would_be_wrong() -> None:
    """Checks the radius near the foot, whose ellipse is 2 x 0.31 x 21 = 13 rows high. Two rows from its end the ellipse
    has sqrt(1 - (4.5/6.5)^2) = 0.72 of its width, where the profile has the full radius of 0.14."""
    mask = seen_mask(view_deg=(4.0, 18.0))
    rows = np.nonzero(mask.any(axis=1))[0]
    naive = mask[rows[-1] - 1].sum() / 2 / HEIGHT
    assert naive == pytest.approx(0.72 * 0.14, abs=0.012)
    assert lathe_of(mask).profile[:4, 0] == pytest.approx(0.14, abs=0.01)


@pytest.mark.parametrize("tilt_deg", [-3.0, 0.0, 3.0, 8.0])
def test_find_axis_recovers_axis_and_tilt(tilt_deg: float) -> None:
    mask = seen_mask(tilt_deg=tilt_deg, shift=9.0)
    axis = find_axis(mask)
    assert axis.tilt_deg == pytest.approx(tilt_deg, abs=0.3)
    # the vase was rotated about the point 9 pixels right of the image's centre, in its middle row
    assert axis.x == pytest.approx((SIDE - 1) / 2 + 9.0, abs=0.7)
    result = lathe_of(mask)
    assert result.tilt_deg == pytest.approx(tilt_deg, abs=0.3)
    assert departure(result.profile) <= 0.015


@pytest.mark.parametrize("sides", [(-1, 1), (1,), (-1,)])
def test_lathe_makes_handles_that_do_not_widen_the_body(sides: tuple[int, ...]) -> None:
    bare = seen_mask()
    mask = with_handles(bare, sides)
    gained = np.count_nonzero(mask & ~bare)
    assert gained > 0.04 * np.count_nonzero(bare), "the handles must be large enough to matter"
    result = lathe_of(mask)
    assert result.num_handles == len(sides)
    assert departure(result.profile) <= 0.02
    assert result.silhouette_iou >= 0.95
    assert abs(result.tilt_deg) < 0.4
    reach = result.mesh.vertices[:, 0]
    assert reach.max() == pytest.approx(0.34 + 5 / HEIGHT if 1 in sides else 0.3, abs=0.02)
    assert -reach.min() == pytest.approx(0.34 + 5 / HEIGHT if -1 in sides else 0.3, abs=0.02)


def test_lathe_a_handle_seen_end_on_becomes_a_loop_and_keeps_the_profile() -> None:
    mask = seen_mask()
    middle, row = (SIDE - 1) / 2, round((SIDE - 1) / 2 - 0.12 * HEIGHT)
    reach = round(0.42 * HEIGHT)
    mask[row - 4 : row + 4, round(middle) - reach : round(middle) + reach] = True
    result = lathe_of(mask)
    assert result.num_handles == 2
    assert departure(result.profile) <= 0.02
    beyond = result.mesh.vertices[result.mesh.vertices[:, 0] > 0.36]
    assert np.ptp(beyond[:, 2]) > 0.1, "a loop bulges sideways, towards the camera and away from it"


def test_lathe_makes_a_closed_upright_solid() -> None:
    result = lathe_of(with_handles(seen_mask()), num_sections=48)
    mesh = result.mesh.copy()
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    assert mesh.is_watertight and mesh.is_winding_consistent
    assert mesh.body_count == 3  # the body and two handles
    assert mesh.volume > 0
    body = max(mesh.split(), key=lambda part: part.area)
    assert body.bounds[:, 1] == pytest.approx([0.0, 1.0], abs=1e-9)
    # a wall 0.022 thick around a vase 0.3 wide: the clay has much less volume than the solid of revolution
    z, r = result.profile[:, 1], result.profile[:, 0]
    solid = float(np.sum(np.pi * ((r[1:] + r[:-1]) / 2) ** 2 * np.diff(z)))
    assert 0.1 * solid < body.volume < 0.5 * solid
    assert len(result.profile) == 48
    uv = result.mesh.visual.uv  # type: ignore[union-attr]
    assert uv.min() >= 0 and uv.max() <= 1
    radius = np.hypot(result.mesh.vertices[:, 0], result.mesh.vertices[:, 2])
    belly = (np.abs(result.mesh.vertices[:, 1] - 0.5) < 0.05) & (radius > 0.29)
    outward = (result.mesh.vertex_normals * result.mesh.vertices * [1, 0, 1]).sum(axis=1) / np.maximum(radius, 1e-9)
    assert belly.sum() > 100 and outward[belly].min() > 0.9


def test_inside_of_keeps_the_wall_and_never_meets_the_outside() -> None:
    z = np.linspace(0, 1, 96)
    profile = np.stack([amphora(z), z], axis=1)
    inside = inside_of(profile)
    wall = np.interp(inside[1:-1, 1], z, profile[:, 0]) - inside[1:-1, 0]
    assert wall.min() >= WALL - 2e-3
    assert inside[-1, 0] == 0.0 and inside[-1, 1] > WALL


def without_its_right() -> np.ndarray:
    mask = seen_mask()
    mask[:, 130:] = False
    return mask


def heart() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    beside = np.abs(x - 112)
    return ((beside - 35) ** 2 + (y - 80) ** 2 < 35**2) | ((y > 80) & (y < 180) & (beside < 70 - 0.7 * (y - 80)))


def sherd() -> np.ndarray:
    y, x = np.mgrid[:SIDE, :SIDE]
    return (x > 40) & (y > 50) & (x + 1.2 * y < 260) & (y < 150)


@pytest.mark.parametrize(
    ("mask", "reason"),
    [
        (sherd(), "parts of the outline lie below the foot"),
        (seen_mask(tilt_deg=30.0, height=130.0), "leans by more than 19 degrees"),
        (without_its_right(), "the sides differ by 33% of the width"),
        (heart(), r"as one, its silhouette would overlap the real one by only 0\.[78]"),
    ],
    ids=["sherd", "fallen over", "half", "heart"],
)
def test_lathe_rejects_what_is_not_wheel_thrown(mask: np.ndarray, reason: str) -> None:
    with pytest.raises(LatheError, match=reason):
        lathe_of(mask)


def test_lathe_warns_of_doubtful_models() -> None:
    swollen = seen_mask()
    swollen[90:140, 140:175] = True
    warnings = lathe_of(swollen).warnings
    for words in ("two sides differ by 9%", "overlaps the photograph's by only 0.90", "one handle was found"):
        assert any(words in warning for warning in warnings), warnings
    assert lathe_of(seen_mask()).warnings == ()


def test_lathe_a_round_vase_without_tilt_is_upright() -> None:
    y, x = np.mgrid[:SIDE, :SIDE]
    axis = find_axis(np.hypot(x - 100.5, y - 120) < 47)
    assert axis.tilt_deg == pytest.approx(0.0, abs=0.1) and axis.x == pytest.approx(100.5, abs=0.2)


def test_profile_of_heights_are_not_foreshortened() -> None:
    """Uses a cylinder of radius 50 pixels, seen from 30 degrees above: its 100 rows are 100 / cos 30 pixels of
    height."""
    from_end = np.minimum(np.arange(151), np.arange(151)[::-1])
    half_width = 50 * np.sqrt(1 - (np.clip(25 - from_end, 0, 25) / 25) ** 2)
    view = CameraView(mouth_row=25.0, foot_row=125.0, mouth_flatness=0.5, foot_flatness=0.5)
    profile = profile_of(half_width, view, 32)
    assert profile[:, 0] == pytest.approx(50 / (100 / np.cos(np.radians(30))), abs=0.01)


def test_lathe_impossible_arguments_are_programming_errors() -> None:
    mask = seen_mask()
    photo = photograph(mask)
    with pytest.raises(ValueError, match="num_sections must be at least 16, got 3"):
        lathe(photo, mask, num_sections=3)
    with pytest.raises(ValueError, match="texture"):
        lathe(photo, mask, texture_size=(511, 256))
    with pytest.raises(ValueError, match="float64"):
        lathe(photo.astype(np.float64), mask)
    with pytest.raises(ValueError, match=r"mask of bool \[224, 224\]"):
        lathe(photo, mask[1:])


def test_lathe_a_mirrored_photograph_gives_the_same_vase() -> None:
    mask = with_handles(seen_mask(tilt_deg=2.0), (1,))
    one, other = lathe_of(mask), lathe_of(np.ascontiguousarray(mask[:, ::-1]))
    assert other.tilt_deg == pytest.approx(-one.tilt_deg, abs=0.05)
    assert np.abs(one.profile - other.profile).max() < 5e-3
    assert one.num_handles == other.num_handles == 1


def test_lathe_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    mask = with_handles(seen_mask())
    write_glb(tmp_path / "a.glb", lathe_of(mask).mesh)
    np.save(tmp_path / "mask.npy", mask)
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from vaserl.meshes.glb import write_glb\n"
        "from tests.fakes.turned_vases import lathe_of\n"
        "write_glb(Path(sys.argv[2]), lathe_of(np.load(sys.argv[1])).mesh)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "mask.npy", tmp_path / "b.glb"], check=True)
    content = (tmp_path / "a.glb").read_bytes()
    assert content == (tmp_path / "b.glb").read_bytes()
    length = int.from_bytes(content[12:16], "little")
    header = json.loads(content[20 : 20 + length])
    assert {"POSITION", "NORMAL", "TEXCOORD_0"} <= set(header["meshes"][0]["primitives"][0]["attributes"])
    loaded = trimesh.load_mesh(tmp_path / "a.glb")
    assert np.asarray(loaded.visual.material.baseColorTexture).shape == (256, 512, 3)
