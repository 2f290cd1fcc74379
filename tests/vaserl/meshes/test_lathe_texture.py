"""Tests the lathe's texture on photographs of vases with known paint."""

import numpy as np
import pytest

from tests.fakes.turned_vases import CLAY, HEIGHT, SIDE, SLIP, centre_of, flatness, lathe_of, photograph, seen_mask
from vaserl.meshes.lathe import lathe


def test_paint_atlas_puts_colours_where_the_camera_saw_them() -> None:
    """Uses a horizontal band, seen from 10 degrees above: it is an arc in the image and must be a straight row in the
    texture."""
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
    texture = np.asarray(lathe(photo, mask).mesh.visual.material.baseColorTexture, float)  # type: ignore[union-attr]
    height, width = texture.shape[:2]
    columns = np.linspace(0.5 - 55 / 360, 0.5 + 55 / 360, 12) * width
    for start in (columns, (columns + width / 2) % width):  # the front, and the back that repeats it
        rows = [float(np.median(np.nonzero(texture[20:-20, int(column)].sum(axis=1) < 200)[0])) for column in start]
        assert np.ptp(rows) <= 0.02 * height
    blue = texture[:, width // 4 : 3 * width // 4, 2] - texture[:, width // 4 : 3 * width // 4, 0]
    row, column = (float(np.mean(indices)) for indices in np.nonzero(blue > 100))
    assert (column + width // 4 + 0.5) / width * 360 - 180 == pytest.approx(azimuth_deg, abs=3)
    mesh = lathe(photo, mask).mesh
    uv = mesh.visual.uv  # type: ignore[union-attr]
    outside = np.argmin(np.hypot(uv[:, 0] - 0.5, uv[:, 1] - (1 - (row + 0.5) / height)))
    assert mesh.vertices[outside, 1] == pytest.approx(at_z, abs=0.025)


def test_paint_atlas_does_not_mirror_a_figure_beside_the_outline() -> None:
    """Uses a belly with a radius of 45 pixels, whose last 2.5 pixels aren't used: it is seen up to asin(42.5 / 45) = 71
    degrees. If the texture were mirrored there, a spot at 60 degrees would appear again at 82."""
    mask = seen_mask(view_deg=(0.0, 0.0))
    photo = photograph(mask, clay=CLAY)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    spot = (np.abs(x - 0.3 * HEIGHT * np.sin(np.radians(60.0))) < 2) & (np.abs(y) < 12)
    photo[spot & mask] = (30, 60, 220)
    texture = np.asarray(lathe(photo, mask).mesh.visual.material.baseColorTexture, float)  # type: ignore[union-attr]
    height, width = texture.shape[:2]
    rows = texture[height * 2 // 5 : height * 3 // 5]
    blue = (rows[..., 2] - rows[..., 0]).max(axis=0)
    azimuth_deg = (np.arange(width) + 0.5) / width * 360 - 180
    assert blue[np.abs(azimuth_deg - 60) < 2].min() > 60
    assert blue[np.abs(azimuth_deg - 82) < 4].max() < 0, "clay, whose red exceeds its blue"


def test_paint_atlas_gives_the_side_the_ground_beside_a_panel() -> None:
    """Uses a wall in black slip with a panel of clay up to 33 degrees to both sides, over half of what is seen."""
    mask = seen_mask(view_deg=(0.0, 0.0))
    photo = photograph(mask, clay=SLIP)
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    photo[(np.abs(x) < 0.3 * HEIGHT * 0.55) & (np.abs(y) < 12) & mask] = CLAY
    texture = np.asarray(lathe(photo, mask).mesh.visual.material.baseColorTexture, float)  # type: ignore[union-attr]
    height, width = texture.shape[:2]
    rows = texture[height * 9 // 20 : height * 11 // 20].mean(axis=0)
    azimuth_deg = (np.arange(width) + 0.5) / width * 360 - 180
    light = rows.sum(axis=1)
    assert light[np.abs(azimuth_deg) < 20].min() > 0.8 * sum(CLAY), "the panel"
    assert light[np.abs(np.abs(azimuth_deg) - 90) < 8].max() < 2 * sum(SLIP), "the side has no panel"


def test_lathe_a_large_photograph_gives_the_same_profile_and_a_sharper_texture() -> None:
    small = lathe_of(seen_mask())
    large_mask = seen_mask(side=900, height=HEIGHT * 900 / SIDE)
    photo = photograph(large_mask)
    photo[large_mask & ((np.arange(900)[None] // 6) % 2 == 0)] = CLAY  # stripes of 6 pixels: 1.5 in the small one
    large = lathe(photo, large_mask, texture_size=(1024, 512))
    # the last rows are the lip's edge, which is half a pixel of the small photograph
    assert np.abs(small.profile - large.profile)[:-2].max() < 0.016
    assert max(large.mask.shape) <= 448
    texture = np.asarray(large.mesh.visual.material.baseColorTexture, float)  # type: ignore[union-attr]
    assert texture.shape == (512, 1024, 3)
    line = texture[256, 480:544, 0]
    assert line.max() - line.min() > 100, "stripes finer than the working copy's pixels survive"
