"""Tests compiled layers in bfloat16 against the same layers run eagerly, which round as the engine does."""

from pathlib import Path

import pytest
import torch

from actors.rank import LearnerRank
from tests.conftest import make_clip
from vaserl.policy.groups import Branch, PrefixGroup
from vaserl.policy.layout import shared_prefix_layout
from vaserl.policy.prompter import Prompter
from vaserl.settings import DataSettings, LearnerSettings, LoraSettings, ModelSettings

YOUNG = 1e-4
"""Size of the LoRA matrix B after the first steps: what the adapter adds to an activation is below bfloat16's
resolution."""


@pytest.fixture(autouse=True)
def stance():
    yield
    torch.compiler.set_stance("default")


def test_learner_rank_compiled_rounds_a_young_adapter_as_eager_does(tiny_model: Path, dataset: Path):
    learner = LearnerSettings(lora=LoraSettings(rank=8, alpha=16), compile=True)
    rank = LearnerRank(
        ModelSettings(path=tiny_model, dtype="bfloat16"),
        DataSettings(path=dataset, num_frames=8),
        learner,
        rank=0,
        seed=0,
        num_steps=1,
    )
    policy, prompter = rank._policy.to(torch.bfloat16), Prompter(tiny_model)
    for name, parameter in policy.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_(std=YOUNG)
    pixels = prompter.pixels(make_clip(0))
    ids = prompter.token_ids("Describe the vase.", pixels.grid)
    group = PrefixGroup(
        prefix_ids=ids,
        video_start=ids.index(prompter.video_token_id),
        grid=pixels.grid,
        branches=tuple(Branch(context_ids=(), target_ids=tuple(range(first, first + 9))) for first in (20, 40)),
    )
    layout = shared_prefix_layout([group])
    with torch.no_grad():
        compiled, _ = policy([pixels], layout)
        torch.compiler.set_stance("force_eager")
        eager, _ = policy([pixels], layout)
    assert torch.equal(compiled, eager)
