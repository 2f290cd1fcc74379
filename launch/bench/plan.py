"""Runs a training job for a few steps and measures what `launch plan` predicts: seconds of a step and GPU memory.

The job is that of a config file, such as configs/7b/train.toml, with a model of random weights or another one.
"""

import argparse
import dataclasses
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from launch import sft, train
from launch.bench.gpu_memory import GpuMemoryWatch
from launch.bench.timing import circumstances, spread
from launch.plan import config_kind, data_of
from vaserl.errors import UserError
from vaserl.planning.hardware import GIB, parse_cluster
from vaserl.planning.job_plan import JobPlan, plan_job
from vaserl.planning.learner_cost import total
from vaserl.planning.load import job_load
from vaserl.planning.model_shape import read_shape
from vaserl.report.timeline import seconds_by_phase
from vaserl.runs.rows import TimelineSpan
from vaserl.runs.run import Run, SftRun
from vaserl.settings import TrainSettings, load_config

_WARM_UP = 1
"""Number of steps at the start of a run that are not counted: code is compiled and clips are encoded in them."""
PHASES = ("rollout", "reward", "learn", "publish")
"""Phases that a plan predicts. Checkpoints and validations are measured, but a plan does not count them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options that name the job."""
    parser.add_argument("--num-steps", type=int, default=4, help="steps of the run, warm-up included (%(default)s)")
    parser.add_argument("--cluster", required=True, help="this machine as in launch plan, such as 1x1xh200x16")
    parser.add_argument("--text-tokens", type=int, default=40, help="as in launch plan (%(default)s)")
    parser.add_argument("config", type=Path, help="TOML file of a train or sft job")
    parser.add_argument("overrides", nargs=argparse.REMAINDER, help="settings, such as --tasks_per_step 16; come last")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Runs the job in a new run folder and measures its steps, except the first `_WARM_UP` steps.

    Returns: seconds of a step and of its phases, peak of GPU memory, tokens, the prediction for the same settings, and
    the settings themselves, from which `launch plan_errors` computes the prediction again.
    """
    if arguments.num_steps <= _WARM_UP:
        raise UserError(f"--num-steps {arguments.num_steps}: a measurement needs more than {_WARM_UP} steps")
    kind = config_kind(arguments.config)
    settings = load_config(kind, arguments.config, arguments.overrides)
    cluster = parse_cluster(arguments.cluster)
    with tempfile.TemporaryDirectory(prefix="vaserl-bench-") as scratch, GpuMemoryWatch() as memory:
        run_dir = Path(scratch) / "run"
        if isinstance(settings, TrainSettings):
            settings = settings.model_copy(update={"run_dir": run_dir, "num_steps": arguments.num_steps})
            train.run(settings)
            folder: Run | SftRun = Run(run_dir)
        else:
            settings = settings.model_copy(update={"run_dir": run_dir})
            sft.run(settings)
            folder = SftRun(run_dir)
        steps = seconds_of_steps(folder.timeline)
        lengths = [row["length/mean"] for row in folder.metrics if "length/mean" in row]
    size, num_vases = data_of(settings)
    mean = sum(lengths) / len(lengths) if lengths else None
    load = job_load(
        settings,
        frame_size=size,
        num_text=arguments.text_tokens,
        num_vases=num_vases,
        num_new=round(mean) if mean else None,
    )
    shape = read_shape(settings.model.path)
    return {
        "config": str(arguments.config),
        "cluster": arguments.cluster,
        "job": "train" if isinstance(settings, TrainSettings) else "sft",
        "shape": dataclasses.asdict(shape),
        "frame_size": list(size),
        "num_vases": num_vases,
        "num_text_tokens": arguments.text_tokens,
        "length_mean": mean,
        "num_steps_measured": len(steps) - _WARM_UP,
        **measurement(steps[_WARM_UP:], memory.peak_gib),
        "warm_up": steps[:_WARM_UP],
        "predicted": prediction(plan_job(settings, shape, cluster, load)),
        "settings": settings.model_dump(mode="json"),
        **circumstances(),
    }


def seconds_of_steps(spans: Sequence[TimelineSpan]) -> list[dict[str, float]]:
    """Returns the seconds of each step's phases, in the order of the steps; those of a step are all in `PHASES`."""
    by_phase = seconds_by_phase(spans)
    steps = sorted(by_phase["learn"])
    return [{name: by_phase[name][step] for name in by_phase if step in by_phase[name]} for step in steps]


def measurement(steps: Sequence[Mapping[str, float]], peak_gib: float) -> dict[str, Any]:
    """Returns the part of the result that a plan predicts, from the seconds of the counted steps' phases."""
    names = [name for name in steps[0] if name in PHASES]
    return {
        "step_s": spread([sum(step[name] for name in names) for step in steps]),
        "phases_s": {name: spread([step[name] for step in steps]) for name in names},
        "unpredicted_s": {
            name: spread([step[name] for step in steps if name in step])
            for name in sorted({name for step in steps for name in step} - {*PHASES})
        },
        "peak_gpu_gib": peak_gib,
    }


def prediction(plan: JobPlan) -> dict[str, Any]:
    """Returns the same quantities as `measurement`, of a plan."""
    return {
        "step_s": plan.step_s,
        "phases_s": {name: dict(parts) for name, parts in plan.phases.items()},
        "peak_gpu_gib": plan.fullest / GIB,
    }


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    predicted = measured["predicted"]
    rows = [("step", measured["step_s"]["median"], predicted["step_s"], "s")]
    for name, seconds in measured["phases_s"].items():
        rows.append((name, seconds["median"], total(predicted["phases_s"][name]), "s"))
    rows.append(("memory", measured["peak_gpu_gib"], predicted["peak_gpu_gib"], "GiB"))
    lines = [f"{'':10}{'measured':>10}{'predicted':>11}"]
    return "\n".join([*lines, *[f"{name:10}{one:10.2f}{other:11.2f} {unit}" for name, one, other, unit in rows]])
