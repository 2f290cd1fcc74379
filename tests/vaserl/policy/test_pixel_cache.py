"""Tests rotated and shifted clips against pixels by hand."""

import numpy as np

from vaserl.files.clip import Clip
from vaserl.policy.pixel_cache import rotated, shifted

FRAMES = np.arange(2 * 4 * 4 * 3, dtype=np.uint8).reshape(2, 4, 4, 3)
CLIP = Clip(frames=FRAMES, fps=2.0, frame_indices=(0, 4), num_source_frames=8)


def test_shifted_moves_frames_and_repeats_edges():
    moved = shifted(CLIP, (1, -2)).frames
    assert (moved[:, 1:, :2] == FRAMES[:, :-1, 2:]).all()
    assert (moved[:, 0] == moved[:, 1]).all()  # the top row comes twice
    assert (moved[:, :, 3] == moved[:, :, 1]).all()


def test_rotated_begins_with_a_later_frame():
    turned = rotated(CLIP, 1)
    assert (turned.frames[0] == FRAMES[1]).all()
    assert turned.frame_indices == (4, 0)
