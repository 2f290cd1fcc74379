"""Tests each term of the cost model with numbers computed by hand."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from vaserl.errors import UserError
from vaserl.planning.device import Device
from vaserl.planning.efficiency import Efficiency
from vaserl.planning.hardware import Accelerator
from vaserl.planning.learner_cost import LearnerCost, tower_s
from vaserl.planning.load import GroupLoad, JobLoad, job_load
from vaserl.planning.model_shape import ModelShape, clip_tokens, read_shape
from vaserl.planning.rollout_cost import RolloutCost
from vaserl.settings import LearnerSettings, LoraSettings, RolloutSettings, SftSettings

SMALL = ModelShape(
    vocab_size=100,
    hidden_size=8,
    intermediate_size=16,
    num_layers=2,
    num_heads=4,
    num_kv_heads=2,
    is_tied=False,
    tower_depth=1,
    tower_hidden_size=4,
    tower_intermediate_size=8,
)
"""Per layer 2·8·(8+4) + 3·8·16 = 576 weights; layer_width 6·8 + 3·16 + 2·4 = 104; kv_size 4."""
EXACT = Efficiency(
    **{field.name: 1.0 for field in dataclasses.fields(Efficiency)} | {"passes_forward": 2.0, "passes_backward": 3.0}
)
UNIT = Device(
    kind=Accelerator(name="unit", flops=1000.0, bandwidth=100.0, memory=1e6, link=50.0, network=10.0),
    efficiency=EXACT,
    itemsize=2,
)
GROUP = GroupLoad(num_clip=4, num_text=2, branches=(3, 1))
"""6 prompt tokens, 10 in all; pairs: 6·7/2 + (3·6 + 6) + (1·6 + 1) = 52."""


def learner(**changes: Any) -> LearnerCost:
    return LearnerCost(shape=SMALL, device=UNIT, settings=LearnerSettings(**changes))


def test_group_counts_its_tokens_and_pairs():
    assert (GROUP.num_prompt, GROUP.num_answer, GROUP.num_tokens, GROUP.num_pairs) == (6, 4, 10, 52)
    assert GROUP.feature_bytes(SMALL, 2) == 4 * 8 * 2
    assert clip_tokens(24, 448, 448) == 12 * 16 * 16


def test_shape_counts_its_weights():
    assert (SMALL.num_linear, SMALL.num_head, SMALL.num_text) == (2 * 576, 800, 1152 + 1600)
    assert SMALL.num_tower == 4 * 16 + 3 * 4 * 8 + 16 * (16 + 8)
    assert SMALL.layer_width == 104
    assert SMALL.kv_bytes(2) == 2 * 2 * 4 * 2
    assert SMALL.num_adapter(3) == 2 * 3 * (9 * 8 + 2 * 4 + 3 * 16)
    # the payload that publish_h200_7b measured, 161.5 MB with its headers
    assert read_shape("shape:7b").num_adapter(32) * 2 == pytest.approx(161.54e6, rel=1e-3)
    assert read_shape("Qwen/Qwen2.5-VL-3B-Instruct").is_tied
    with pytest.raises(UserError, match=r"has no config\.json yet"):
        read_shape("runs/sft/model")


def test_shape_is_read_from_a_folder(tiny_model: Path):
    assert read_shape(tiny_model).num_layers == 2


def test_learner_passes_by_hand():
    parts = learner().group_s(GROUP)
    assert parts == {
        "products": 2 * 1152 * 10 * 2 / 1000,
        "attention": 4 * 52 * 8 * 2 * 3.5 / 1000,
        "head": 2 * 800 * 4 * 3 / 1000,
        "elementwise": 10 * 2 * 104 * 2 * (2 + 3) / 100,
        "host": 2 * 3,
    }
    again = learner(gradient_checkpointing=True).group_s(GROUP)
    assert again["products"] == 2 * 1152 * 10 * 3 / 1000
    assert again["attention"] == 4 * 52 * 8 * 2 * 4.5 / 1000
    assert learner(method="full").group_s(GROUP)["products"] == 2 * 1152 * 10 * 3 / 1000
    assert tower_s(SMALL, UNIT, 4) == 2 * SMALL.num_tower * 16 / 1000


def test_learner_memory_by_hand():
    lora = LoraSettings(rank=3)
    trained, whole = 768, (2752 + SMALL.num_tower) * 2
    memory = learner(lora=lora).memory(GROUP, num_groups=1)
    assert memory["weights"] == whole + trained * 2
    assert memory["optimizer"] == trained * 14
    assert memory["activations"] == 10 * 104 * 2 * 2 + 4 * 100 * 4 * 4
    # all groups in one micro-batch, and with checkpointing the inputs of two layers beside one whole layer
    memory = learner(lora=lora, gradient_checkpointing=True).memory(GROUP, num_groups=5)
    assert memory["activations"] == 50 * 104 * 2 + 50 * 2 * 8 * 2 + 20 * 100 * 4 * 4
    shared = learner(method="full", num_ranks=4, deepspeed={"zero_optimization": {"stage": 3}}).memory(GROUP, 1)
    assert shared["weights"] == whole / 4
    assert shared["optimizer"] == 2752 * 14 / 4


def test_engine_step_by_hand():
    engine = RolloutCost(
        shape=SMALL, device=UNIT, settings=RolloutSettings(engine_args={"max_num_seqs": 2}), merges=True
    )
    parts = engine.step_s(GROUP, 1)
    assert parts["prefill"] == 2 * 1152 * 6 / 1000 + 4 * 21 * 8 * 2 / 1000
    # one round: weights once, and two sequences of 6 + 3/2 tokens of 32 bytes
    assert engine.step_s(GROUP, 1)["decode"] == 3 * ((1152 + 800) * 2 + 2 * 7.5 * 32) / 100 + 3 * 1.0
    # two groups are four sequences, of which two run at once
    assert engine.step_s(GROUP, 2)["decode"] == 3 * (2 * (1152 + 800) * 2 + 4 * 7.5 * 32) / 100 + 3 * 2.0
    assert engine.step_s(GROUP, 0)["decode"] == 0
    assert engine.publish_s(768, 10.0, is_lora=True) == 14 * 1.0 + 768 * 2 / 10


def test_divided_engine_reads_its_part_and_waits_for_the_others():
    args = {"tensor_parallel_size": 2, "max_num_seqs": 2}
    parts = RolloutCost(shape=SMALL, device=UNIT, settings=RolloutSettings(engine_args=args), merges=True)
    read = 3 * ((1152 + 800) * 2 + 2 * 7.5 * 32) / 2 / 100
    assert parts.step_s(GROUP, 1)["decode"] == pytest.approx(read + 3 * (1.0 + 2 * 2 * 15e-6))
    assert parts.memory()["base copy"] == 1152 * 2


def test_job_load_of_supervised_training():
    settings = SftSettings.model_validate(
        {
            "run_dir": "run",
            "num_epochs": 2,
            "vases_per_step": 8,
            "questions_per_vase": 2,
            "model": {"path": "m"},
            "data": {"path": "d", "num_frames": 4},
        }
    )
    load = job_load(settings, frame_size=(56, 56), num_text=10, num_vases=20)
    assert load == JobLoad(
        group=GroupLoad(num_clip=8, num_text=10, branches=(128, 32, 32)), num_groups=8, num_steps=5, num_vases=20
    )
