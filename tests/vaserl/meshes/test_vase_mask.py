"""Tests of the mask's preparation for the lathe, and the masks that are rejected."""

import numpy as np
import pytest

from tests.fakes.turned_vases import HEIGHT, SIDE, seen_mask, with_handles
from vaserl.meshes.lathe import LatheError
from vaserl.meshes.lathe.vase_mask import vase_mask

GAP = round((SIDE - 1) / 2 - 0.28 * HEIGHT), round((SIDE - 1) / 2 + 0.25 * HEIGHT)
"""Row and column of a pixel in the gap under the right handle."""


def test_vase_mask_keeps_gaps_under_handles_and_fills_other_holes() -> None:
    truth = with_handles(seen_mask())
    assert not truth[GAP]
    faulty = truth.copy()
    faulty[105:119, 105:119] = False  # a highlight on the body
    faulty[GAP[0] + 40, GAP[1] - 12] = False
    faulty[5:12, 5:12] = True  # a label beside the vase
    found = vase_mask(faulty)
    assert not found[GAP] and (found ^ truth).mean() < 1e-3


def test_vase_mask_rejects_empty_and_cut_masks_with_the_reason() -> None:
    with pytest.raises(LatheError, match="no vase found"):
        vase_mask(np.zeros((SIDE, SIDE), bool))
    mask = seen_mask()
    top = np.nonzero(mask.any(axis=1))[0][0]
    with pytest.raises(LatheError, match="cuts the vase at the top"):
        vase_mask(mask[top + 20 :])
    with pytest.raises(LatheError, match="cuts the vase at the left"):
        vase_mask(mask[:, SIDE // 2 - 30 :])
    with pytest.raises(LatheError, match="only 20 x 40 pixels"):
        vase_mask(np.zeros((40, 20), bool))


def test_vase_mask_accepts_a_lip_and_a_foot_at_the_frame_where_the_outline_closes() -> None:
    rows, columns = np.mgrid[:120, :140]
    # an upright ellipse, 101 pixels wide, that the frame cuts near its lowest point: 31 pixels wide there
    ball = ((rows - 62.0) / 60) ** 2 + ((columns - 70.0) / 50) ** 2 <= 1
    assert np.array_equal(vase_mask(ball), ball) and ball[-1].sum() > 0.1 * 100
    with pytest.raises(LatheError, match="cuts the vase at the bottom"):
        vase_mask(ball[:-25])  # 0.76 of its width: a wall that goes on
    neck = ball.copy()
    neck[:30] |= (abs(columns - 70) < 15)[:30]  # as narrow as a lip, but straight
    with pytest.raises(LatheError, match="cuts the vase at the top"):
        vase_mask(neck)


def test_vase_mask_keeps_a_gap_beside_a_thin_neck_that_reaches_into_the_middle() -> None:
    rows, columns = np.mgrid[:200, :200]
    across = columns - 100
    mask = (across**2 + (rows - 130) ** 2 <= 60**2) | ((abs(across) < 10) & (rows > 10) & (rows < 100))
    mask |= (rows > 20) & (rows < 90) & (across >= 0) & (across < 50)
    mask[30:75, 110:140] = False  # the gap begins 10 pixels from the axis; the middle has 12
    faulty = mask.copy()
    faulty[120:140, 105:125] = False  # a highlight, a third of which lies in the middle
    assert np.array_equal(vase_mask(faulty)[30:75, 110:140], mask[30:75, 110:140])
    assert vase_mask(faulty)[120:140, 105:125].all()
