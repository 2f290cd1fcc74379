"""Tests the second cut-outs on drawn photographs whose mask is known."""

import numpy as np
import pytest

from vaserl.meshes.photo_comparison import openings
from vaserl.meshes.second_cutout import CUTOUT_SIDE, SecondCutouts
from vaserl.meshes.silhouette import intersection_over_union


def jar(height: int = 150, width: int = 120) -> np.ndarray:
    """Returns the mask of an oval jar with a ring handle on each side, bool [height, width]."""
    y, x = np.mgrid[:height, :width]
    mask = ((y - 80) / 55) ** 2 + ((x - 60) / 30) ** 2 < 1
    for side in (-1, 1):
        distance = np.hypot(y - 65, x - 60 - side * 33)
        mask = (mask | (distance < 16)) & ~(distance < 9)
    return mask


def photograph(mask: np.ndarray, backdrop: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, 2, (*mask.shape, 3))
    return np.clip(np.where(mask[..., None], (110, 60, 35), backdrop) + noise, 0, 255).astype(np.uint8)


WALL_AND_TABLE = np.where(np.arange(150) < 110, 110, 190)[:, None, None] * np.ones((1, 1, 3))
GRADIENT = np.linspace(230, 120, 150)[:, None, None] * np.ones((1, 1, 3))


@pytest.mark.parametrize("backdrop", [WALL_AND_TABLE, GRADIENT])
def test_cutout_from_rows_finds_the_jar_and_its_gaps(backdrop: np.ndarray) -> None:
    mask = jar()
    found = SecondCutouts(photograph(mask, backdrop)).from_rows
    assert found is not None and intersection_over_union(found, mask) > 0.95
    assert openings(found) == pytest.approx(openings(mask), rel=0.25)


def test_cutout_from_frame_keeps_a_pale_band_that_the_one_from_rows_loses() -> None:
    mask = jar()
    photo = photograph(mask, np.full((150, 1, 3), 200.0))
    photo[100:120][mask[100:120]] = 200
    cutouts = SecondCutouts(photo)
    assert cutouts.from_rows is not None and cutouts.from_frame is not None
    assert not cutouts.from_rows[108:112, 60].any()


def test_cutouts_are_the_opaque_part_of_a_transparent_photograph() -> None:
    mask = jar()
    photo = np.dstack([np.zeros((*mask.shape, 3), np.uint8), np.where(mask, 255, 0).astype(np.uint8)])
    cutouts = SecondCutouts(photo)
    for found in (cutouts.from_rows, cutouts.from_frame):
        assert found is not None and np.array_equal(found, mask)


def test_cutouts_of_an_empty_photograph_are_none() -> None:
    cutouts = SecondCutouts(np.full((80, 80, 3), 180, np.uint8))
    assert cutouts.from_rows is None


def test_cutouts_are_reduced_and_the_same_twice() -> None:
    photo = photograph(jar(), GRADIENT).repeat(3, axis=0).repeat(3, axis=1)
    one, two = (SecondCutouts(photo) for _ in range(2))
    # another order of the two, which share a random generator, changes nothing
    rows, frame, other_frame, other_rows = one.from_rows, one.from_frame, two.from_frame, two.from_rows
    assert rows is not None and frame is not None and other_rows is not None and other_frame is not None
    assert rows.shape == (CUTOUT_SIDE, 128)
    assert np.array_equal(rows, other_rows) and np.array_equal(frame, other_frame)


def test_openings_are_pairs_of_large_holes_off_the_middle() -> None:
    mask = np.zeros((100, 100), bool)
    mask[10:90, 10:90] = True
    mask[40:60, 45:55] = False  # in the middle
    mask[20:22, 20:22] = mask[20:22, 78:80] = False  # 4 of 6,400 each: smaller than 0.25 %
    mask[40:60, 15:25] = False  # without a counterpart
    assert openings(mask) == 0.0
    mask[40:60, 75:85] = False
    assert openings(mask) == pytest.approx(2 * 200 / 6400)
    assert openings(np.zeros((5, 5), bool)) == 0.0
