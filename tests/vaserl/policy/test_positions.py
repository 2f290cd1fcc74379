"""Tests position ids by the engine's rule: against numbers by hand, and against vLLM's own function for many numbers of
frames, frame rates and sizes."""

import pytest

from vaserl.policy.positions import VideoGrid, continue_positions, prompt_positions, temporal_interval


def test_prompt_positions_by_hand():
    # two text tokens, a clip of 2 x 1 x 2 whose frames are 3.5 apart, then text
    grid = VideoGrid(time=2, height=1, width=2, temporal_interval=3.5)
    time, height, width = prompt_positions(8, 2, grid).tolist()
    assert time == [0, 1, 2, 2, 5, 5, 6, 7]  # 3.5 is rounded down; text goes on after the largest position
    assert height == [0, 1, 2, 2, 2, 2, 6, 7]
    assert width == [0, 1, 2, 3, 2, 3, 6, 7]


def test_continue_positions_go_on_after_the_prefix():
    grid = VideoGrid(time=1, height=2, width=2, temporal_interval=1.0)
    prefix = prompt_positions(6, 1, grid)
    assert prefix[:, -1].tolist() == [3, 3, 3]
    assert continue_positions(prefix, 2).tolist() == [[4, 5]] * 3


def test_prompt_positions_refuse_a_clip_that_does_not_fit():
    with pytest.raises(ValueError, match="do not fit"):
        prompt_positions(10, 4, VideoGrid(time=2, height=2, width=2, temporal_interval=1.0))


def test_temporal_interval_rounds_seconds_to_float32_first():
    grid = VideoGrid(time=4, height=1, width=1, temporal_interval=temporal_interval(3.0, 2, 25))
    assert prompt_positions(4, 0, grid)[0].tolist() == [0, 16, 33, 50]
