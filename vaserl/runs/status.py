"""A run's sign of life: the file status.json in the run folder, which `vaserl status` and other programs read.

While a job runs, a thread rewrites the file every few seconds. So a reader can tell a job that waits from a job that is
gone, on any machine that sees the folder.
"""

import dataclasses
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

from vaserl.errors import UserError
from vaserl.runs.claim import read_epoch
from vaserl.runs.recent_rate import RecentRate

STATUS_FILE = "status.json"
HEARTBEAT_S = 5.0
"""Largest time in seconds between two writes of status.json while a job runs."""
MAX_SILENCE_S = 60.0
"""Age in seconds of the last sign of life above which a job that says "running" is taken for lost."""
_WRITE_EVERY_S = 0.5
"""Smallest time in seconds between two writes, so that short phases don't keep a slow disk busy."""

JobState = Literal["running", "finished", "stopped", "failed"]
"""State of a job as the job itself wrote it. "stopped" is an end by a signal or a person, "failed" an end by an
error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPhase:
    """A part of a step that a job is in now: what it waits for."""

    name: str
    """Name of the phase as in timeline.jsonl: "rollout", "reward", "learn", "publish", …"""
    step: int
    """Step that the phase belongs to; 0 if it belongs to none."""
    since: float
    """Start of the phase in seconds since 1970 (Unix time)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCheckpoint:
    """The checkpoint that a job has written last."""

    step: int
    """Last step that the checkpoint contains."""
    time: float
    """End of the write in seconds since 1970 (Unix time)."""
    place: str
    """Path or URL of the checkpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStatus:
    """Content of status.json. Times are in seconds since 1970 (Unix time), of the clock of the job's machine."""

    job: str
    """Kind of the job: "train", "sft" or "evaluate"."""
    state: JobState
    reason: str = ""
    """First line of the error of a failed job, or what stopped a stopped one."""
    step: int
    """Last finished step; for an evaluation, the number of captions written."""
    num_steps: int
    """Number of steps of the whole run; 0 if unknown."""
    steps_per_hour: float | None = None
    """Recent rate; None before the first step has ended."""
    left_s: float | None = None
    """Estimated seconds until the end; None before the first step has ended and after the job has ended."""
    phases: tuple[OpenPhase, ...] = ()
    """Phases that the job is in now, oldest first; more than one in the loop "ahead"."""
    checkpoint: SavedCheckpoint | None = None
    num_skipped_steps: int = 0
    """Number of this process's steps that trained nothing, whatever the reason."""
    pid: int = 0
    """Process id of the job's driver; 0 if unknown."""
    host: str = ""
    epoch: int = 0
    """Number of times that a job has claimed the run folder; it grows with each resume."""
    started: float
    """Start of this process of the job."""
    seen: float
    """Last sign of life: the time of this write."""
    num_failed_writes: int = 0
    """Number of times that status.json could not be written, for example because the disk was full."""

    def as_dict(self) -> dict[str, Any]:
        """Returns the status as the JSON object that is written to status.json."""
        return dataclasses.asdict(self)


class SignsOfLife:
    """Writer of a job's status.json, for the duration of a `with` block.

    The file is written by a thread, so that a slow or full disk delays no step and fails no job. Thread-safe.
    """

    def __init__(self, folder: Path, job: str, num_steps: int, *, step: int = 0, epoch: int = 0):
        """step: last step that an earlier, interrupted process finished. epoch: see `RunStatus.epoch`."""
        self._file = folder / STATUS_FILE
        self._rate = RecentRate(step)
        now = time.time()
        self._status = RunStatus(
            job=job,
            state="running",
            step=step,
            num_steps=num_steps,
            pid=os.getpid(),
            host=socket.gethostname(),
            epoch=epoch,
            started=now,
            seen=now,
        )
        self._phases: dict[int, OpenPhase] = {}
        self._lock = threading.Lock()
        self._write_lock = threading.Lock()
        self._changed, self._stop = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def phase(self, step: int, name: str) -> Iterator[None]:
        """Lists a `with` block among the phases that the job is in."""
        entered = OpenPhase(name=name, step=step, since=time.time())
        with self._lock:
            self._phases[id(entered)] = entered
        self._changed.set()
        try:
            yield
        finally:
            with self._lock:
                del self._phases[id(entered)]
            self._changed.set()

    def advanced(self, count: int = 1) -> None:
        """Adds `count` finished steps."""
        with self._lock:
            self._rate.advance(count)
        self._update(step=self._rate.done)

    def checkpointed(self, step: int, place: str) -> None:
        """Notes a checkpoint that was written just now. place: its path or URL."""
        self._update(checkpoint=SavedCheckpoint(step=step, time=time.time(), place=place))

    def skipped(self) -> None:
        """Counts a step that trained nothing."""
        self._update(num_skipped_steps=self._status.num_skipped_steps + 1)

    def stopped(self, reason: str) -> None:
        """Notes that the job is going to end before its last step, and why: "SIGTERM". The end of the `with` block then
        writes the state "stopped"."""
        self._update(reason=reason)

    def waits_for(self) -> dict[str, int | str]:
        """Returns what the job waits for, for a progress line: step, names of the open phases, seconds in the oldest.

        Example: {"step": 3, "waiting_for": "learn,rollout", "waiting_s": 12}. Empty between phases.
        """
        phases = self.read().phases
        if not phases:
            return {}
        steps = [phase.step for phase in phases if phase.step]
        return {
            **({"step": min(steps)} if steps else {}),
            "waiting_for": ",".join(phase.name for phase in phases),
            "waiting_s": round(time.time() - phases[0].since),
        }

    def read(self) -> RunStatus:
        """Returns the status of this moment."""
        with self._lock:
            return dataclasses.replace(
                self._status,
                steps_per_hour=self._rate.units_per_hour,
                left_s=self._rate.left_s(self._status.num_steps) if self._status.state == "running" else None,
                phases=tuple(self._phases.values()),
                seen=time.time(),
            )

    def __enter__(self) -> Self:
        self._write()
        self._thread = threading.Thread(target=self._repeat, name="signs of life", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None):
        self._stop.set()
        self._changed.set()
        if self._thread:
            self._thread.join(timeout=HEARTBEAT_S)  # it may hang in a write to a network disk that is away
        reason = self._status.reason
        # what is no Exception, such as KeyboardInterrupt, is an end from outside
        if reason or (error is not None and not isinstance(error, Exception)):
            self._update(state="stopped", reason=reason or first_line(error))
        elif error is not None:
            self._update(state="failed", reason=first_line(error))
        else:
            self._update(state="finished")
        self._write()

    def _update(self, **fields: Any) -> None:
        with self._lock:
            self._status = dataclasses.replace(self._status, **fields)
        self._changed.set()

    def _repeat(self) -> None:
        while not self._stop.wait(_WRITE_EVERY_S):
            self._changed.wait(HEARTBEAT_S - _WRITE_EVERY_S)
            self._changed.clear()
            if not self._stop.is_set():
                self._write()

    def _write(self) -> None:
        if read_epoch(self._file.parent) > self._status.epoch > 0:
            return  # another job has taken the run over, and its status is the run's
        if not self._write_lock.acquire(timeout=HEARTBEAT_S):
            return  # the thread hangs in its write
        # Always the same temporary name, so that a killed job leaves at most one. No fsync: after a power failure the
        # file is out of date anyway.
        aside = self._file.with_name(".writing-status")
        try:
            aside.write_text(json.dumps(self.read().as_dict(), indent=1, ensure_ascii=False) + "\n")
            aside.replace(self._file)
        except OSError as error:
            if not self._status.num_failed_writes:
                with suppress(OSError, ValueError):
                    print(f"{self._file} can't be written, the run goes on: {error}", file=sys.stderr, flush=True)
            with self._lock:
                self._status = dataclasses.replace(self._status, num_failed_writes=self._status.num_failed_writes + 1)
        finally:
            self._write_lock.release()


def first_line(error: BaseException | None) -> str:
    """Returns the class of an error and the first line of its message: "RuntimeError: out of memory"."""
    message = str(error).strip().splitlines()
    return f"{type(error).__name__}: {message[0]}" if message else type(error).__name__


def read_status(folder: Path) -> RunStatus | None:
    """Returns the content of status.json in a run folder, or None if there is no such file.

    Raises: UserError if the file is damaged or was written by another version of vaserl.
    """
    file = folder / STATUS_FILE
    try:
        found = json.loads(file.read_text())
        phases = tuple(OpenPhase(**phase) for phase in found.pop("phases"))
        checkpoint = found.pop("checkpoint")
        return RunStatus(phases=phases, checkpoint=checkpoint and SavedCheckpoint(**checkpoint), **found)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise UserError(
            f"{file} can't be read: {error!r}. It is damaged, or another version of vaserl wrote it; a running job "
            f"writes it again within {HEARTBEAT_S:g} s"
        ) from error
