"""Runs stages in a child process. A photograph that makes it crash, hang or exceed its memory is rejected alone.

The photograph at fault is found by trial: when the process dies during a batch, a new process gets the batch's
photographs one at a time. This costs one process start for each photograph at fault. Bisection would cost one start
for each halving, and a start is slow. If no single photograph kills the process, the whole batch runs once more, so
that a random death changes no result. An exception in a stage is handled differently: it ends the job, with a message
that contains the photograph's path.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from vaserl.curation.job.batch import RowBatch, merged, rejecting, remaining, taken
from vaserl.curation.job.prepared import PreparedStage
from vaserl.curation.job.stage_process import StageDied, StageFailed, StageProcess
from vaserl.curation.settings import PoolSettings

MAX_CONSECUTIVE_KILLS = 20
"""If this many consecutive photographs kill a stage's process, the stage is taken to be at fault and the job ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits on the process that runs a pool's stages, and on each call of a stage."""

    batch_size: int
    """Largest number of rows in one call of a stage."""
    timeout_s: float
    """Largest number of seconds that one call of a stage may take, whether with a whole batch or with a single row."""
    memory_bytes: int | None = None
    """Largest memory of the process and all its descendants, in bytes; None: half of the machine's memory."""
    num_retries: int = 1
    """Number of further attempts with a single row on which the process died."""

    @classmethod
    def of(cls, pool: PoolSettings) -> Self:
        """Returns the limits that are part of a pool's settings."""
        memory = pool.memory_gb
        return cls(
            batch_size=pool.batch_size,
            timeout_s=pool.timeout_s,
            memory_bytes=None if memory is None else int(memory * 2**30),
            num_retries=pool.num_retries,
        )


@dataclass(slots=True, kw_only=True)
class Effort:
    """Numbers of rows, seconds and process deaths of one stage, summed over the stage's calls."""

    rows: int = 0
    """Number of rows that were passed to the stage."""
    seconds: float = 0.0
    """Seconds that the stage spent on rows. Process starts and calls in which the process died are not counted."""
    deaths: int = 0
    """Number of times the stage's process died or was killed."""
    killed_rows: int = 0
    """Number of rows rejected because the process died on them."""

    def add(self, other: "Effort") -> None:
        """Adds the numbers of another `Effort` to this one."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class JobFailed(RuntimeError):
    """Error of a stage itself, not of a photograph. The message states the stage and the photographs."""


class Isolated:
    """Runs a pool's stages in a child process, which starts when it is first needed and again after each death."""

    def __init__(self, stages: Sequence[PreparedStage], limits: Limits) -> None:
        self._stages, self._limits = stages, limits
        self._memory_bytes = limits.memory_bytes or memory_of_machine() // 2
        self._process: StageProcess | None = None
        self._num_consecutive_kills = [0] * len(stages)

    def run(self, index: int, batch: RowBatch, effort: Effort) -> RowBatch:
        """Runs one stage, given by its index, over the batch's unrejected rows, `batch_size` rows at a time.

        Rows on which the process died are rejected, with a reason that states how it died. The rows, seconds and
        process deaths are added to `effort`. Returns: the new batch.

        Raises: UserError if the stage raised one; JobFailed if the stage raised any other exception, or if its process
        died on MAX_CONSECUTIVE_KILLS consecutive photographs.
        """
        rows = remaining(batch)
        size = self._limits.batch_size
        pieces = [rows[start : start + size] for start in range(0, len(rows), size)]
        effort.rows += len(rows)
        return merged(batch, [(piece, self._piece(index, taken(batch, piece), effort)) for piece in pieces])

    def close(self) -> None:
        """Ends the child process, if there is one."""
        if self._process is not None:
            self._process.close()
            self._process = None

    def _piece(self, index: int, piece: RowBatch, effort: Effort) -> RowBatch:
        length = len(piece["rejected_by"])
        if length == 1:
            return self._alone(index, piece, effort)
        try:
            return self._call(index, piece, effort)
        except StageDied:
            pass
        except StageFailed as failure:
            self._raise_for_failing_row(index, piece, failure)
        num_killed = effort.killed_rows
        together = merged(piece, [([k], self._alone(index, taken(piece, [k]), effort)) for k in range(length)])
        if effort.killed_rows == num_killed:
            try:
                together = self._call(index, piece, effort)
            except StageDied:
                pass  # rows pass one by one but not as a batch
            except StageFailed as failure:
                raise self._failed(index, piece, failure) from None
        return together

    def _alone(self, index: int, row: RowBatch, effort: Effort) -> RowBatch:
        ending = ""
        for _ in range(1 + self._limits.num_retries):
            try:
                return self._call(index, row, effort)
            except StageDied as death:
                ending = str(death)
            except StageFailed as failure:
                raise self._failed(index, row, failure) from None
        self._num_consecutive_kills[index] += 1
        name = self._stages[index].name
        if self._num_consecutive_kills[index] >= MAX_CONSECUTIVE_KILLS:
            raise JobFailed(
                f"{name}: its process {ending} on each of {MAX_CONSECUTIVE_KILLS} consecutive photographs, the last "
                f"being {row['photo'][0]}; the stage is at fault, not the photographs"
            )
        effort.killed_rows += 1
        return rejecting(row, name, {0: f"the {name} process {ending} on this photograph"})

    def _call(self, index: int, batch: RowBatch, effort: Effort) -> RowBatch:
        if self._process is None:
            self._process = StageProcess(self._stages, self._memory_bytes)
        try:
            answer, seconds = self._process.call(index, batch, self._limits.timeout_s)
        except StageDied:
            effort.deaths += 1
            self.close()
            raise
        self._num_consecutive_kills[index] = 0
        effort.seconds += seconds
        return answer

    def _raise_for_failing_row(self, index: int, piece: RowBatch, failure: StageFailed) -> None:
        """Runs the stage on each row alone, to find the photograph on which it raises an exception.

        Raises: JobFailed, with the first photograph that fails alone, or with all if they only fail together.
        """
        for k in range(len(piece["rejected_by"])):
            self._alone(index, taken(piece, [k]), Effort())
        raise self._failed(index, piece, failure)

    def _failed(self, index: int, batch: RowBatch, failure: StageFailed) -> JobFailed:
        photos = [str(photo) for photo in batch["photo"]]
        which = photos[0] if len(photos) == 1 else f"{len(photos)} photographs at once, {photos[0]} to {photos[-1]}"
        return JobFailed(f"{self._stages[index].name} failed on {which}:\n{failure}")


def memory_of_machine() -> int:
    """Returns the machine's memory in bytes, or the container's limit if that is lower."""
    total = os.sysconf("SC_PAGESIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path) as file:
                total = min(total, int(file.read()))
        except (OSError, ValueError):  # absent, or "max"
            continue
    return total
