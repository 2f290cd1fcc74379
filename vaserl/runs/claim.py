"""The claim on a run's folder: a lock, and an epoch number by which the writes of an earlier holder are refused.

The lock excludes a second job on the same file system. It doesn't stop a job that was cut off from the file system's
lock server, or that was paused, while another one took over: so each claim increments the number in the file `epoch`,
and a job checks that number before it commits anything.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vaserl.files import LOCK, locked, write_atomic

EPOCH = "epoch"


class TakenOverError(RuntimeError):
    """Error of a job whose run folder was claimed by a later job or is gone. The job must not write to the folder any
    more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunClaim:
    """Permission to write to a run's folder, which lasts until another job claims the folder."""

    folder: Path
    epoch: int
    """Number of the claim: 1 for the folder's first job, and one more for each later job."""

    def check(self) -> None:
        """Raises TakenOverError if a later job has claimed the folder, or if the folder was moved away."""
        found = read_epoch(self.folder)
        if found > self.epoch:
            raise TakenOverError(
                f"{self.folder}: this job has epoch {self.epoch}, but the folder now has epoch {found}: another job "
                "has taken the run over, so nothing more is written here"
            )
        if found < self.epoch:
            raise TakenOverError(
                f"{self.folder}: this job's epoch, {self.epoch}, is not in the file {EPOCH} any more: the folder or "
                "the file was moved, deleted or changed, so nothing more is written here. Start the command again"
            )


@contextmanager
def claimed(folder: Path, *, after_epoch: int = 0) -> Iterator[RunClaim]:
    """Locks a run's folder, which is created if it is absent, and increments its epoch while the `with` block runs.

    after_epoch: epoch of the run that was at this path before. A new folder continues its epochs, so that a job which
    still writes to the old path is refused.

    Raises: UserError, with the other process's id and host, when another process has the lock.
    """
    with locked(folder, place=folder, doing="writing to this run folder"):
        claim = RunClaim(folder=folder, epoch=max(read_epoch(folder), after_epoch) + 1)
        write_atomic(folder / EPOCH, (json.dumps(claim.epoch) + "\n").encode())
        yield claim


def read_epoch(folder: Path) -> int:
    """Returns the epoch of a run's folder; 0 if no job has claimed it."""
    try:
        return int((folder / EPOCH).read_text())
    except (FileNotFoundError, ValueError):
        return 0


CLAIM_FILES = frozenset({LOCK, EPOCH})
"""Names of the files that a claim writes to a run's folder."""
