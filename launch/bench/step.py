"""Measures the seconds of a GRPO step in the real training job, by phase and by part of a phase.

Engine and learner share one device.
"""

import argparse
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from launch import train as job
from launch.bench.subject import (
    CUDA_GRAPHS,
    GPU_SHARES,
    add_clip_arguments,
    add_model_arguments,
    engine_args,
    make_dataset,
    model_folder,
)
from launch.bench.timing import circumstances, spread
from vaserl.errors import UserError
from vaserl.report.anatomy import step_figure
from vaserl.runs.rows import TimelineSpan
from vaserl.runs.run import Run
from vaserl.settings import TrainSettings

_WARM_UP = 1
"""Number of steps at the start of a run that are not counted: code is compiled and clips are encoded in them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options that set how much is measured.

    Without a GPU the defaults are small enough for two CPU cores; with one, they suit a large GPU.
    """
    on_gpu = torch.cuda.is_available()
    add_model_arguments(parser)
    parser.add_argument("--num-steps", type=int, default=4, help="steps of the run, warm-up included (%(default)s)")
    parser.add_argument("--num-tasks", type=int, default=16 if on_gpu else 4, help="tasks of a step (%(default)s)")
    parser.add_argument("--group-size", type=int, default=8, help="completions of a task (%(default)s)")
    parser.add_argument(
        "--num-new-tokens", type=int, default=256 if on_gpu else 32, help="tokens of a completion at most (%(default)s)"
    )
    add_clip_arguments(parser)
    parser.add_argument("--rank", type=int, default=32, help="rank of the LoRA adapter (%(default)s)")
    parser.add_argument("--publish", choices=("merge", "adapter"), default="merge")
    parser.add_argument("--compile", action="store_true", help="set learner.compile")
    parser.add_argument("--checkpointing", action="store_true", help="set learner.gradient_checkpointing")
    parser.add_argument(
        "--checkpoint-every", type=int, default=0, help="steps between two checkpoints, 0 for none (%(default)s)"
    )
    parser.add_argument("--svg", type=Path, help="SVG file for a drawing of the step to scale")
    parser.add_argument("--max-tokens", type=int, default=6000, help="tokens of a micro-batch at most (%(default)s)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Runs the training job and measures its steps, except the first `_WARM_UP` steps.

    Returns: the seconds of a step, of each of its phases, and of the parts of the phases learn and publish; and the
    differences of log-probabilities between learner and engine.
    """
    if arguments.num_steps <= _WARM_UP:
        raise UserError(f"--num-steps {arguments.num_steps}: a measurement needs more than {_WARM_UP} steps")
    with (
        tempfile.TemporaryDirectory(prefix="vaserl-bench-") as scratch,
        model_folder(arguments.model, arguments.scratch) as model,
    ):
        # every step has other clips, so that the engine's prefix cache does not hold their prompts
        dataset = make_dataset(
            Path(scratch) / "dataset",
            arguments.num_tasks * arguments.num_steps,
            num_frames=arguments.num_frames,
            size=arguments.size,
        )
        settings = train_settings(arguments, model, dataset, Path(scratch) / "run")
        job.run(settings)
        measured = _summary(arguments, settings.run_dir)
    if arguments.svg:
        arguments.svg.write_bytes(step_figure(measured))
    return measured


def train_settings(arguments: argparse.Namespace, model: Path, dataset: Path, run_dir: Path) -> TrainSettings:
    """Returns the settings of the training job that is measured."""
    on_gpu = torch.cuda.is_available()
    return TrainSettings.model_validate(
        {
            "run_dir": run_dir,
            "num_steps": arguments.num_steps,
            "tasks_per_step": arguments.num_tasks,
            "trackers": (),
            "checkpoint": {"every": arguments.checkpoint_every},
            "max_logprob_gap": 1.0,  # no limit: rounding errors are largest in random weights
            "model": {"path": model, "dtype": "bfloat16" if on_gpu else "float32"},
            "data": {"path": dataset, "num_frames": arguments.num_frames},
            "rollout": {
                "num_gpus": GPU_SHARES["engine"] if on_gpu else 0,
                "num_cpus": 0.8,
                "group_size": arguments.group_size,
                "max_new_tokens": arguments.num_new_tokens,
                "publish": arguments.publish,
                "max_fingerprint_gap": 1.0,
                "engine_args": engine_args({"gpu_memory_utilization": 0.3, **CUDA_GRAPHS}),
            },
            "reward": {"functions": ("launch.bench.arbitrary:arbitrary",)},
            "learner": {
                "num_gpus": GPU_SHARES["learner"] if on_gpu else 0,
                "num_cpus": 0.8,
                "learning_rate": 1e-5,
                "lora": {"rank": arguments.rank, "alpha": 2 * arguments.rank},
                "compile": arguments.compile,
                "gradient_checkpointing": arguments.checkpointing,
                "max_tokens_per_micro_batch": arguments.max_tokens,
            },
            "features": {"num_gpus": GPU_SHARES["encoder"] if on_gpu else 0},
        }
    )


def _summary(arguments: argparse.Namespace, run_dir: Path) -> dict[str, Any]:
    """Returns the measurement as a JSON object, computed from the timeline and the metrics of the run."""
    run = Run(run_dir)
    spans, rows = run.timeline, run.metrics
    steps = range(_WARM_UP + 1, arguments.num_steps + 1)
    phases = {name: [_phase(spans, step, name) for step in steps] for name in ("rollout", "reward", "learn", "publish")}
    whole = [_end(spans, step) - _start(spans, step) for step in steps]
    checkpoints = _checkpoints(spans, whole, steps, arguments.checkpoint_every) if arguments.checkpoint_every else {}
    pieces = [row for row in run.pieces if row.step in steps]
    return {
        "model": arguments.model,
        "num_tasks": arguments.num_tasks,
        "group_size": arguments.group_size,
        "num_new_tokens": arguments.num_new_tokens,
        "num_frames": arguments.num_frames,
        "size": arguments.size,
        "publish": arguments.publish,
        "compile": arguments.compile,
        "checkpointing": arguments.checkpointing,
        "num_steps_measured": len(steps),
        "step_s": spread(whole),
        "phases_s": {name: spread(values) for name, values in phases.items()},
        "idle_s": statistics.median(w - sum(v[i] for v in phases.values()) for i, w in enumerate(whole)),
        "pieces_s": {
            phase: _medians([row.seconds for row in pieces if row.phase == phase]) for phase in ("learn", "publish")
        },
        **checkpoints,
        "length_mean": statistics.mean(row["length/mean"] for row in rows),
        "logprob_gap": [row.get("logprob_gap") for row in rows],
        "fingerprint_gap": [row["publish/fingerprint_gap"] for row in rows],
        **circumstances(),
    }


def _checkpoints(
    spans: Sequence[TimelineSpan], whole: Sequence[float], steps: Sequence[int], every: int
) -> dict[str, Any]:
    """Returns what checkpoints cost: the seconds for which they block a step, and the steps beside which one is written
    compared with the steps beside which none is.

    A checkpoint of step k blocks the end of step k, while the state is copied, and is written beside step k + 1.
    """
    blocked = {step: _phase(spans, step, "checkpoint") for step in steps}
    seconds = {step: all_of_it - blocked[step] for step, all_of_it in zip(steps, whole, strict=True)}
    beside = [seconds[step] for step in steps if (step - 1) % every == 0]
    free = [seconds[step] for step in steps if (step - 1) % every != 0]
    copies = [seconds for step, seconds in blocked.items() if step % every == 0]
    costs = {"copy_s": spread(copies)} if copies else {}
    if beside and free:
        delay = statistics.median(beside) - statistics.median(free) + statistics.median(copies or [0.0])
        costs |= {
            "step_beside_a_write_s": spread(beside),
            "step_without_s": spread(free),
            "delay_share": delay / statistics.median(free),
        }
    return {"checkpoint_every": every, "checkpoint": costs}


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    lines = [
        f"{measured['model']}: a step of {measured['num_tasks']} x {measured['group_size']} takes "
        f"{measured['step_s']['median']:.2f} s"
    ]
    for name, seconds in measured["phases_s"].items():
        made_of = ", ".join(f"{k} {v:.2f}" for k, v in measured["pieces_s"].get(name, {}).items())
        lines.append(f"  {name:8} {seconds['median']:7.2f} s  {made_of}")
    if "delay_share" in measured.get("checkpoint", {}):
        lines.append(
            f"  a checkpoint after each step would make a step {measured['checkpoint']['delay_share']:.1%} longer"
        )
    return "\n".join([*lines, f"  {'idle':8} {measured['idle_s']:7.2f} s"])


def _medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.median(row[name] for row in rows) for name in (rows[0] if rows else ())}


def _phase(spans: Sequence[TimelineSpan], step: int, name: str) -> float:
    return sum(s.end_s - s.start_s for s in spans if s.step == step and s.phase == name)


def _start(spans: Sequence[TimelineSpan], step: int) -> float:
    return min(s.start_s for s in spans if s.step == step)


def _end(spans: Sequence[TimelineSpan], step: int) -> float:
    return max(s.end_s for s in spans if s.step == step)
