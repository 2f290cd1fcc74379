"""Measures a step of the overlapped loop, in which sampling and learning run at the same time.

The seconds of a step are compared with those of its longer half; the halves are sampling and learning. There are two
measurements. In the first, the halves only sleep, equally long, which shows the overhead of the loop and of Ray alone.
In the second, the real engine and the real learner run on one core each, where they also compete for memory bandwidth
and clock rate.
"""

import argparse
import itertools
import os
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from actors.cluster import connect
from launch import train as job
from launch.bench.sleepers import AlternatingRewards, SleepingEngines, SleepingLearner
from launch.bench.subject import PROMPT, add_model_arguments, make_dataset, model_folder
from launch.bench.timing import circumstances, spread
from vaserl.errors import UserError
from vaserl.grpo import Grpo, train, train_ahead
from vaserl.runs.beginning import begun
from vaserl.runs.recorder import GrpoRecorder
from vaserl.runs.rows import TimelineSpan
from vaserl.runs.run import Run
from vaserl.settings import ClusterSettings, TrainSettings
from vaserl.types import DIMENSIONS, UNVOUCHED, Task

WARM_UP = 2
"""Number of steps at the start of a run that are not counted: in them code is compiled, and the halves do not fully
overlap yet."""
_GROUP_SIZE = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options that set how much is measured; the defaults suit two CPU cores."""
    parser.add_argument("--num-steps", type=int, default=12, help="steps of each run, warm-up included (%(default)s)")
    parser.add_argument("--half", type=float, default=0.5, help="seconds that each half sleeps (%(default)s)")
    parser.add_argument("--no-real", action="store_true", help="measure the sleeping halves only")
    add_model_arguments(parser, "tiny")
    parser.add_argument("--num-tasks", type=int, default=8, help="tasks of a step (%(default)s)")
    parser.add_argument("--num-frames", type=int, default=16, help="frames of a clip: more frames make learning longer")
    parser.add_argument(
        "--max-new-tokens",
        type=int,
        default=44,
        help="tokens of a completion at most: more tokens make sampling longer (%(default)s)",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures the on-policy loop, in which sampling and learning alternate, and the overlapped loop.

    Returns, for sleeping and for real halves:
    * the seconds of sampling (rollout) and of learning without overlap, and of a step of each loop;
    * `ratio_step_over_longer_half`: the median seconds of an overlapped step divided by those of the longer half
      without overlap; 1 for an ideal loop;
    * `ratio_step_over_longer_span`: the same ratio, but with the halves timed while they overlap. This ratio leaves out
      how much the halves slow each other down.
    """
    if arguments.num_steps < WARM_UP + 2:
        raise UserError(f"--num-steps {arguments.num_steps}: a measurement needs {WARM_UP + 2} steps or more")
    cluster = ClusterSettings(num_cpus=2)
    with connect(cluster), tempfile.TemporaryDirectory(prefix="vaserl-bench-") as scratch:
        measured = {"sleeping": compare_loops(partial(run_sleeping, arguments, Path(scratch) / "sleeping"))}
        measured["sleeping"]["note"] = (
            "the halves sleep: this is the overhead of the loop and Ray, without work and contention"
        )
        if not arguments.no_real:
            with model_folder(arguments.model, arguments.scratch) as model:
                dataset = make_dataset(
                    Path(scratch) / "dataset", arguments.num_tasks, num_frames=arguments.num_frames, size=112
                )
                measured["real"] = compare_loops(partial(run_real, arguments, Path(scratch) / "real", model, dataset))
            measured["real"]["load_average"] = os.getloadavg()[0]
    return {**measured, "num_steps": arguments.num_steps, **circumstances()}


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    lines = []
    for name in ("sleeping", "real"):
        if name in measured:
            of = {key: value["median"] for key, value in measured[name].items() if key.endswith("_s")}
            lines.append(
                f"{name:9} rollout {of['rollout_s']:.3f} s, learn {of['learn_s']:.3f} s; a step on-policy "
                f"{of['on_policy_step_s']:.3f} s, ahead {of['ahead_step_s']:.3f} s: "
                f"{measured[name]['ratio_step_over_longer_half']:.3f} of the longer half"
            )
    return "\n".join(lines)


def compare_loops(run_loop: Callable[[str], list[TimelineSpan]]) -> dict[str, Any]:
    """Runs the on-policy and the overlapped loop and compares their timelines.

    `run_loop` runs the loop "on_policy" or "ahead" (the overlapped one) and returns the time span of each phase.
    """
    on_policy, ahead = run_loop("on_policy"), run_loop("ahead")
    rollout, learn = phase_seconds(on_policy, "rollout"), phase_seconds(on_policy, "learn")
    found: dict[str, Any] = {
        "rollout_s": spread(rollout),
        "learn_s": spread(learn),
        "on_policy_step_s": spread(step_seconds(on_policy)),
        "ahead_step_s": spread(step_seconds(ahead)),
        "ahead_rollout_s": spread(phase_seconds(ahead, "rollout")),
        "ahead_learn_s": spread(phase_seconds(ahead, "learn")),
    }
    halves = (found["rollout_s"]["median"], found["learn_s"]["median"])
    spans = (found["ahead_rollout_s"]["median"], found["ahead_learn_s"]["median"])
    return {
        **found,
        "balance_of_halves": min(halves) / max(halves),
        "ratio_step_over_longer_half": found["ahead_step_s"]["median"] / max(halves),
        "ratio_step_over_longer_span": found["ahead_step_s"]["median"] / max(spans),
        "speedup": found["on_policy_step_s"]["median"] / found["ahead_step_s"]["median"],
    }


def phase_seconds(spans: Sequence[TimelineSpan], phase: str) -> list[float]:
    """Returns the seconds of the phase in each step after the first `WARM_UP` steps."""
    return [s.end_s - s.start_s for s in spans if s.phase == phase and s.step > WARM_UP]


def step_seconds(spans: Sequence[TimelineSpan]) -> list[float]:
    """Returns the seconds of each step after the first `WARM_UP` steps. A step lasts from the end of one learn phase to
    the end of the next."""
    ends = [span.end_s for span in spans if span.phase == "learn" and span.step >= WARM_UP]
    return [later - earlier for earlier, later in itertools.pairwise(ends)]


def run_sleeping(arguments: argparse.Namespace, folder: Path, loop: str) -> list[TimelineSpan]:
    """Runs the loop with a fake engine and learner that sleep. Returns: the time spans of the loop's phases."""
    tasks = [
        Task(id=f"v{n}", clip="", prompt=PROMPT, dimensions=DIMENSIONS, record={}, reference="")
        for n in range(arguments.num_tasks)
    ]
    found = Run(folder / loop)
    settings = TrainSettings.model_validate(
        {
            "run_dir": found.path,
            "loop": loop,
            "num_steps": arguments.num_steps,
            "tasks_per_step": arguments.num_tasks,
            "model": {"path": "none"},
            "data": {"path": "none"},
            "checkpoint": {"every": 0},
        }
    )
    grpo, engines = Grpo(settings=settings, tasks=tasks), SleepingEngines(arguments.half, _GROUP_SIZE)
    with begun(found, settings, num_steps=settings.num_steps, data_sha256="") as begin:
        found.write_initial_fingerprint(UNVOUCHED)
        with GrpoRecorder(found, settings, begin) as recorder:
            run_steps = train_ahead if loop == "ahead" else train
            run_steps(grpo, engines, AlternatingRewards(), SleepingLearner(arguments.half), recorder)
    return found.timeline


def run_real(arguments: argparse.Namespace, folder: Path, model: Path, dataset: Path, loop: str) -> list[TimelineSpan]:
    """Runs the loop in the real training job, with engine and learner on one core each.

    Returns: the time spans of the loop's phases.
    """
    settings = TrainSettings.model_validate(
        {
            "run_dir": folder / loop,
            "loop": loop,
            "num_steps": arguments.num_steps,
            "tasks_per_step": arguments.num_tasks,
            "trackers": (),
            "model": {"path": model, "dtype": "float32"},
            "data": {"path": dataset, "num_frames": arguments.num_frames},
            "rollout": {
                "group_size": _GROUP_SIZE,
                "max_new_tokens": arguments.max_new_tokens,
                "num_cpus": 0.8,
                "engine_args": {"max_model_len": 2048, "max_num_seqs": 128},
            },
            # a random model's texts would all get 0 from the vase reward
            "reward": {"functions": ("launch.bench.arbitrary:arbitrary",)},
            "learner": {"num_cpus": 0.9, "learning_rate": 1e-5, "lora": {"rank": 8, "alpha": 16}},
        }
    )
    job.run(settings)
    return Run(settings.run_dir).timeline
