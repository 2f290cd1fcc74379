"""Kills training jobs at random moments and checks that the same command then gives an uninterrupted job's files.

The jobs are small, but real: Ray, vLLM and DeepSpeed with a tiny model and six steps. Each kill sends a signal to the
driver of a job with a run folder of its own; Ray's processes end by themselves. The moments of SIGKILL are spread over
the whole run, its start-up and its end included. Some are chosen inside the write of a checkpoint: the killed job must
have left the folder of an uncommitted checkpoint. Other jobs get SIGTERM, and end by themselves. The same command is
then run to its end. It must write the files of an uninterrupted run byte for byte: metrics, completions, validations,
weights, and the training state in its checkpoints.
"""

import argparse
import contextlib
import json
import random
import signal
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from launch.bench.job_process import (
    JobProcess,
    contents,
    differences,
    recorded_steps,
    spans,
    starts,
    unfinished_checkpoints,
)
from launch.bench.subject import make_dataset, model_folder
from launch.bench.timing import circumstances, spread
from vaserl.errors import UserError
from vaserl.runs.status import read_status
from vaserl.settings import SftSettings, TrainSettings
from vaserl.settings.section import dump_config

NUM_STEPS = 6
KINDS = ("sft", "on_policy", "ahead")
"""Kinds of jobs: supervised fine-tuning of all weights, and GRPO of an adapter with each of the two loops."""
_MAX_ORPHAN_S = 120.0
_MAX_TRIES = 8
_START_UNITS, _END_UNITS = 2, 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options that set the jobs and the numbers of kills."""
    parser.add_argument("--jobs", nargs="+", choices=KINDS, default=list(KINDS), help="kinds of jobs (all)")
    parser.add_argument("--num-kills", type=int, default=10, help="SIGKILLs of each kind of job (%(default)s)")
    parser.add_argument(
        "--num-inside", type=int, default=3, help="how many of them are inside the write of a checkpoint (%(default)s)"
    )
    parser.add_argument("--num-terms", type=int, default=3, help="SIGTERMs of each kind of job (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments (%(default)s)")
    parser.add_argument("--scratch", type=Path, help="empty folder in which the run folders are kept")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Kills and resumes `num_kills` jobs of each kind with SIGKILL and `num_terms` with SIGTERM.

    Returns: totals over all kills; for each kind of job the time of an uninterrupted run, and for each kill the moment,
    the steps recorded until then, the steps redone, the seconds from the second start to its first new step, and the
    names of the files that differ.
    """
    if not 0 <= arguments.num_inside <= arguments.num_kills:
        raise UserError("--num-inside must be between 0 and --num-kills")
    with contextlib.ExitStack() as opened:
        folder = arguments.scratch or Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="resume-")))
        folder.mkdir(parents=True, exist_ok=True)
        model = opened.enter_context(model_folder("tiny", folder))
        data = make_dataset(folder / "data", 14, num_frames=8, size=56, num_val=2)
        measured = {job: _measure(job, KilledJobs(job, folder, model, data), arguments) for job in arguments.jobs}
    kills = [kill for one in measured.values() for kill in one["kills"]]
    return {
        "num_kills": len(kills),
        "num_identical": sum(not kill["different"] for kill in kills),
        "num_inside_write": sum(kill["inside_write"] for kill in kills),
        "max_steps_redone": max((kill["steps_redone"] for kill in kills), default=0),
        "num_orphans": sum(len(kill["orphans"]) for kill in kills),
        "seed": arguments.seed,
        "num_steps": NUM_STEPS,
        "jobs": measured,
        **circumstances(),
    }


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    lines = [
        f"{measured['num_identical']} of {measured['num_kills']} killed runs ended with the files of an uninterrupted "
        f"one; {measured['num_inside_write']} were killed inside a checkpoint's write; at most "
        f"{measured['max_steps_redone']} recorded steps were made again; {measured['num_orphans']} processes were left"
    ]
    for job, one in measured["jobs"].items():
        lines.append(f"{job}: {one['uninterrupted_s']:.0f} s uninterrupted, {one['num_files']} files compared")
        for kill in one["kills"]:
            where = "inside a write" if kill["inside_write"] else ", ".join(kill["phases"]) or "start-up"
            lines.append(
                f"  {kill['signal']} at {kill['moment_s']:5.1f} s, {kill['steps_recorded']} steps recorded, {where}: "
                f"{kill['steps_redone']} redone, ended after {kill['end_s']:.1f} s, first new step after "
                f"{kill['until_new_step_s'] or 0:.1f} s, {'DIFFERENT' if kill['different'] else 'identical'}"
            )
    return "\n".join(lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The moment at which a job is to be killed."""

    share: float
    """Between 0 and 1: the share of the run's progress (see `KilledJobs`), or of its steps for a kill inside a
    write."""
    is_inside: bool = False
    """True for a moment at which a checkpoint is being written."""


def moments(num: int, num_inside: int, draw: random.Random) -> list[Moment]:
    """Returns `num` random moments, each in a part of its own of the run, `num_inside` of them inside a checkpoint's
    write."""
    num_other = num - num_inside
    inside = [Moment(share=(at + draw.random()) / num_inside, is_inside=True) for at in range(num_inside)]
    other = [Moment(share=(at + draw.random()) / num_other) for at in range(num_other)]
    return [*other, *inside]


class KilledJobs:
    """Runs of one kind of job: the uninterrupted one, and those that are killed and resumed.

    A moment is a share of the run's progress and not of its time, most of which is the start-up on a small model, and
    which depends on the machine's load. The start-up counts as much as two steps, the end as much as one.
    """

    def __init__(self, job: str, folder: Path, model: Path, data: Path, changes: Mapping[str, Any] | None = None):
        """folder: where the run folders are made. changes: settings that differ, as nested dictionaries."""
        self._command = "sft" if job == "sft" else "train"
        self._name, self._folder = job, folder
        self._settings = settings_of(job, model, data)
        if changes:
            self._settings = type(self._settings).model_validate(merged_settings(self._settings.model_dump(), changes))
        self._expected: dict[str, str] = {}
        self._spans: Any = None
        self._watchers: list[threading.Thread] = []
        self._found: list[tuple[dict[str, Any], dict[str, Any]]] = []
        self.length_s = self._first_s = self._step_s = self._end_s = 0.0

    def uninterrupted(self) -> int:
        """Runs the job to its end, for the comparison. Returns: the number of files compared."""
        run_dir, config = self._config("uninterrupted")
        process = JobProcess(self._command, config)
        process.wait_until(lambda: bool(recorded_steps(run_dir)))
        self._first_s = process.age_s
        process.wait_until(lambda: len(recorded_steps(run_dir)) == NUM_STEPS)
        last_s = process.age_s
        process.finish()
        self.length_s = process.age_s
        self._step_s, self._end_s = (last_s - self._first_s) / (NUM_STEPS - 1), self.length_s - last_s
        self._expected, self._spans = contents(run_dir), spans(run_dir)
        return len(self._expected)

    def kill(self, number: int, moment: Moment, how: Literal["SIGKILL", "SIGTERM"]) -> dict[str, Any]:
        """Kills a job and runs the same command to its end. Returns: the entry of this kill in the result of the bench.

        A job that ended before the kill, or that had committed the checkpoint before it ended, is tried again.
        """
        for attempt in range(_MAX_TRIES):
            run_dir, config = self._config(f"{how.lower()}-{number}-{attempt}")
            process = JobProcess(self._command, config)
            alive = self._wait(process, run_dir, moment, attempt)
            moment_s = process.age_s
            writing = unfinished_checkpoints(run_dir)
            end_s = process.signal(getattr(signal, how)) if alive else 0.0
            if how == "SIGKILL":  # a job that gets SIGTERM finishes its write
                writing = unfinished_checkpoints(run_dir)
            if alive and (writing or not moment.is_inside):
                break
            process.wait_until_gone(_MAX_ORPHAN_S)
        else:
            raise RuntimeError(f"{self._name}: no job could be killed at {moment} in {_MAX_TRIES} tries")
        gone: dict[str, Any] = {}
        self._watchers.append(threading.Thread(target=_watch, args=(process, gone)))
        self._watchers[-1].start()
        before = recorded_steps(run_dir)
        found = {
            "signal": how,
            "moment_s": moment_s,
            "progress": moment.share,
            "inside_write": bool(writing),
            "phases": _phases(run_dir),
            "steps_recorded": len(before),
            "end_s": end_s,
            "exit_code": process.driver.returncode,
            "tries": attempt + 1,
            **self._resume(run_dir, config, before),
        }
        self._found.append((found, gone))
        return found

    def wait_for_orphans(self) -> None:
        """Waits until no process of the killed jobs is left, and adds what was found to the results of `kill`."""
        for watcher in self._watchers:
            watcher.join()
        for found, gone in self._found:
            found |= gone

    def _wait(self, process: JobProcess, run_dir: Path, moment: Moment, attempt: int) -> bool:
        if moment.is_inside:
            step = 1 + int(moment.share * NUM_STEPS)
            place = run_dir / "checkpoints" / f".writing-step={step:05d}-e1"
            return process.wait_until(place.exists)
        progress = moment.share * (_START_UNITS + NUM_STEPS + _END_UNITS) - _START_UNITS
        if progress < 0:
            until_s = (1 + progress / _START_UNITS) * self._first_s * 0.9**attempt
            return process.wait_until(lambda: process.age_s >= until_s)
        num_steps = min(int(progress), NUM_STEPS)
        process.wait_until(lambda: len(recorded_steps(run_dir)) >= num_steps)
        after_s = (progress - num_steps) * (self._end_s if num_steps == NUM_STEPS else self._step_s) * 0.5**attempt
        until_s = process.age_s + after_s
        return process.wait_until(lambda: process.age_s >= until_s)

    def _resume(self, run_dir: Path, config: Path, before: Sequence[int]) -> dict[str, Any]:
        num_starts = len(starts(run_dir))
        process = JobProcess(self._command, config)
        process.wait_until(lambda: len(starts(run_dir)) > num_starts)
        found: dict[str, Any] = {}
        if len(starts(run_dir)) > num_starts:
            after_step = starts(run_dir)[-1]["after_step"]
            process.wait_until(lambda: len(recorded_steps(run_dir)) > after_step)
            found = {
                "after_step": after_step,
                "steps_redone": len(before) - after_step,
                "until_new_step_s": process.age_s if after_step < NUM_STEPS else None,
            }
        process.finish()
        steps = recorded_steps(run_dir)
        different = differences(contents(run_dir), self._expected)
        if steps != list(range(1, NUM_STEPS + 1)):
            different.append(f"the steps of metrics.jsonl: {steps}")
        if spans(run_dir) != self._spans:
            different.append(f"timeline.jsonl: {(spans(run_dir) - self._spans) + (self._spans - spans(run_dir))}")
        # a run that had finished begins nothing
        nothing = {"after_step": NUM_STEPS, "steps_redone": 0, "until_new_step_s": None}
        return {**nothing, **found, "resumed_s": process.age_s, "different": different}

    def _config(self, name: str) -> tuple[Path, Path]:
        run_dir = self._folder / f"{self._name}-{name}"
        config = run_dir.with_suffix(".toml")
        config.write_text(dump_config(self._settings.model_copy(update={"run_dir": run_dir})))
        return run_dir, config


def settings_of(job: str, model: Path, data: Path) -> SftSettings | TrainSettings:
    """Returns the settings of a small job of a kind in `KINDS`; its run folder must be replaced."""
    common: dict[str, Any] = {
        "run_dir": model.parent / "run",
        "model": {"path": model, "dtype": "float32"},
        "data": {"path": data, "num_frames": 4},
        "cluster": {"num_cpus": 2},
    }
    learner: dict[str, Any] = {"num_cpus": 0.5, "deepspeed": {"zero_optimization": {"stage": 2}}}
    if job == "sft":  # 12 vases, two epochs of three steps
        learner |= {"method": "full", "train_vision": True, "learning_rate": 1e-3, "schedule": "cosine"}
        own = {"num_epochs": 2, "vases_per_step": 4, "checkpoint": {"every": 1, "keep_last": 99}, "learner": learner}
        return SftSettings.model_validate(common | own)
    learner |= {"num_ranks": 2, "learning_rate": 0.02, "lora": {"rank": 8, "alpha": 16}}
    return TrainSettings.model_validate(
        common
        | {
            "num_steps": NUM_STEPS,
            "loop": job,
            "tasks_per_step": 3,
            "rollout": {
                "group_size": 4,
                "max_new_tokens": 10,
                "num_cpus": 0.5,
                "engine_args": {"max_model_len": 512, "max_num_seqs": 16},
            },
            "reward": {"functions": ["launch.bench.arbitrary:arbitrary"]},
            "loss": {"beta": 0.01},
            "validation": {"every": 2},
            "checkpoint": {"keep_last": 99},
            "learner": learner,
        }
    )


def _measure(job: str, jobs: KilledJobs, arguments: argparse.Namespace) -> dict[str, Any]:
    num_files = jobs.uninterrupted()
    print(f"{job}: {jobs.length_s:.1f} s, {num_files} files", file=sys.stderr, flush=True)
    draw = random.Random(f"{arguments.seed} {job}")
    kills = []
    planned: list[tuple[Literal["SIGKILL", "SIGTERM"], Moment]] = [
        *(("SIGKILL", moment) for moment in moments(arguments.num_kills, arguments.num_inside, draw)),
        *(("SIGTERM", moment) for moment in moments(arguments.num_terms, min(1, arguments.num_terms), draw)),
    ]
    for number, (how, moment) in enumerate(planned):
        kills.append(jobs.kill(number, moment, how))
        print(f"{job} {number}: {json.dumps(kills[-1])}", file=sys.stderr, flush=True)
    jobs.wait_for_orphans()
    until = [kill["until_new_step_s"] for kill in kills if kill["until_new_step_s"]]
    ends = [kill["end_s"] for kill in kills if kill["signal"] == "SIGTERM"]
    return {
        "uninterrupted_s": jobs.length_s,
        "num_files": num_files,
        "until_new_step_s": spread(until) if until else None,
        "end_after_sigterm_s": spread(ends) if ends else None,
        "kills": kills,
    }


def _phases(run_dir: Path) -> list[str]:
    """Returns the phases that the killed job was in, as status.json states them, which is at most 0.5 s old."""
    with contextlib.suppress(UserError):
        status = read_status(run_dir)
        return [f"{phase.name} of step {phase.step}" for phase in status.phases] if status else []
    return []


def _watch(process: JobProcess, found: dict[str, Any]) -> None:
    seconds, orphans = process.wait_until_gone(_MAX_ORPHAN_S)
    found |= {"all_gone_s": seconds, "orphans": orphans}


def merged_settings(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns nested settings with some of them changed; both are nested dictionaries."""
    merged = dict(values)
    for name, value in changes.items():
        merged[name] = merged_settings(merged[name], value) if isinstance(value, Mapping) and name in merged else value
    return merged
