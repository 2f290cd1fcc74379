"""Tests the handles that end under the lip, as a column-krater's do: opening, plate, and the body behind them."""

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage

from tests.fakes.turned_vases import HEIGHT, SIDE, amphora, departure, lathe_of, photograph, seen_mask, with_handles
from vaserl.meshes.lathe import VaseView, lathe, lathe_views


def krater(z: np.ndarray) -> np.ndarray:
    """Returns the radius of a column-krater at heights z: 0.42 in the belly, 0.30 at the neck, 0.41 at the lip."""
    knots = [0.0, 0.05, 0.08, 0.3, 0.45, 0.6, 0.7, 0.74, 0.76, 0.9, 0.92, 1.0]
    return np.interp(z, knots, [0.2, 0.2, 0.14, 0.3, 0.38, 0.42, 0.4, 0.35, 0.3, 0.31, 0.4, 0.41])


def column_krater() -> np.ndarray:
    """Returns the mask of a krater, bool [SIDE, SIDE], with a column 9 pixels thick on each side from the shoulder up
    to a plate that reaches 0.48 heights from the axis."""
    image = Image.fromarray((seen_mask(krater, view_deg=(1.0, 8.0)) * 255).astype(np.uint8))
    draw, middle = ImageDraw.Draw(image), (SIDE - 1) / 2
    for side in (-1, 1):
        at = [(middle + side * HEIGHT * x, middle - HEIGHT * (z - 0.5)) for x, z in ((0.405, 0.95), (0.385, 0.7))]
        draw.line(at, fill=255, width=9)
        across = sorted(middle + side * HEIGHT * x for x in (0.38, 0.48))
        draw.rectangle((across[0], middle - HEIGHT * 0.49, across[1], middle - HEIGHT * 0.42), fill=255)
    return np.asarray(image) > 0


def test_lathe_a_column_kraters_handles_are_two_columns_and_a_plate() -> None:
    mask = column_krater()
    result = lathe_of(mask)
    assert result.num_handles == 2 and len(result.tubes) == 6
    assert result.silhouette_iou >= 0.95
    assert departure(result.profile, krater) <= 0.045
    belly = (result.profile[:, 1] > 0.55) & (result.profile[:, 1] < 0.7)
    assert result.profile[belly, 0].min() >= 0.39, "the shoulder behind the columns isn't dented"
    assert result.profile[-8:, 0].max() == pytest.approx(0.41, abs=0.02), "the plate doesn't widen the lip"
    assert np.abs(result.mesh.vertices[:, 0]).max() == pytest.approx(0.48, abs=0.02)
    # the opening between column and neck stays open
    row, middle = round((SIDE - 1) / 2 - 0.33 * HEIGHT), (SIDE - 1) / 2
    for side in (-1, 1):
        column = round(middle + side * 0.34 * HEIGHT)
        assert not mask[row, column] and not result.silhouette[row, column]
    aside = sorted({round(float(tube.curve[:, 2].mean()), 2) for tube in result.tubes})
    assert aside == [-aside[2], 0.0, aside[2]] and aside[2] > 0.05


def volute_krater() -> np.ndarray:
    """Returns the mask of a krater 130 pixels high whose handles rise 0.14 heights above the lip and bend over to
    it."""
    image = Image.fromarray((seen_mask(krater, view_deg=(1.0, 8.0), height=130.0) * 255).astype(np.uint8))
    draw, middle = ImageDraw.Draw(image), (SIDE - 1) / 2
    for side in (-1, 1):
        path = ((0.36, 0.68), (0.5, 0.74), (0.51, 0.95), (0.49, 1.08), (0.43, 1.14), (0.36, 1.1), (0.33, 0.98))
        at = [(middle + side * 130 * x, middle - 130 * (z - 0.5)) for x, z in path]
        draw.line(at, fill=255, width=8, joint="curve")
    return np.asarray(image) > 0


def test_lathe_views_a_handle_toward_the_camera_above_the_lip_is_no_neck() -> None:
    side = seen_mask(krater, view_deg=(1.0, 8.0), height=130.0)
    middle = SIDE // 2
    side[middle - round(0.64 * 130) : middle, middle - 9 : middle + 9] = True
    alone = lathe_of(side)
    assert any("stands above the mouth" in words for words in alone.warnings)
    both = lathe_views([VaseView(photo=photograph(mask), mask=mask) for mask in (side, volute_krater())])
    assert both.sides[1] == "front" and both.sides[0] in ("left", "right")
    assert departure(both.profile, krater) <= 0.045 < departure(alone.profile, krater)
    assert both.num_handles == 2 and not any("above the mouth" in words for words in both.warnings)


def test_lathe_a_volute_rises_above_the_lip_and_bends_over_to_it() -> None:
    result = lathe_of(volute_krater())
    assert result.num_handles == len(result.tubes) == 2
    assert result.profile[-8:, 0].max() == pytest.approx(0.41, abs=0.02), "the volutes don't widen the lip"
    for tube in result.tubes:
        assert tube.curve[:, 1].max() > 1.08, "the handle rises above the lip"
        assert abs(tube.curve[-1, 0]) < 0.42 and tube.curve[-1, 1] < 1.02, "and ends at it"
    assert result.silhouette_iou >= 0.94


def test_lathe_handles_from_neck_to_shoulder_have_no_plate() -> None:
    result = lathe_of(with_handles(seen_mask()))
    assert len(result.tubes) == result.num_handles == 2
    assert departure(result.profile) <= 0.02


def test_lathe_goes_by_the_mask_whatever_the_backdrop() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8)
    assert departure(lathe(noise, seen_mask()).profile, amphora) <= 0.015


def test_lathe_warns_of_a_round_top() -> None:
    def lidded(z: np.ndarray) -> np.ndarray:
        return np.where(z < 0.6, 0.3, 0.3 * np.sqrt(np.clip(1 - ((z - 0.6) / 0.4) ** 2, 1e-4, 1)))

    assert any("top of the outline is round" in words for words in lathe_of(seen_mask(lidded)).warnings)
    assert lathe_of(seen_mask(view_deg=(14.0, 20.0))).warnings == ()


def jug() -> np.ndarray:
    """Returns the mask of a vase with a handle on the right, from under the lip, beyond it, to the shoulder."""
    image = Image.fromarray((seen_mask() * 255).astype(np.uint8))
    draw, middle = ImageDraw.Draw(image), (SIDE - 1) / 2
    path = ((0.10, 0.955), (0.24, 0.955), (0.24, 0.75), (0.22, 0.66))
    draw.line([(middle + HEIGHT * x, middle - HEIGHT * (z - 0.5)) for x, z in path], fill=255, width=9, joint="curve")
    return np.asarray(image) > 0


def test_lathe_a_jugs_handle_under_the_lip_is_one_bar() -> None:
    result = lathe_of(jug())
    assert result.num_handles == len(result.tubes) == 1, "two columns and a plate are a column-krater's"
    (tube,) = result.tubes
    assert np.abs(tube.curve[:, 2]).max() < 0.02, "in the image plane"
    assert np.ptp(tube.curve[:, 1]) > 0.25 and tube.curve[:, 0].max() == pytest.approx(0.24, abs=0.03)


def test_lathe_a_handle_cut_off_beside_the_body_reaches_it() -> None:
    whole = with_handles(seen_mask(), (1,))
    y, x = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
    beside = (x > 0.27 * HEIGHT) & (x < 0.32 * HEIGHT) & (y > -0.17 * HEIGHT) & (y < 0)
    assert (whole & beside).any()
    result = lathe_of(whole & ~beside)
    (tube,) = result.tubes
    assert np.abs(tube.curve[:, 2]).max() < 0.02, "no loop that bends to the camera"
    ends = sorted(tube.curve[[0, -1], 1])
    assert ends[0] == pytest.approx(0.62, abs=0.06) and ends[1] == pytest.approx(0.86, abs=0.06)


def test_lathe_a_gap_that_the_mask_fills_on_one_side_is_open_as_on_the_other() -> None:
    mask = with_handles(seen_mask())
    filled = mask.copy()
    filled[:, : SIDE // 2] = np.asarray(ndimage.binary_fill_holes(mask), bool)[:, : SIDE // 2]
    assert filled.sum() > mask.sum() + 100
    result = lathe_of(filled)
    left, right = sorted(result.tubes, key=lambda tube: tube.curve[:, 0].mean())
    assert result.num_handles == 2
    assert np.allclose(left.curve[:, 0], -right.curve[:, 0], atol=0.02) and np.abs(left.curve[:, 2]).max() < 0.02


def test_lathe_a_small_ring_beside_the_body_is_open() -> None:
    side, height = 448, 300
    image = Image.fromarray((seen_mask(side=side, height=height) * 255).astype(np.uint8))
    x, y = (side - 1) / 2 + 0.33 * height, (side - 1) / 2  # beside the belly, whose radius is 0.3
    ImageDraw.Draw(image).ellipse((x - 10, y - 10, x + 10, y + 10), outline=255, width=6)
    mask = np.asarray(image) > 0
    gap = round(y), round(x + 1)
    assert not mask[gap]
    result = lathe_of(mask)
    (tube,) = result.tubes
    assert not result.mask[gap] and not result.silhouette[gap]
    assert tube.curve[:, 0].max() == pytest.approx(0.33 + 7 / height, abs=0.02)
    assert np.abs(tube.curve[:, 2]).max() < 0.02, "in the image plane"


def test_lathe_what_stands_beside_the_foot_is_no_handle() -> None:
    mask = seen_mask()
    foot = np.nonzero(mask.any(axis=1))[0][-1]
    middle = SIDE // 2
    mask[foot - 9 : foot - 2, middle : middle + round(0.3 * HEIGHT)] = True
    assert lathe_of(mask).num_handles == 0


def test_lathe_a_horizontal_handle_at_the_lip_is_no_column() -> None:
    mask = seen_mask(krater, view_deg=(1.0, 8.0))
    top, middle = round((SIDE - 1) / 2 - 0.46 * HEIGHT), SIDE // 2
    for outwards in (-1, 1):
        columns = sorted((middle + outwards * 40, middle + outwards * 90))
        mask[top : top + 10, slice(*columns)] = True
        end = sorted((middle + outwards * 76, middle + outwards * 90))
        mask[top + 10 : top + 15, slice(*end)] = True  # it bends down, 5 rows
    result = lathe_of(mask)
    assert result.num_handles == len(result.tubes) == 2, "no columns and plates"
