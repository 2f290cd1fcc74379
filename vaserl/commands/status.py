"""vaserl status RUN: prints whether a run's job runs, how far it is, and what it waits for."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vaserl.runs.liveness import ObservedRun

_LABEL_WIDTH = 13


def add(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the subcommand `status` with its arguments to the `vaserl` command."""
    parser = verbs.add_parser(
        "status",
        help="print how far a run is, and whether its job is alive",
        description="Prints state, step, rate, time left, last checkpoint, last sign of life and what the job waits "
        "for. Works while the job runs, from any machine that sees the folder. Needs no Ray and no GPU.",
        epilog='Exit code: 0 the job runs or has finished; 3 it was stopped or failed; 4 it says "running", but its '
        "process is gone or its last sign of life is older than 60 s; 2 the folder holds no run. For a quick start, "
        "the largest code of its jobs. To watch a run: watch -n 10 vaserl status RUN",
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="run_dir of train, sft, evaluate or quickstart")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    """Prints the state of a run, or of each job of a quick start.

    Returns: the exit code that the subcommand's help states.

    Raises: UserError if the folder contains no run, or if the run's files can't be read.
    """
    from vaserl.runs.liveness import observe_quickstart, observe_run

    jobs = observe_quickstart(arguments.run)
    if jobs is None:
        observed = observe_run(arguments.run)
        print(json.dumps(observed.as_dict(), ensure_ascii=False) if arguments.json else status_text(observed))
        return observed.exit_code
    if arguments.json:
        objects = {name: observed and observed.as_dict() for name, observed in jobs.items()}
        print(json.dumps({"path": str(arguments.run), "jobs": objects}, ensure_ascii=False))
    else:
        texts = [status_text(each) if each else f"{arguments.run / name}: not started" for name, each in jobs.items()]
        print("\n\n".join(texts))
    return max((each.exit_code for each in jobs.values() if each), default=0)


def status_text(observed: "ObservedRun") -> str:
    """Returns a run's state as a few aligned lines: "step  12 of 30 (40 %)"."""
    status = observed.status
    unit = "captions" if status.job == "evaluate" else "steps"
    rows: dict[str, str] = {}
    if status.reason:
        rows["error" if observed.state == "failed" else "reason"] = status.reason
    if observed.detail:
        rows["note"] = observed.detail
    if status.step or status.num_steps:
        share = f" of {status.num_steps} ({status.step / status.num_steps:.0%})" if status.num_steps else ""
        rows[unit if unit == "captions" else "step"] = f"{status.step}{share}"
    if status.num_skipped_steps:
        rows["skipped"] = f"{status.num_skipped_steps} steps trained nothing"
    if status.steps_per_hour is not None:
        left = "" if status.left_s is None else f", {_duration(status.left_s)} left"
        rows["rate"] = f"{status.steps_per_hour:.3g} {unit} an hour{left}"
    if observed.state in ("running", "lost"):
        at = status.seen + (observed.age_s if observed.state == "running" else 0.0)
        waits = [
            f"{phase.name}{f' of step {phase.step}' if phase.step else ''}, for {_duration(at - phase.since)}"
            for phase in status.phases
        ]
        if waits:
            rows["waits for" if observed.state == "running" else "waited for"] = "; ".join(waits)
    if status.checkpoint:
        age = _duration(status.seen + observed.age_s - status.checkpoint.time)
        rows["checkpoint"] = f"step {status.checkpoint.step}, {age} ago: {status.checkpoint.place}"
    if status.pid:
        attempt = f", start {status.epoch} of this run" if status.epoch > 1 else ""
        rows["process"] = f"{status.pid} on {status.host}, ran for {_duration(status.seen - status.started)}{attempt}"
    if status.num_failed_writes:
        rows["warning"] = f"{status.num_failed_writes} times status.json could not be written; is the disk full?"
    rows["sign of life" if observed.state in ("running", "lost") else "ended"] = f"{_duration(observed.age_s)} ago"
    lines = [f"  {label:{_LABEL_WIDTH}} {text}" for label, text in rows.items()]
    return "\n".join([f"{observed.path}: {status.job}, {observed.state}", *lines])


def _duration(seconds: float) -> str:
    """Returns a duration with its two largest units: "45 s", "12 min 5 s", "3 h 20 min", "2 d 4 h"."""
    left = max(round(seconds), 0)
    sizes = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    for index, (unit, size) in enumerate(sizes[:-1]):
        if left >= size:
            smaller, smaller_size = sizes[index + 1]
            rest = left % size // smaller_size
            return f"{left // size} {unit}" + (f" {rest} {smaller}" if rest else "")
    return f"{left} s"
