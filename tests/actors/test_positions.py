"""Positions of the learner against vLLM's own rule."""

from types import SimpleNamespace

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from vaserl.policy.positions import VideoGrid, prompt_positions, temporal_interval


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
