"""Tests that several photographs of one vase are used together."""

from dataclasses import replace

import numpy as np
import pytest

from tests.fakes.turned_vases import HEIGHT, PAPER, SIDE, departure, seen_mask, with_handles
from vaserl.meshes.lathe import LatheError, LatheResult, VaseView, lathe_views
from vaserl.meshes.lathe.result import AZIMUTH_DEG, VaseSide

QUARTERS = np.array([(200, 40, 40), (40, 160, 60), (40, 60, 200), (220, 190, 40)])
"""Paint of the vase around azimuth -45, 45, 135 and 225 degrees."""


def shown(side: VaseSide, mask: np.ndarray) -> np.ndarray:
    """Returns the photograph of a side: its left half shows one quarter of the paint, its right half the next."""
    first = round(AZIMUTH_DEG[side] / 90)
    left = np.arange(SIDE) < SIDE / 2
    paint = np.where(left[None, :, None], QUARTERS[first % 4], QUARTERS[(first + 1) % 4])
    return np.where(mask[..., None], paint, np.array(PAPER)).astype(np.uint8)


def wall(result: LatheResult, azimuth_deg: float, height: float) -> np.ndarray:
    """Returns the colour of the mesh's outside at an azimuth and a height."""
    x, y, z = result.mesh.vertices.T
    on_wall = np.abs(np.hypot(x, z) - np.interp(y, result.profile[:, 1], result.profile[:, 0])) < 1e-3
    turned = np.degrees(np.arctan2(x, z))
    apart = np.abs((turned - azimuth_deg + 180) % 360 - 180) / 90 + np.abs(y - height) + ~on_wall * 10
    u, v = result.mesh.visual.uv[int(np.argmin(apart))]
    image = np.asarray(result.mesh.visual.material.baseColorTexture)
    return image[round((1 - v) * image.shape[0] - 0.5), min(round(u * image.shape[1] - 0.5), image.shape[1] - 1)]


def test_lathe_views_finds_the_sides_and_paints_each() -> None:
    bare, whole = seen_mask(), with_handles(seen_mask())
    order: tuple[VaseSide, ...] = ("left", "front", "right", "back")
    masks = [whole if side in ("front", "back") else bare for side in order]
    views = [VaseView(photo=shown(side, mask), mask=mask) for side, mask in zip(order, masks, strict=True)]
    result = lathe_views(views)
    assert result.sides == order
    assert result.num_handles == 2 and departure(result.profile) <= 0.015
    # at both sides, the handles hide a part of the wall, and the rows at lip and foot are seen edge-on
    assert 0.85 < result.seen_share <= 1.0
    for index, azimuth_deg in enumerate((-45.0, 45.0, 135.0, 225.0)):
        assert wall(result, azimuth_deg, 0.4) == pytest.approx(QUARTERS[index], abs=8)
    alone = lathe_views(views[1:2])
    assert alone.sides == ("front",) and 0.3 < alone.seen_share < 0.5
    assert alone.signs.handles_elsewhere == 0


def test_lathe_views_a_handle_before_the_body_is_not_painted_onto_it() -> None:
    whole, bare = with_handles(seen_mask()), seen_mask()
    side = shown("right", bare)
    middle = SIDE // 2
    rows = slice(round(middle - 0.42 * HEIGHT), round(middle - 0.12 * HEIGHT))
    side[rows, middle - 5 : middle + 5] = (255, 0, 255)
    beside = VaseView(photo=side, mask=bare, side="right")
    views = [VaseView(photo=shown("front", whole), mask=whole, side="front"), beside]
    result = lathe_views(views)
    assert result.num_handles == 2
    reach = result.mesh.vertices[:, 0]
    assert min(reach.max(), -reach.min()) > 0.33, "the handle itself is there"
    violet = [wall(result, 90.0 + turn, height) for height in (0.65, 0.75) for turn in (-4.0, 0.0, 4.0)]
    assert min(int(colour[1]) for colour in violet) > 35, violet
    without = lathe_views([beside])
    assert wall(without, 90.0, 0.7)[1] < 20, "without another photograph, the handle is taken for paint"


def test_lathe_views_leaves_out_what_cannot_be_used() -> None:
    front = VaseView(photo=shown("front", seen_mask()), mask=seen_mask())
    blank = replace(front, mask=np.zeros_like(front.mask))
    result = lathe_views([blank, front])
    assert result.sides == ("front",)
    assert any("photograph 1 was not used: no vase found" in warning for warning in result.warnings)
    assert any("sides were assumed" in warning for warning in lathe_views([front, front]).warnings)
    with pytest.raises(LatheError, match="no vase found"):
        lathe_views([blank])
    with pytest.raises(LatheError, match="same side"):
        lathe_views([replace(front, side="front")] * 2)
    with pytest.raises(LatheError, match="5 photographs"):
        lathe_views([front] * 5)
    with pytest.raises(ValueError, match="at least one"):
        lathe_views([])
