"""Tests which outlines are taken for a view from above or a ball, and when the network's view outweighs them."""

import numpy as np
import pytest
from PIL import Image

from tests.fakes.turned_vases import SIDE, seen_mask
from tests.vaserl.meshes.test_lathe_handles import column_krater
from vaserl.meshes.cutout.cutout import Cutout, CutoutError
from vaserl.meshes.cutout.outline import convexity, ellipse_likeness, outline_fault
from vaserl.meshes.cutout.views import VIEWS, check_whole

Y, X = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2


def lip_from_above() -> np.ndarray:
    """Returns the mask of a lip of radius 80 pixels seen from straight above, with the plates of two handles."""
    return (np.hypot(X, Y) < 80) | ((np.abs(X) < 95) & (np.abs(Y) < 16))


def egg() -> np.ndarray:
    """Returns a convex outline that is no ellipse: its lower half is a half ellipse, higher than the upper half."""
    return (X / 60) ** 2 + (Y / np.where(Y < 0, 40, 105)) ** 2 < 1


def seen(mask: np.ndarray, **views: float) -> Cutout:
    found = dict.fromkeys(VIEWS, 0.0) | views
    return Cutout(photo=Image.new("RGB", (SIDE, SIDE)), mask=mask, views=found if views else None)


def test_outline_fault_names_views_from_above_and_balls() -> None:
    assert ellipse_likeness(lip_from_above())[0] > 0.97
    assert "seen from above" in outline_fault(lip_from_above())
    assert "round like a ball" in outline_fault(egg())
    large = np.asarray(Image.fromarray(lip_from_above()).resize((4 * SIDE, 4 * SIDE)))
    assert outline_fault(large) == outline_fault(lip_from_above())


def test_outline_fault_keeps_a_ball_with_a_neck_and_side_views() -> None:
    assert outline_fault((np.hypot(X, Y) < 70) | ((np.abs(X) < 22) & (Y < 0) & (Y > -95))) == ""
    assert outline_fault(seen_mask()) == outline_fault(column_krater()) == ""
    assert outline_fault(np.zeros((5, 5), bool)) == ""


def test_convexity_of_an_l() -> None:
    mask = np.zeros((60, 80), bool)
    mask[10:50, 20:60] = True
    assert convexity(mask) == 1.0
    mask[10:30, 40:60] = False
    # the hull of the L lacks a triangle of an eighth of the square
    assert convexity(mask) == pytest.approx(0.75 / 0.875, abs=0.02)
    assert convexity(np.zeros((5, 5), bool)) == 0.0


def test_check_whole_judges_the_outline_only_where_there_is_no_view() -> None:
    check_whole(seen(lip_from_above(), side=0.9, above=0.1))
    with pytest.raises(CutoutError, match="seen from above"):
        check_whole(seen(lip_from_above()))
    check_whole(seen(seen_mask()))
    with pytest.raises(CutoutError, match=r"it seems to show a sherd \(90%\)"):
        check_whole(seen(seen_mask(), side=0.1, sherd=0.9))
    with pytest.raises(CutoutError, match=r"seems to show nothing that is surely a whole vase from the side \(45%\)"):
        check_whole(seen(seen_mask(), side=0.45, sherd=0.3))
