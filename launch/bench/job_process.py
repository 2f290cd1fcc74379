"""A job in processes of its own, which a bench can kill: its start, its processes, and the files that it leaves."""

import os
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from vaserl.files import read_json_lines, sha256_of
from vaserl.runs.run import Run

_MARK = "VASERL_BENCH_JOB"
"""Environment variable with a value of its own for each started job. Ray's processes inherit it."""
COMPARED = (
    *(Run(Path()).metrics_file.name, "validation.jsonl", "validation/*", "rollouts/*", "weights/*/*", "model/*"),
    *("checkpoints/*/state-*", "checkpoints/*/weights-*/*"),
)
"""Patterns of the files of a run's folder that must be identical in a resumed and in an uninterrupted run."""
_POLL_S = 0.005


class JobProcess:
    """A running `python -m launch JOB CONFIG`, whose output goes to a file beside the config."""

    def __init__(self, job: str, config: Path):
        """job: name of the job on the command line. config: path of its TOML file."""
        self._mark = uuid.uuid4().hex
        self.started = time.monotonic()
        with config.with_suffix(".log").open("ab") as log:
            self.driver = subprocess.Popen(
                [sys.executable, "-m", "launch", job, str(config)],
                stdout=log,
                stderr=log,
                env={**os.environ, _MARK: self._mark, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        """True until the driver's process has ended."""
        return self.driver.poll() is None

    @property
    def age_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def wait_until(self, condition: Callable[[], bool], timeout_s: float = 600) -> bool:
        """Blocks until `condition` is true or the driver has ended. Returns: whether the driver is still running.

        Raises: TimeoutError after `timeout_s` seconds.
        """
        until = time.monotonic() + timeout_s
        while self.is_running and not condition():
            if time.monotonic() > until:
                raise TimeoutError(f"{self.driver.args} did not reach the moment to be killed within {timeout_s:.0f} s")
            time.sleep(_POLL_S)
        return self.is_running

    def signal(self, number: int) -> float:
        """Sends a signal to the driver and waits for the driver's end. Returns: the seconds that it took."""
        start = time.monotonic()
        self.driver.send_signal(number)
        self.driver.wait(120)
        return time.monotonic() - start

    def finish(self, timeout_s: float = 600) -> None:
        """Waits for the end of the job. Raises: RuntimeError if the job failed."""
        if self.driver.wait(timeout_s) != 0:
            raise RuntimeError(f"{self.driver.args} ended with code {self.driver.returncode}")

    def processes(self) -> dict[int, str]:
        """Returns the job's processes that are alive, Ray's included: the command line of each process id."""
        return dict(_marked(f"{_MARK}={self._mark}".encode()))

    def wait_until_gone(self, timeout_s: float) -> tuple[float, list[str]]:
        """Waits until no process of the job is left. Returns: the seconds that it took, and the command lines of the
        processes that are still alive after `timeout_s` seconds."""
        start = time.monotonic()
        while (left := self.processes()) and time.monotonic() - start < timeout_s:
            time.sleep(1)
        return time.monotonic() - start, sorted(left.values())


def contents(run_dir: Path) -> dict[str, str]:
    """Returns the SHA-256 of each file of a run that must not depend on interruptions, by the file's path in the run's
    folder."""
    files = sorted(file for pattern in COMPARED for file in run_dir.glob(pattern) if file.is_file())
    return {str(file.relative_to(run_dir)): sha256_of(file) for file in files}


def differences(found: Mapping[str, str], expected: Mapping[str, str]) -> list[str]:
    """Returns the names of the files that only one of two runs has, or whose contents differ."""
    return sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))


def recorded_steps(run_dir: Path) -> list[int]:
    """Returns the steps in metrics.jsonl, in the order of its lines, an incomplete last line left out."""
    return [row["step"] for row in read_json_lines(Run(run_dir).metrics_file, drop_torn=True)]


def starts(run_dir: Path) -> list[dict[str, Any]]:
    """Returns a row for each job that has written to the run, in order."""
    return read_json_lines(Run(run_dir).starts_file, drop_torn=True)


def spans(run_dir: Path) -> Counter[tuple[int, str]]:
    """Returns how often each phase of each step is in timeline.jsonl."""
    rows = read_json_lines(Run(run_dir).timeline_file, drop_torn=True)
    return Counter((row["step"], row["phase"]) for row in rows)


def unfinished_checkpoints(run_dir: Path) -> list[str]:
    """Returns the names of the folders of checkpoints that are being written, or whose writer was killed."""
    try:
        return sorted(entry.name for entry in os.scandir(run_dir / "checkpoints") if entry.name.startswith(".writing-"))
    except FileNotFoundError:
        return []


def _marked(mark: bytes) -> Iterator[tuple[int, str]]:
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                if command:  # a process that has ended, but whose parent has not noticed yet, has none
                    yield int(folder.name), command[:120]
        except OSError:  # it has ended meanwhile, or is another user's
            continue
