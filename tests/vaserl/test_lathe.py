"""The lathe against vases whose truth is known: an own rasteriser projects a profile's circles one by one."""

import json
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image, ImageDraw, ImageFilter

from vaserl.curation.lathe import LatheError, lathe, profile_drawing, write_glb
from vaserl.curation.lathe.axis import find_axis
from vaserl.curation.lathe.revolve import WALL, inside_of
from vaserl.curation.lathe.segment import segment

SIDE = 224
HEIGHT = 150.0
"""Pixels of one height of the vase, before foreshortening."""
CLAY, SLIP, PAPER = (196, 98, 48), (28, 24, 26), (238, 238, 236)


def amphora(z: np.ndarray) -> np.ndarray:
    """Foot 0.14, belly 0.3 at half height, neck 0.12, lip 0.17: radius at each height from 0 to 1."""
    knots = [0.0, 0.06, 0.12, 0.3, 0.5, 0.68, 0.8, 0.9, 0.96, 1.0]
    return np.interp(z, knots, [0.14, 0.14, 0.16, 0.26, 0.3, 0.25, 0.14, 0.12, 0.165, 0.17])


def seen_mask(
    radius: Callable[[np.ndarray], np.ndarray] = amphora,
    *,
    view_deg: tuple[float, float] = (1.0, 12.0),
    tilt_deg: float = 0.0,
    side: int = SIDE,
    height: float = HEIGHT,
    shift: float = 0.0,
) -> np.ndarray:
    """bool [side, side]: every circle of the vase as an ellipse, seen from `view_deg` above it at lip and foot."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    angle = np.radians(tilt_deg)
    across = (x - shift) * np.cos(angle) + y * np.sin(angle)
    up = (x - shift) * np.sin(angle) - y * np.cos(angle)
    mask = np.zeros((side, side), bool)
    for z in np.linspace(0, 1, 800):
        r = float(radius(np.array(z))) * height
        mask |= (across / r) ** 2 + (
            (up - centre_of(z, view_deg) * height) / max(r * abs(flatness(z, view_deg)), 0.5)
        ) ** 2 <= 1
    return mask


def flatness(z: float, view_deg: tuple[float, float]) -> float:
    lip, foot = np.sin(np.radians(view_deg))
    return float(foot + z * (lip - foot))


def centre_of(z: float, view_deg: tuple[float, float]) -> float:
    """How far above the middle of the picture a circle's centre appears, in heights."""
    return float((z - 0.5) * np.cos(np.radians(sum(view_deg) / 2)))


def with_handles(mask: np.ndarray, sides: tuple[int, ...] = (-1, 1)) -> np.ndarray:
    """Upright handles from the neck to the shoulder, 10 pixels thick, with daylight behind them."""
    image = Image.fromarray((mask * 255).astype(np.uint8))
    draw, middle = ImageDraw.Draw(image), (mask.shape[1] - 1) / 2
    for side in sides:
        xs = middle + side * HEIGHT * np.array([0.09, 0.20, 0.30, 0.34, 0.33, 0.26])
        ys = (mask.shape[0] - 1) / 2 - HEIGHT * (np.array([0.86, 0.90, 0.88, 0.80, 0.70, 0.60]) - 0.5)
        draw.line(list(zip(xs.tolist(), ys.tolist(), strict=True)), fill=255, width=10, joint="curve")
    return np.asarray(image) > 0


def photograph(
    mask: np.ndarray, *, clay: tuple[int, int, int] = SLIP, paper: tuple[int, int, int] = PAPER
) -> np.ndarray:
    photo = np.where(mask[..., None], np.array(clay), np.array(paper)).astype(np.float64)
    return (photo + np.random.default_rng(0).normal(0, 1.5, photo.shape)).clip(0, 255).astype(np.uint8)


def departure(profile: np.ndarray, radius: Callable[[np.ndarray], np.ndarray] = amphora) -> float:
    """Largest difference in radius, in heights, away from the end points."""
    z = np.linspace(0.03, 0.97, 95)
    return float(np.abs(np.interp(z, profile[:, 1], profile[:, 0]) - radius(z)).max())


@pytest.mark.parametrize("view_deg", [(0.0, 0.0), (1.0, 12.0), (-5.0, 8.0), (4.0, 18.0)])
def test_the_profile_is_recovered_from_the_side_and_from_slightly_above(view_deg: tuple[float, float]) -> None:
    result = lathe(photograph(seen_mask(view_deg=view_deg)))
    assert departure(result.profile) <= 0.015
    assert result.profile[0, 1] == 0.0 and result.profile[-1, 1] == 1.0
    assert np.diff(result.profile[:, 1]).min() >= 0
    assert result.num_handles == 0
    assert result.silhouette_iou >= 0.95
    # one pixel row of 150 is 0.05 for a foot of 21 pixels
    assert result.view.foot_flatness == pytest.approx(flatness(0.0, view_deg), abs=0.07)
    assert result.view.mouth_flatness == pytest.approx(flatness(1.0, view_deg), abs=0.07)


def test_without_the_camera_the_foot_would_be_wrong() -> None:
    """The ellipse of the foot is 2 x 0.31 x 21 = 13 rows high: two rows from its end it is sqrt(1 - (4.5/6.5)^2) = 0.72
    of its width, where the profile has the full 0.14."""
    mask = seen_mask(view_deg=(4.0, 18.0))
    rows = np.nonzero(mask.any(axis=1))[0]
    naive = mask[rows[-1] - 1].sum() / 2 / HEIGHT
    assert naive == pytest.approx(0.72 * 0.14, abs=0.012)
    assert lathe(photograph(mask)).profile[:4, 0] == pytest.approx(0.14, abs=0.01)


@pytest.mark.parametrize("tilt_deg", [-3.0, 0.0, 3.0, 8.0])
def test_axis_and_tilt_are_recovered(tilt_deg: float) -> None:
    mask = seen_mask(tilt_deg=tilt_deg, shift=9.0)
    axis = find_axis(mask)
    assert axis.tilt_deg == pytest.approx(tilt_deg, abs=0.3)
    # the vase was turned about the point 9 pixels right of the picture's centre, in its middle row
    assert axis.x == pytest.approx((SIDE - 1) / 2 + 9.0, abs=0.7)
    result = lathe(photograph(mask))
    assert result.tilt_deg == pytest.approx(tilt_deg, abs=0.3)
    assert departure(result.profile) <= 0.015


@pytest.mark.parametrize("sides", [(-1, 1), (1,), (-1,)])
def test_handles_are_made_and_do_not_widen_the_body(sides: tuple[int, ...]) -> None:
    bare = seen_mask()
    mask = with_handles(bare, sides)
    gained = np.count_nonzero(mask & ~bare)
    assert gained > 0.04 * np.count_nonzero(bare), "the handles must be large enough to matter"
    result = lathe(photograph(mask))
    assert result.num_handles == len(sides)
    assert departure(result.profile) <= 0.02
    assert result.silhouette_iou >= 0.95
    assert abs(result.tilt_deg) < 0.4
    reach = result.mesh.vertices[:, 0]
    assert reach.max() == pytest.approx(0.34 + 5 / HEIGHT if 1 in sides else 0.3, abs=0.02)
    assert -reach.min() == pytest.approx(0.34 + 5 / HEIGHT if -1 in sides else 0.3, abs=0.02)


def test_a_handle_seen_end_on_becomes_a_loop_and_leaves_the_profile_alone() -> None:
    mask = seen_mask()
    middle, row = (SIDE - 1) / 2, round((SIDE - 1) / 2 - 0.12 * HEIGHT)
    reach = round(0.42 * HEIGHT)
    mask[row - 4 : row + 4, round(middle) - reach : round(middle) + reach] = True
    result = lathe(photograph(mask))
    assert result.num_handles == 2
    assert departure(result.profile) <= 0.02
    beyond = result.mesh.vertices[result.mesh.vertices[:, 0] > 0.36]
    assert np.ptp(beyond[:, 2]) > 0.1, "a loop bulges sideways, towards the camera and away from it"


def test_the_mesh_is_a_closed_upright_solid() -> None:
    result = lathe(photograph(with_handles(seen_mask())), num_sections=48)
    mesh = result.mesh.copy()
    mesh.merge_vertices(merge_tex=True, merge_norm=True)
    assert mesh.is_watertight and mesh.is_winding_consistent
    assert mesh.body_count == 3  # the body and two handles
    assert mesh.volume > 0
    body = max(mesh.split(), key=lambda part: part.area)
    assert body.bounds[:, 1] == pytest.approx([0.0, 1.0], abs=1e-9)
    # a wall 0.022 thick around a 0.3 wide vase: clay fills far less than the solid of revolution would
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


def test_the_inside_keeps_the_wall_and_never_meets_the_outside() -> None:
    z = np.linspace(0, 1, 96)
    profile = np.stack([amphora(z), z], axis=1)
    inside = inside_of(profile)
    wall = np.interp(inside[1:-1, 1], z, profile[:, 0]) - inside[1:-1, 0]
    assert wall.min() >= WALL - 2e-3
    assert inside[-1, 0] == 0.0 and inside[-1, 1] > WALL


def test_colours_land_where_the_camera_saw_them() -> None:
    """A level band, seen from 10 degrees above, is an arc in the picture and must be a straight row in the texture."""
    view_deg = (4.0, 18.0)
    mask = seen_mask(view_deg=view_deg)
    photo = photograph(mask, clay=CLAY)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    r = 0.3 * HEIGHT
    sag = flatness(0.5, view_deg) * r * np.sqrt(np.clip(1 - (x / r) ** 2, 0, 1))  # the near half hangs below the centre
    assert sag[0, SIDE // 2] > 8, "the arc must be deep enough to matter"
    photo[(np.abs(y - sag) < 3) & mask] = SLIP
    at_z, azimuth_deg = 0.68, 35.0
    spot_x = 0.25 * HEIGHT * np.sin(np.radians(azimuth_deg))
    spot_y = (
        0.25 * HEIGHT * np.cos(np.radians(azimuth_deg)) * flatness(at_z, view_deg) - centre_of(at_z, view_deg) * HEIGHT
    )
    photo[mask & (np.hypot(x - spot_x, y - spot_y) < 4)] = (30, 60, 220)
    texture = np.asarray(lathe(photo).mesh.visual.material.baseColorTexture, float)  # type: ignore[union-attr]
    height, width = texture.shape[:2]
    columns = np.linspace(0.5 - 55 / 360, 0.5 + 55 / 360, 12) * width
    for start in (columns, (columns + width / 2) % width):  # the front, and the back that repeats it
        rows = [float(np.median(np.nonzero(texture[20:-20, int(column)].sum(axis=1) < 200)[0])) for column in start]
        assert np.ptp(rows) <= 0.02 * height
    blue = texture[:, width // 4 : 3 * width // 4, 2] - texture[:, width // 4 : 3 * width // 4, 0]
    row, column = (float(np.mean(indices)) for indices in np.nonzero(blue > 100))
    assert (column + width // 4 + 0.5) / width * 360 - 180 == pytest.approx(azimuth_deg, abs=3)
    mesh = lathe(photo).mesh
    uv = mesh.visual.uv  # type: ignore[union-attr]
    outside = np.argmin(np.hypot(uv[:, 0] - 0.5, uv[:, 1] - (1 - (row + 0.5) / height)))
    assert mesh.vertices[outside, 1] == pytest.approx(at_z, abs=0.025)


def test_a_figure_beside_the_outline_is_not_continued_by_its_mirror_image() -> None:
    """The belly is 45 pixels wide and its last two and a half aren't used, so it is seen up to asin(42.5 / 45) = 71
    degrees: a spot at 60 degrees, folded back there, would come again at 82."""
    mask = seen_mask(view_deg=(0.0, 0.0))
    photo = photograph(mask, clay=CLAY)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    spot = (np.abs(x - 0.3 * HEIGHT * np.sin(np.radians(60.0))) < 2) & (np.abs(y) < 12)
    photo[spot & mask] = (30, 60, 220)
    texture = np.asarray(lathe(photo).mesh.visual.material.baseColorTexture, float)  # type: ignore[union-attr]
    height, width = texture.shape[:2]
    rows = texture[height * 2 // 5 : height * 3 // 5]
    blue = (rows[..., 2] - rows[..., 0]).max(axis=0)
    azimuth_deg = (np.arange(width) + 0.5) / width * 360 - 180
    assert blue[np.abs(azimuth_deg - 60) < 2].min() > 60
    assert blue[np.abs(azimuth_deg - 82) < 4].max() < 0, "clay, whose red exceeds its blue"


@pytest.mark.parametrize(
    "paper", [(255, 255, 255), (128, 128, 130), (180, 198, 215), (70, 74, 84)], ids=["white", "grey", "blue", "dark"]
)
@pytest.mark.parametrize("clay", [CLAY, (214, 200, 172)], ids=["clay", "white-ground"])
def test_segmentation_on_plain_backgrounds_with_a_gradient_and_a_shadow(
    paper: tuple[int, int, int], clay: tuple[int, int, int]
) -> None:
    truth = with_handles(seen_mask())
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    background = np.array(paper) * (1 - 0.12 * (x - 0.3) ** 2 - 0.15 * y)[..., None]
    shadow = Image.fromarray(np.zeros((SIDE, SIDE), np.uint8))
    ImageDraw.Draw(shadow).ellipse([80, 180, 200, 196], fill=90)
    background = background * (1 - np.asarray(shadow.filter(ImageFilter.GaussianBlur(8)), float) / 255)[..., None]
    photo = np.where(truth[..., None], np.array(clay), background)
    photo[(np.hypot(x - 0.45, y - 0.5) < 0.02) & truth] = background[112, 100]  # a highlight as pale as the background
    soft = Image.fromarray(photo.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.6))
    found = segment(np.asarray(soft))
    assert (found & truth).sum() / (found | truth).sum() >= 0.97
    gap_row, gap_column = round((SIDE - 1) / 2 - 0.28 * HEIGHT), round((SIDE - 1) / 2 + 0.25 * HEIGHT)
    assert not truth[gap_row, gap_column] and not found[gap_row, gap_column], "daylight under the handle"
    assert found[112, 101], "the highlight belongs to the vase"


def test_transparency_is_believed_before_colour() -> None:
    mask = seen_mask()
    rng = np.random.default_rng(1)
    clutter = rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    result = lathe(np.concatenate([clutter, (mask * 255).astype(np.uint8)[..., None]], axis=-1))
    assert departure(result.profile) <= 0.015
    with pytest.raises(LatheError, match="not plain"):
        lathe(clutter)


def test_blank_and_cut_photographs_are_refused_with_the_reason() -> None:
    with pytest.raises(LatheError, match="no vase found"):
        lathe(np.full((SIDE, SIDE, 3), 240, np.uint8))
    photo = photograph(seen_mask())
    top = np.nonzero((photo.sum(axis=2) < 300).any(axis=1))[0][0]
    with pytest.raises(LatheError, match="cuts the vase at the top"):
        lathe(photo[top + 20 :])
    with pytest.raises(LatheError, match="cuts the vase at the left"):
        lathe(photo[:, SIDE // 2 - 30 :])
    with pytest.raises(LatheError, match="only 20 x 40 pixels"):
        lathe(np.zeros((40, 20, 3), np.uint8))


def test_what_was_not_thrown_on_a_wheel_is_refused() -> None:
    y, x = np.mgrid[:SIDE, :SIDE]
    sherd = (x > 40) & (y > 50) & (x + 1.2 * y < 260) & (y < 150)
    with pytest.raises(LatheError, match=r"symmetric|revolution|upright"):
        lathe(photograph(sherd))
    with pytest.raises(LatheError, match=r"leans|symmetric|upright"):
        lathe(photograph(seen_mask(tilt_deg=40.0, height=130.0)))


def test_impossible_arguments_are_programming_errors() -> None:
    photo = photograph(seen_mask())
    with pytest.raises(ValueError, match="num_sections = 3"):
        lathe(photo, num_sections=3)
    with pytest.raises(ValueError, match="texture"):
        lathe(photo, texture_size=(511, 256))
    with pytest.raises(ValueError, match="float64"):
        lathe(photo.astype(np.float64))


def test_a_mirrored_photograph_gives_the_same_vase() -> None:
    photo = photograph(with_handles(seen_mask(tilt_deg=2.0), (1,)))
    one, other = lathe(photo), lathe(np.ascontiguousarray(photo[:, ::-1]))
    assert other.tilt_deg == pytest.approx(-one.tilt_deg, abs=0.05)
    assert np.abs(one.profile - other.profile).max() < 5e-3
    assert one.num_handles == other.num_handles == 1


def test_a_large_photograph_gives_the_profile_of_a_small_one_and_a_sharper_texture() -> None:
    small = lathe(photograph(seen_mask()))
    large_mask = seen_mask(side=900, height=HEIGHT * 900 / SIDE)
    photo = photograph(large_mask)
    photo[large_mask & ((np.arange(900)[None] // 6) % 2 == 0)] = CLAY  # stripes of 6 pixels: 1.5 in the small one
    large = lathe(photo, texture_size=(1024, 512))
    assert np.abs(small.profile - large.profile).max() < 0.012
    assert max(large.mask.shape) <= 448
    texture = np.asarray(large.mesh.visual.material.baseColorTexture, float)  # type: ignore[union-attr]
    assert texture.shape == (512, 1024, 3)
    line = texture[256, 480:544, 0]
    assert line.max() - line.min() > 100, "stripes finer than the working copy's pixels survive"


def test_the_same_photograph_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    photo = photograph(with_handles(seen_mask()))
    write_glb(tmp_path / "a.glb", lathe(photo).mesh)
    Image.fromarray(photo).save(tmp_path / "photo.png")
    code = (
        "import sys, numpy as np; from pathlib import Path; from PIL import Image\n"
        "from vaserl.curation.lathe import lathe, write_glb\n"
        "write_glb(Path(sys.argv[2]), lathe(np.asarray(Image.open(sys.argv[1]))).mesh)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "photo.png", tmp_path / "b.glb"], check=True)
    content = (tmp_path / "a.glb").read_bytes()
    assert content == (tmp_path / "b.glb").read_bytes()
    length = int.from_bytes(content[12:16], "little")
    header = json.loads(content[20 : 20 + length])
    assert {"POSITION", "NORMAL", "TEXCOORD_0"} <= set(header["meshes"][0]["primitives"][0]["attributes"])
    loaded = trimesh.load_mesh(tmp_path / "a.glb")
    assert np.asarray(loaded.visual.material.baseColorTexture).shape == (256, 512, 3)


def test_the_drawing_is_svg_in_millimetres_with_its_layers() -> None:
    result = lathe(photograph(seen_mask()))
    root = ElementTree.fromstring(profile_drawing(result, height_mm=300.0, scale=0.5))
    space = "{http://www.w3.org/2000/svg}"
    layers = {group.get("id"): group for group in root.findall(f"{space}g")}
    assert set(layers) == {"section", "exterior", "handles", "centre-line", "scale-bar", "caption"}
    assert root.get("width", "").endswith("mm") and root.get("height", "").endswith("mm")
    assert root.get("viewBox") == f"0 0 {root.get('width', '')[:-2]} {root.get('height', '')[:-2]}"
    outline = next(path for path in layers["exterior"] if path.get("class") == "outline")
    points = np.array([float(word) for word in outline.get("d", "").split() if word not in "ML"]).reshape(-1, 2)
    assert np.ptp(points[:, 1]) == pytest.approx(150.0, abs=0.01)  # 300 mm at 1:2
    centre = float(layers["centre-line"][0].get("x1", "nan"))
    assert points[:, 0].max() - centre == pytest.approx(result.profile[:, 0].max() * 150.0, abs=0.01)
    assert points[:, 0].min() >= centre, "the outside is drawn on the right"
    bar = layers["scale-bar"][0]
    # the longest round length up to a quarter of 300 mm is 50 mm: 25 mm of paper
    assert float(bar.get("x2", "nan")) - float(bar.get("x1", "nan")) == pytest.approx(25.0, abs=0.01)
    assert layers["scale-bar"].findtext(f"{space}text") == "50 mm"
    kinds = [shape.get("class") for shape in layers["section"]]
    assert kinds == ["outline", "edge", "edge"], "a wall that nobody has measured isn't drawn"
    assert "wall not known" in (layers["caption"][1].text or "")
    measured = ElementTree.fromstring(profile_drawing(result, height_mm=300.0, wall_mm=6.0, scale=0.5))
    wall = next(group for group in measured if group.get("id") == "section")[0]
    corners = np.array([float(word) for word in wall.get("d", "").split() if word not in "ML"]).reshape(-1, 2)
    row = np.abs(corners[:, 1] - (points[:, 1].min() + 75.0)) < 2.5  # the belly, at half of the height
    # 0.3 of 300 mm and 6 mm less, at 1:2
    assert centre - corners[row, 0].min() == pytest.approx(0.3 * 150.0, abs=1.0)
    assert centre - corners[row, 0].max() == pytest.approx(0.3 * 150.0 - 3.0, abs=1.0)
    assert "not to scale" in profile_drawing(result)
    with pytest.raises(ValueError, match="height_mm = -1"):
        profile_drawing(result, height_mm=-1)
    with pytest.raises(ValueError, match="wall_mm = 6"):
        profile_drawing(result, wall_mm=6.0)


@pytest.mark.parametrize("sides", [(-1, 1), (1,)])
def test_handles_are_drawn_where_they_stand_off_the_body(sides: tuple[int, ...]) -> None:
    result = lathe(photograph(with_handles(seen_mask(), sides)))
    root = ElementTree.fromstring(profile_drawing(result, height_mm=300.0, scale=0.5))
    layers = {group.get("id"): group for group in root}
    centre = float(layers["centre-line"][0].get("x1", "nan"))
    lines = [
        np.array([float(word) for word in path.get("d", "").split() if word not in "ML"]).reshape(-1, 2)
        for path in layers["handles"]
    ]
    reach = [(line[:, 0] - centre)[np.argmax(np.abs(line[:, 0] - centre))] / 150.0 for line in lines]
    # the bar's middle runs out to 0.34 and it is 10 of 150 pixels thick: edges at 0.34 and 0.033 more and less
    for side in sides:
        of_side = sorted(abs(value) for value in reach if np.sign(value) == side)
        assert of_side[0] == pytest.approx(0.34 - 0.033, abs=0.02)
        assert of_side[-1] == pytest.approx(0.34 + 0.033, abs=0.02)
    assert {np.sign(value) for value in reach} == set(sides)
