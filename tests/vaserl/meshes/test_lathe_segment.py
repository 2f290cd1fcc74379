"""Tests cutting the vase out of its photograph, and the photographs that are rejected."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from tests.fakes.turned_vases import CLAY, HEIGHT, SIDE, departure, photograph, seen_mask, with_handles
from vaserl.meshes.lathe import LatheError, lathe, segment


@pytest.mark.parametrize(
    "paper", [(255, 255, 255), (128, 128, 130), (180, 198, 215), (70, 74, 84)], ids=["white", "grey", "blue", "dark"]
)
@pytest.mark.parametrize("clay", [CLAY, (214, 200, 172)], ids=["clay", "white-ground"])
def test_segment_on_plain_backgrounds_with_a_gradient_and_a_shadow(
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


def test_segment_uses_transparency_before_colour() -> None:
    mask = seen_mask()
    rng = np.random.default_rng(1)
    clutter = rng.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    result = lathe(np.concatenate([clutter, (mask * 255).astype(np.uint8)[..., None]], axis=-1))
    assert departure(result.profile) <= 0.015
    with pytest.raises(LatheError, match="not plain"):
        lathe(clutter)


def test_segment_rejects_blank_and_cut_photographs_with_the_reason() -> None:
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
