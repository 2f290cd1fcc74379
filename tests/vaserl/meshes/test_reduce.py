"""Tests reducing by area averaging: means by hand."""

import numpy as np

from vaserl.meshes.reduce import reduced, reduced_mask


def test_reduced_averages_areas_and_keeps_what_is_small_enough():
    picture = np.array([[0, 40, 8, 8], [80, 120, 8, 8]], np.uint8)
    assert reduced(picture, 2).tolist() == [[60, 8]]  # (0 + 40 + 80 + 120) / 4 and 8
    assert reduced(picture, 4) is picture and reduced(picture, 9) is picture
    assert reduced(np.zeros((300, 200, 3), np.uint8), 90).shape == (90, 60, 3)


def test_reduced_mask_is_true_where_half_the_area_is():
    mask = np.array([[1, 1, 1, 0], [0, 0, 0, 0]], bool)
    assert reduced_mask(mask, 2).tolist() == [[True, False]]  # half of the left area, a quarter of the right one
