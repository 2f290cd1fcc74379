"""Tests position ids by the engine's rule: against numbers by hand, and against vLLM's own function for many numbers of
frames, frame rates and sizes."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

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


@settings(max_examples=300, deadline=None)
@given(
    frames=st.integers(1, 24),
    fps=st.sampled_from([0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 7.5, 8.0, 24.0]),
    height=st.integers(1, 16),
    width=st.integers(1, 16),
    before=st.integers(0, 9),
    after=st.integers(0, 9),
    tokens_per_second=st.sampled_from([1, 2, 4, 25]),
)
def test_prompt_positions_are_the_engines(frames, fps, height, width, before, after, tokens_per_second):
    from vllm.model_executor.models.qwen2_5_vl import Qwen2_5_VLForConditionalGeneration as Engine

    interval = temporal_interval(fps, 2, tokens_per_second)
    grid = VideoGrid(time=frames, height=height, width=width, temporal_interval=interval)
    total = before + grid.num_tokens + after
    data = {
        "video_grid_thw": SimpleNamespace(data=torch.tensor([frames, height * 2, width * 2])),
        "second_per_grid_ts": SimpleNamespace(data=torch.tensor(2 / fps)),
    }
    feature = SimpleNamespace(mm_position=SimpleNamespace(offset=before), data=data, modality="video")
    vision = SimpleNamespace(spatial_merge_size=2, tokens_per_second=tokens_per_second)
    fake = SimpleNamespace(config=SimpleNamespace(vision_config=vision))
    fake.iter_mm_grid_thw = lambda features: Engine.iter_mm_grid_thw(fake, features)
    theirs, _ = Engine.get_mrope_input_positions(fake, [0] * total, [feature])
    assert torch.equal(prompt_positions(total, before, grid), theirs)
