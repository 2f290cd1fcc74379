"""Tests the signs of a wrong mask on masks whose values follow by hand."""

from dataclasses import replace

import numpy as np
import pytest

from tests.fakes.turned_vases import lathe_of, seen_mask, with_handles
from vaserl.meshes.lathe.signs import (
    MAX_BODY_ASYMMETRY,
    MIN_SHARED_PROFILE,
    Signs,
    backdrop_inside,
    foot_width,
    has_opening,
    lower_asymmetry,
    mirror_asymmetry,
    model_fault,
    paint_asymmetry,
    rectangularity,
)


def test_rectangularity_of_a_page_and_an_l() -> None:
    page = np.zeros((60, 80), bool)
    page[10:50, 20:60] = True
    assert rectangularity(page) == 1.0
    page[35:45, 25:35] = False  # a gap is filled
    assert rectangularity(page) == 1.0
    page[10:30, 40:60] = False
    assert rectangularity(page) == 0.75
    assert rectangularity(np.zeros((5, 5), bool)) == 0.0


def test_backdrop_inside_counts_what_looks_like_the_backdrop() -> None:
    mask = np.zeros((120, 120), bool)
    mask[20:100, 20:100] = True
    photo = np.where(mask[..., None], np.uint8(40), np.uint8(180)).repeat(3, axis=2).astype(np.uint8)
    assert backdrop_inside(photo, mask) == 0.0
    photo[20:100, 60:100] = 180
    assert backdrop_inside(photo, mask) == pytest.approx(0.5, abs=0.04)
    assert np.isnan(backdrop_inside(photo, np.ones((120, 120), bool)))


def test_asymmetries_by_hand() -> None:
    upright = np.zeros((50, 41), np.float32)
    upright[10:40, 10:31] = 1.0  # symmetric about column 20
    assert mirror_asymmetry(upright) == 0.0
    upright[10:20, 31:35] = 1.0  # 40 pixels beside 630
    assert mirror_asymmetry(upright) == pytest.approx(40 / 670)
    photo = np.full((50, 41, 3), 120, np.uint8)
    assert paint_asymmetry(photo, upright) == pytest.approx(0.0, abs=1e-6)
    photo[:, 21:] = 0
    # lightness 50 on the left and 0 on the right, less at the border between them
    assert 40 < paint_asymmetry(photo, upright) < 51


def test_foot_width_tells_a_foot_from_a_round_bottom() -> None:
    assert foot_width(np.array([10.0] * 80 + [5.0] * 20)) == 0.5
    ball = np.sqrt(np.maximum(50.0**2 - (np.arange(101) - 50.0) ** 2, 0.0))
    # four rows above the bottom of a ball of radius 50: sqrt(50^2 - 46^2) / 50
    assert foot_width(ball) == pytest.approx(np.sqrt(50**2 - 46**2) / 50, abs=0.01)


def test_lathe_returns_the_signs_of_its_mask() -> None:
    mask = seen_mask()
    signs = lathe_of(mask).signs
    assert signs.backdrop_inside == 0.0 and signs.outline_asymmetry < 0.02 and signs.paint_asymmetry < 2.0
    assert signs.rectangularity == pytest.approx(rectangularity(mask), abs=0.02)
    assert 0.3 < signs.foot_width < 0.6  # the amphora's foot is 0.14 wide, its belly 0.3
    assert signs.handles_elsewhere == 0


GOOD = Signs(
    backdrop_inside=0.0,
    outline_asymmetry=0.1,
    body_asymmetry=0.05,
    lower_asymmetry=0.01,
    shared_profile=0.9,
    has_opening=True,
    paint_asymmetry=5.0,
    rectangularity=0.8,
    foot_width=0.5,
    handles_elsewhere=0,
)
"""Signs of a round jug with one handle."""


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"backdrop_inside": float("nan")}, ""),
        ({"backdrop_inside": 0.2}, "20% of what was taken for the vase has the backdrop's colour"),
        ({"rectangularity": 0.98}, "is a rectangle"),
        ({"foot_width": 0.39}, ""),
        ({"foot_width": 0.05}, "stands on a point"),
        ({"shared_profile": 0.6}, "two sides have little in common: broken edges"),
        ({"lower_asymmetry": 0.03}, "two sides differ below the handles, by 3%"),
        ({"lower_asymmetry": 0.03, "body_asymmetry": 0.03}, ""),
        ({"lower_asymmetry": 0.16, "body_asymmetry": 0.03}, ""),
        ({"lower_asymmetry": 0.16, "body_asymmetry": 0.03, "has_opening": False}, "two sides differ"),
    ],
)
def test_model_fault_has_a_reason_for_each_sign(changes: dict[str, float], reason: str) -> None:
    found = model_fault(replace(GOOD, **changes))
    assert reason in found and bool(found) == bool(reason)


def sherd(*, seed: int, jag: float) -> np.ndarray:
    """Returns the mask of an upright trapezium 160 rows high, 100 columns wide at the top and 80 at the bottom, whose
    left and right edges are broken by up to about `jag` columns, each in its own way."""
    rows = np.arange(160)
    waves = np.random.default_rng(seed)
    mask = np.zeros((200, 200), bool)
    edges = [
        50 - rows / 16 + jag * np.sum([np.sin(rows / waves.uniform(6, 20) + waves.uniform(0, 6)) for _ in "abc"], 0) / 2
        for _ in range(2)
    ]
    columns = np.arange(200) - 99.5
    mask[20:180] = (columns > -edges[0][:, None]) & (columns < edges[1][:, None])
    return mask


@pytest.mark.parametrize("seed", range(4))
def test_shared_profile_tells_broken_edges_from_thrown_ones(seed: int) -> None:
    signs = lathe_of(sherd(seed=seed, jag=2.0)).signs
    assert signs.shared_profile < MIN_SHARED_PROFILE
    assert signs.body_asymmetry < MAX_BODY_ASYMMETRY, "symmetric enough otherwise"
    assert model_fault(signs).endswith("broken edges, as of a sherd")
    assert lathe_of(sherd(seed=seed, jag=0.0)).signs.shared_profile == 1.0, "a straight beaker"


def test_shared_profile_of_a_vase_is_near_one_with_and_without_handles_and_if_it_leans() -> None:
    for mask in (seen_mask(), with_handles(seen_mask()), with_handles(seen_mask(), (1,)), seen_mask(tilt_deg=6.0)):
        assert lathe_of(mask).signs.shared_profile > 0.95


def test_lower_asymmetry_looks_below_the_handles_and_for_the_axis() -> None:
    upright = np.zeros((100, 81), np.float32)
    upright[:, 22:62] = 1.0  # the middle lies at 41.5, the array's at 40
    assert lower_asymmetry(upright) == 0.0
    upright[20:50, 62:75] = 1.0  # a handle
    assert lower_asymmetry(upright) == 0.0 and not has_opening(upright > 0.5)
    upright[25:45, 64:72] = 0.0
    assert has_opening(upright > 0.5)
    # the body's lower part is now columns 32 to 61; the axis may be 2 columns off, so at 42: those from 53 on have no
    # counterpart
    upright[60:97, 22:32] = 0.0
    assert lower_asymmetry(upright) == pytest.approx(9 / 30)
    assert lower_asymmetry(np.zeros((9, 9), np.float32)) == 0.0
