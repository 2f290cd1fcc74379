"""Tells from a run's folder, from outside of the job, whether the job runs, has ended, or is gone."""

import dataclasses
import json
import os
import socket
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from vaserl.errors import UserError
from vaserl.runs.status import MAX_SILENCE_S, STATUS_FILE, JobState, RunStatus, read_status

ENDED_EXIT = 3
"""Exit code of `vaserl status` for a job that was stopped or failed."""
LOST_EXIT = 4
"""Exit code of `vaserl status` for a job that says "running" but gives no sign of life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedRun:
    """A run as seen from outside: what the job wrote, and whether the job is still there."""

    path: Path
    status: RunStatus
    """What the job wrote. For a run without status.json: what its other files show."""
    state: JobState | Literal["lost"]
    """State of the job. "lost" if it says "running", but its process is gone or has been silent for too long."""
    detail: str
    """Explanation of the state for people; may be empty."""
    age_s: float
    """Seconds since the last sign of life."""

    @property
    def exit_code(self) -> int:
        """0 for a job that runs or has finished, `ENDED_EXIT` if it was stopped or failed, `LOST_EXIT` if it is
        lost."""
        return {"running": 0, "finished": 0, "stopped": ENDED_EXIT, "failed": ENDED_EXIT, "lost": LOST_EXIT}[self.state]

    def as_dict(self) -> dict[str, Any]:
        """Returns one JSON object: the fields of `RunStatus`, with `state` as seen from outside, and `path`, `detail`
        and `age_s`."""
        seen = {"state": self.state, "detail": self.detail, "age_s": round(self.age_s, 1)}
        return {"path": str(self.path), **self.status.as_dict(), **seen}


def observe_run(folder: Path) -> ObservedRun:
    """Returns the state of the run in a folder.

    Raises: UserError if the folder contains no run, or if its status.json can't be read.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; give the run_dir of a job")
    status, source = read_status(folder), ""
    if status is None:
        status = _status_of_files(folder)
        source = "no status.json, so this is what the run's other files show"
    age_s = max(time.time() - status.seen, 0.0)  # clocks of two machines differ
    state, detail = _state(status, age_s)
    return ObservedRun(
        path=folder,
        status=status,
        state=state,
        detail="; ".join(part for part in (detail, source) if part),
        age_s=age_s,
    )


def observe_quickstart(folder: Path) -> dict[str, ObservedRun | None] | None:
    """Returns the states of a quick start's jobs, by the name of the job's folder; None for a job that has not begun to
    write. The result is None if `folder` is not a quick start's.

    Raises: the same as `observe_run`.
    """
    if not (folder / ".quickstart").is_file():
        return None
    from vaserl.runs.quickstart_folder import QuickstartFolder  # loads pyarrow, which other runs don't need

    quickstart = QuickstartFolder(folder)
    paths = [run.path for run in (quickstart.sft, quickstart.grpo, quickstart.evaluation)]
    has_begun = {path: any((path / name).is_file() for name in (STATUS_FILE, "config.toml")) for path in paths}
    return {path.name: observe_run(path) if has_begun[path] else None for path in paths}


def _state(status: RunStatus, age_s: float) -> tuple[JobState | Literal["lost"], str]:
    if status.state != "running":
        return status.state, ""
    is_here = status.pid and status.host == socket.gethostname()
    if is_here and not _is_alive(status.pid):
        return "lost", f"process {status.pid} has ended without saying so (killed, or out of memory)"
    if age_s <= MAX_SILENCE_S:
        return "running", ""
    if is_here:
        return "lost", f"process {status.pid} is there, but silent: it hangs or is suspended"
    return "lost", f"no sign of life for more than {MAX_SILENCE_S:g} s"


def _is_alive(pid: int) -> bool:
    """Returns True if this machine has such a process. A zombie has ended, whether or not its parent has reaped it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return True


def _status_of_files(folder: Path) -> RunStatus:
    """Returns the status of a run without status.json, which an older version of vaserl wrote."""
    try:
        config = tomllib.loads((folder / "config.toml").read_text())
    except FileNotFoundError:
        config = {}
    except (OSError, ValueError) as error:
        raise UserError(f"{folder / 'config.toml'} can't be read: {error}") from error
    metrics = folder / "metrics.jsonl"
    if "trained" in config:
        done = folder / "evaluation.json"
        return _older("evaluate", done if done.is_file() else folder / "config.toml", is_finished=done.is_file())
    if "vases_per_step" in config:
        found = _older("sft", metrics, is_finished=(folder / "model").is_dir())
        return dataclasses.replace(found, step=_last_step(metrics))
    if "num_steps" in config:
        step, num_steps = _last_step(metrics), int(config["num_steps"])
        found = _older("train", metrics, is_finished=step >= num_steps)
        return dataclasses.replace(found, step=step, num_steps=num_steps)
    inside = folder / "grpo"
    hint = f"; did you mean {inside}?" if (inside / "config.toml").is_file() else ""
    raise UserError(f"{folder} holds no run of train, sft or evaluate{hint}")


def _older(job: str, newest: Path, *, is_finished: bool) -> RunStatus:
    seen = newest.stat().st_mtime if newest.exists() else newest.parent.stat().st_mtime
    state = "finished" if is_finished else "running"
    return RunStatus(job=job, state=state, step=0, num_steps=0, started=seen, seen=seen)


def _last_step(metrics: Path) -> int:
    """Returns the last step in metrics.jsonl, 0 if there is none. A killed job can leave the last line incomplete."""
    try:
        lines = metrics.read_text().splitlines()
    except FileNotFoundError:
        return 0
    for line in reversed(lines):
        try:
            return int(json.loads(line)["step"])
        except (ValueError, TypeError, KeyError):
            continue
    return 0
