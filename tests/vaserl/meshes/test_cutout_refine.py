"""Tests of the refinement of a coarse mask by GrabCut, on drawn photographs whose mask is known."""

import cv2
import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from vaserl.meshes.cutout.refine import refine_mask
from vaserl.meshes.silhouette import intersection_over_union

SIDE = 300
Y, X = np.mgrid[:SIDE, :SIDE] - (SIDE - 1) / 2
BODY = np.hypot(X, Y / 1.2) < 80
GAP = (np.hypot(X - 82, Y) < 26) & ~BODY
"""Opening of a handle on the right."""
HANDLE = (np.hypot(X - 82, Y) < 40) & ~BODY & ~GAP
TRUTH = BODY | HANDLE


def photo_of(mask: np.ndarray, clay: tuple[int, int, int] = (150, 80, 40)) -> np.ndarray:
    """Returns a vase on a grey sweep that darkens to the bottom, with grain and soft edges, uint8 [H, W, 3]."""
    ground = (190 - 0.2 * Y)[..., None] * np.array([1.0, 0.99, 0.97])
    soft = ndimage.gaussian_filter(mask.astype(float), 0.7)[..., None]
    grain = np.random.default_rng(0).normal(0, 2, (SIDE, SIDE, 1))
    return (np.array(clay) * soft + ground * (1 - soft) + grain).clip(0, 255).astype(np.uint8)


def unsure(mask: np.ndarray) -> np.ndarray:
    """Returns the probability of "vase" of a network that is sure of no pixel, float32 [H, W]."""
    return np.where(mask, 0.7, 0.3).astype(np.float32)


def test_refine_mask_finds_the_outline_of_a_coarse_mask():
    low = Image.fromarray((TRUTH * 255).astype(np.uint8)).resize((48, 48), Image.Resampling.BOX)
    coarse = np.asarray(low.resize((SIDE, SIDE), Image.Resampling.NEAREST)) / np.float32(255)
    assert intersection_over_union(coarse >= 0.5, TRUTH) < 0.96
    refined = refine_mask(photo_of(TRUTH), coarse)
    assert refined.dtype == bool and intersection_over_union(refined, TRUTH) > 0.985


def test_refine_mask_opens_a_gap_in_the_backdrops_colour_and_leaves_a_pale_patch():
    filled = TRUTH | GAP
    refined = refine_mask(photo_of(TRUTH), unsure(filled))
    assert not refined[GAP & (ndimage.distance_transform_edt(GAP) > 2)].any()
    assert intersection_over_union(refined, TRUTH) > 0.985
    # a patch of the backdrop's colour at the outline of the body on the left, and one in its middle
    pale = (np.hypot(X + 70, Y) < 22) | (np.hypot(X, Y - 30) < 15)
    photo = photo_of(TRUTH & ~pale)
    assert refine_mask(photo, unsure(filled))[pale & (ndimage.distance_transform_edt(filled) > 6)].all()


def test_refine_mask_leaves_what_the_network_is_sure_of():
    """A glaze in the backdrop's colour at the outline, and a lamp's reflection beside the middle."""
    glaze = TRUTH & (X < -60)
    lamp = np.hypot(X - 45, Y + 20) < 16
    photo = photo_of(TRUTH & ~glaze & ~lamp)
    refined = refine_mask(photo, np.where(TRUTH, 0.99, 0.01).astype(np.float32))
    assert refined[glaze].all() and refined[lamp].all()
    assert not refine_mask(photo, unsure(TRUTH))[glaze & BODY].all(), "the colours alone would take it away"


def test_refine_mask_is_the_same_for_each_number_of_threads_and_keeps_their_number():
    photo, threads = photo_of(TRUTH), cv2.getNumThreads()
    found = []
    try:
        for number in (1, 3):
            cv2.setNumThreads(number)
            cv2.setRNGSeed(number)
            found.append(refine_mask(photo, unsure(TRUTH | GAP)))
            assert cv2.getNumThreads() == number
    finally:
        cv2.setNumThreads(threads)
    assert np.array_equal(*found)


def test_refine_mask_works_at_a_limited_size():
    large = np.kron(TRUTH, np.ones((4, 4), bool))
    photo = np.asarray(Image.fromarray(photo_of(TRUTH)).resize((4 * SIDE, 4 * SIDE)))
    coarse = np.roll(large, 8, axis=1)
    assert intersection_over_union(coarse, large) < 0.97
    refined = refine_mask(photo, unsure(coarse))
    assert refined.shape == large.shape and intersection_over_union(refined, large) > 0.98


@pytest.mark.parametrize("value", [False, True])
def test_refine_mask_leaves_masks_without_an_outline(value: bool):
    mask = np.full((SIDE, SIDE), value)
    assert np.array_equal(refine_mask(photo_of(TRUTH), mask.astype(np.float32)), mask)
