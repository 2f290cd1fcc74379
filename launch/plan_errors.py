"""Compares the cost model of `launch plan` with our own measurements in docs/benchmarks."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaserl.planning.device import device_of
from vaserl.planning.hardware import ACCELERATORS, GIB, parse_cluster
from vaserl.planning.job_plan import JobPlan, plan_job
from vaserl.planning.learner_cost import LearnerCost, total
from vaserl.planning.load import GroupLoad, job_load
from vaserl.planning.model_shape import ModelShape, read_shape
from vaserl.planning.rollout_cost import RolloutCost
from vaserl.settings import LearnerSettings, RolloutSettings, SftSettings, TrainSettings

BENCHMARKS = Path(__file__).parents[1] / "docs" / "benchmarks"
_PLANS = ("plan_h200_7b_32", "plan_h200_7b_16", "plan_h200_3b_32")
"""Measurements of the shipped configs by `launch bench plan`; predicted_h200.json was written before."""
HELD_OUT = ("step_h200_3b", "learner_h200_3b", *_PLANS)
"""Measurements that were not used to fit the constants: those of the other model size, and those of the configs."""
_STEPS = ("step_h200_7b", "step_h200_7b_compiled", "step_h200_7b_checkpoints", "step_h200_3b")
_LEARNERS = ("learner_h200_7b", "learner_h200_7b_256", "learner_h200_3b")
_CLIP = 3072
"""Prompt tokens of the clip in the benchmarks on a GPU: 24 frames of 448 pixels."""
_TINY = ModelShape(
    vocab_size=640,
    hidden_size=192,
    intermediate_size=384,
    num_layers=3,
    num_heads=6,
    num_kv_heads=3,
    is_tied=False,
    tower_depth=3,
    tower_hidden_size=128,
    tower_intermediate_size=256,
)
"""Sizes of the benchmarks' tiny model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One measured value with its prediction."""

    file: str
    """Name of the benchmark's file, without its ending."""
    quantity: str
    """For example "step, s"."""
    measured: float
    predicted: float

    @property
    def error(self) -> float:
        """Relative error of the prediction: 0.1 if it is 10 % too high."""
        return self.predicted / self.measured - 1

    @property
    def is_held_out(self) -> bool:
        """True if the measurement was not used to fit the constants."""
        return self.file in HELD_OUT


def comparisons() -> list[Comparison]:
    """Returns all measurements with their predictions."""
    return [*_of_jobs(), *_of_steps(), *_of_learners(), *_of_engine(), *_of_cpus()]


def replanned(measured: Mapping[str, Any]) -> JobPlan:
    """Returns the prediction that the present cost model makes for a measurement of the bench plan."""
    kind = TrainSettings if measured["job"] == "train" else SftSettings
    settings = kind.model_validate(measured["settings"])
    mean = measured["length_mean"]
    load = job_load(
        settings,
        frame_size=(measured["frame_size"][0], measured["frame_size"][1]),
        num_text=measured["num_text_tokens"],
        num_vases=measured["num_vases"],
        num_new=round(mean) if mean else None,
    )
    return plan_job(settings, ModelShape(**measured["shape"]), parse_cluster(measured["cluster"]), load)


def _read(name: str) -> dict[str, Any]:
    return json.loads((BENCHMARKS / f"{name}.json").read_text())


def _of_times(name: str, measured: Mapping[str, Any], plan: JobPlan) -> Iterator[Comparison]:
    """Compares the seconds of a step and of its two longest phases."""
    yield Comparison(file=name, quantity="step, s", measured=measured["step_s"]["median"], predicted=plan.step_s)
    for phase in ("rollout", "learn"):
        yield Comparison(
            file=name,
            quantity=f"{phase}, s",
            measured=measured["phases_s"][phase]["median"],
            predicted=total(plan.phases[phase]),
        )


def _of_jobs() -> Iterator[Comparison]:
    for name in _PLANS:
        measured = _read(name)
        plan = replanned(measured)
        yield from _of_times(name, measured, plan)
        peak = measured["peak_gpu_gib"]
        yield Comparison(file=name, quantity="peak memory, GiB", measured=peak, predicted=plan.fullest / GIB)


def _of_steps() -> Iterator[Comparison]:
    for name in _STEPS:
        measured = _read(name)
        settings = TrainSettings.model_validate(
            {
                "run_dir": "run",
                "num_steps": 4,
                "tasks_per_step": measured["num_tasks"],
                "checkpoint": {"every": 0},
                "model": {"path": measured["model"]},
                "data": {"path": "data", "num_frames": measured["num_frames"]},
                "rollout": {
                    "num_gpus": 0.5,
                    "group_size": measured["group_size"],
                    "max_new_tokens": measured["num_new_tokens"],
                    "engine_args": {"gpu_memory_utilization": 0.3, "max_num_batched_tokens": 16384},
                },
                "learner": {"num_gpus": 0.4, "compile": measured["compile"], "max_tokens_per_micro_batch": 6000},
                "features": {"num_gpus": 0.1},
            }
        )
        load = job_load(settings, frame_size=(measured["size"], measured["size"]), num_text=15, num_vases=64)
        plan = plan_job(settings, read_shape(measured["model"]), parse_cluster("1x1xh200"), load)
        yield from _of_times(name, measured, plan)


def _of_learners() -> Iterator[Comparison]:
    device = device_of(ACCELERATORS["h200"], "bfloat16")
    for name in _LEARNERS:
        measured = _read(name)
        branches = (measured["num_answer_tokens"],) * measured["group_size"]
        group = GroupLoad(num_clip=_CLIP, num_text=measured["num_prompt_tokens"] - _CLIP, branches=branches)
        settings = LearnerSettings(gradient_checkpointing=measured["checkpointing"])
        for quantity, has_tower in (("shared_features", False), ("shared_pixels", True)):
            cost = LearnerCost(
                shape=read_shape(measured["model"]), device=device, settings=settings, has_tower=has_tower
            )
            seconds = measured["seconds_per_group"][quantity]["median"]
            words = f"group from {quantity.removeprefix('shared_')}, s"
            yield Comparison(file=name, quantity=words, measured=seconds, predicted=total(cost.group_s(group)))
        memory = LearnerCost(shape=read_shape(measured["model"]), device=device, settings=settings).memory(group, 1)
        # this benchmark has no optimizer, and torch does not count the context
        used = sum(memory[name] for name in ("weights", "gradients", "activations"))
        peak = measured["peak_memory_gib"]["shared_features"]
        yield Comparison(file=name, quantity="peak memory, GiB", measured=peak, predicted=used / GIB)


def _of_engine() -> Iterator[Comparison]:
    measured = _read("rollout_h200_7b")
    settings = RolloutSettings(engine_args={"gpu_memory_utilization": 0.5, "max_num_batched_tokens": 16384})
    device = device_of(ACCELERATORS["h200"], "bfloat16")
    engine = RolloutCost(shape=read_shape(measured["model"]), device=device, settings=settings, merges=False)
    group = GroupLoad(
        num_clip=_CLIP,
        num_text=measured["num_prompt_tokens"] - _CLIP,
        branches=(measured["num_new_tokens"],) * measured["group_size"],
    )
    parts = engine.step_s(group, measured["num_tasks"])
    for part in ("prefill", "decode"):
        yield Comparison(
            file="rollout_h200_7b",
            quantity=f"{part}, s",
            measured=measured[f"{part}_s"]["median"],
            predicted=parts[part],
        )


def _of_cpus() -> Iterator[Comparison]:
    measured = _read("learner_cpu_tiny")
    cost = LearnerCost(shape=_TINY, device=device_of(None, "float32"), settings=LearnerSettings())
    group = GroupLoad(num_clip=576, num_text=14, branches=(measured["num_answer_tokens"],) * measured["group_size"])
    yield Comparison(
        file="learner_cpu_tiny",
        quantity="group from features, s",
        measured=measured["seconds_per_group"]["shared_features"]["median"],
        predicted=total(cost.group_s(group)),
    )
    settings = TrainSettings.model_validate(
        {
            "run_dir": "run",
            "num_steps": 16,
            "tasks_per_step": 8,
            "model": {"path": "tiny", "dtype": "float32"},
            "data": {"path": "data", "num_frames": 16},
            "rollout": {"max_new_tokens": 44, "engine_args": {"max_num_seqs": 128}},
            "learner": {"lora": {"rank": 8, "alpha": 16}},
        }
    )
    load = job_load(settings, frame_size=(112, 112), num_text=14, num_vases=8)
    step = plan_job(settings, _TINY, parse_cluster("1x0xcpux4"), load).step_s
    real = _read("overlap_cpu")["real"]["on_policy_step_s"]["median"]
    yield Comparison(file="overlap_cpu", quantity="step, s", measured=real, predicted=step)
