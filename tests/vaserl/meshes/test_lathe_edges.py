"""Tests the edge of the body on masks whose two sides differ."""

import numpy as np
import pytest

from vaserl.meshes.lathe.edges import body_edges


def beaker(*, left: int = 0, rows: slice = slice(120, 150)) -> np.ndarray:
    """Returns the upright mask of a straight beaker, 200 rows high and 61 wide, with `left` pixels added to its left
    side in `rows`, or taken away, with round ends."""
    mask = np.zeros((220, 121), np.float32)
    mask[10:210, 30:91] = 1.0
    at = np.linspace(-1, 1, rows.stop - rows.start)
    for row, reach in zip(range(rows.start, rows.stop), np.round(left * np.sqrt(1 - at**2)).astype(int), strict=True):
        mask[row, min(30, 30 - reach) : max(30, 30 - reach)] = float(left > 0)
    return mask


@pytest.mark.parametrize("left", [-9, -5])
def test_body_goes_straight_on_where_one_side_of_the_mask_is_bitten(left):
    found = body_edges(beaker(left=left))
    assert np.abs(found.half_width[5:-5] - 30.5).max() < 1.5  # 61 pixels


@pytest.mark.parametrize("left", [5, 9])
def test_body_leaves_a_lug_on_one_side_out(left):
    found = body_edges(beaker(left=left))
    assert np.abs(found.half_width[5:-5] - 30.5).max() < 1.5
