"""Attempts of a run: each submission of the same run has the run's name and the next number."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vaserl.errors import USER_ERROR_EXIT, UserError

STOPPED_EXIT = 143
"""Exit code of a job that was stopped: 128 + the number of SIGTERM."""
_FAILED_EXIT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One submission of a run, as Ray's job server knows it."""

    id: str
    """Ray's submission id: name of the run, a dot, number of the attempt."""
    output: str
    """Folder that the run writes to; empty for a job of another origin."""
    status: str
    """PENDING, RUNNING, STOPPED, SUCCEEDED or FAILED."""
    driver_exit_code: int | None = None
    """Exit code of the job's process, negative after a signal; None if it never began or Ray ended it."""
    message: str = ""

    @property
    def run(self) -> str:
        """Name of the run."""
        return self.id.rpartition(".")[0]

    @property
    def number(self) -> int:
        """Number of the attempt, from 1; 0 for a job that was not submitted by this program."""
        number = self.id.rpartition(".")[2]
        return int(number) if number.isdecimal() else 0

    @property
    def is_alive(self) -> bool:
        """True until the job has ended."""
        return self.status in ("PENDING", "RUNNING")

    @property
    def exit_code(self) -> int:
        """Exit code of the command that follows the attempt: the job's, as a shell would report it."""
        if self.status == "SUCCEEDED":
            return 0
        if self.status == "STOPPED":
            return STOPPED_EXIT
        if self.driver_exit_code is not None and self.driver_exit_code < 0:  # ended by a signal
            return 128 - self.driver_exit_code
        return self.driver_exit_code or _FAILED_EXIT

    @property
    def may_be_retried(self) -> bool:
        """True if the same command may succeed: the job failed, and by no mistake of the user."""
        return self.status == "FAILED" and self.exit_code != USER_ERROR_EXIT


def run_name(output: str) -> str:
    """Returns the name of the run that writes to a folder: "runs/a/b" and "/nfs/runs/a/b" -> "a-b".

    Folders above the last one named `runs` are left out.
    """
    below = re.split(r"(?:^|/)runs/", output.rstrip("/"))[-1]
    return re.sub(r"[^A-Za-z0-9_]+", "-", below).strip("-") or "run"


def check_run_name(name: str) -> None:
    """Raises UserError if a name given by the user can't be part of a submission id, which is part of a URL."""
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise UserError(f"--name {name!r}: a run's name has letters, digits, `_` and `-` only")


def next_id(attempts: Sequence[Attempt], run: str, output: str) -> str:
    """Returns the submission id of a run's next attempt.

    attempts: all jobs of the cluster.

    Raises: UserError if a job of this name has not ended, whatever it writes to.
    """
    earlier = [attempt for attempt in attempts if attempt.run == run]
    for attempt in earlier:
        if attempt.is_alive:
            another = "" if attempt.output == output else f", not to {output}: give this run another name with --name"
            raise UserError(
                f"job {attempt.id} is {attempt.status.lower()} and writes to {attempt.output}{another}. A run has one "
                f"job at a time.\n"
                f"  follow it:  launch/submit.sh follow {run}\n"
                f"  stop it:    launch/submit.sh stop {run}"
            )
    return f"{run}.{max((attempt.number for attempt in earlier), default=0) + 1}"


def find_attempt(attempts: Sequence[Attempt], name: str) -> Attempt:
    """Returns the attempt with an id, or else the last attempt of the run with a name.

    Raises: UserError, which names the cluster's runs, if there is none.
    """
    found = [attempt for attempt in attempts if attempt.id == name] or [
        attempt for attempt in attempts if attempt.run == name
    ]
    if not found:
        known = sorted({attempt.run for attempt in attempts if attempt.number})
        raise UserError(f"the cluster has no job {name!r}; its runs are: {', '.join(known) or 'none'}")
    return max(found, key=lambda attempt: attempt.number)
