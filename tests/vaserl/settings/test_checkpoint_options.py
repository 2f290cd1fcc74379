"""Tests that options of DeepSpeed with which checkpoints would be incomplete are refused before a job starts."""

from pathlib import Path
from typing import Any

import pydantic
import pytest

from vaserl.settings import LearnerSettings, SftSettings, TrainSettings
from vaserl.settings.checkpoint import CheckpointSettings

PLACES: dict[str, Any] = {"run_dir": Path("r"), "model": {"path": Path("m")}, "data": {"path": Path("d")}}


@pytest.mark.parametrize("kind", [TrainSettings, SftSettings])
@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("offload_optimizer", {"device": "nvme"}),
        ("offload_param", {"device": "nvme"}),
        ("round_robin_gradients", True),
        ("zenflow", {"topk_ratio": 0.1}),
        ("zero_hpz_partition_size", 2),
    ],
)
def test_unstored_options_need_a_run_without_checkpoints(kind: Any, option: str, value: Any):
    more = {"num_steps": 1} if kind is TrainSettings else {}
    learner = LearnerSettings(deepspeed={"zero_optimization": {"stage": 3, option: value}})
    with pytest.raises(pydantic.ValidationError, match=rf"zero_optimization\.{option}.*checkpoint\.every = 0"):
        kind(learner=learner, **more, **PLACES)
    kind(learner=learner, checkpoint=CheckpointSettings(every=0), **more, **PLACES)
    on_cpu = LearnerSettings(deepspeed={"zero_optimization": {"offload_optimizer": {"device": "cpu"}}})
    kind(learner=on_cpu, **more, **PLACES)
