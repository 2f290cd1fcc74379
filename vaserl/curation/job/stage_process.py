"""Starts, calls and kills the process that runs stages: the caller's side of `vaserl.curation.job.stage_guard`."""

import json
import os
import select
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from vaserl.curation.job import stage_guard
from vaserl.curation.job.batch import RowBatch
from vaserl.curation.job.prepared import PreparedStage
from vaserl.errors import UserError

_START_TIMEOUT_S = 900.0
"""Seconds that importing a stage's libraries and loading its neural network may take, even from a slow disk."""
KILL_TIMEOUT_S = 30.0
"""Seconds to wait until the guard has killed its child and all descendants, and reported how the child ended."""
TRANSFER_TIMEOUT_S = 60
"""Seconds for which one read or write of a message may block once the transfer has begun."""


class StageDied(Exception):
    """The stages' process died, or was killed because it exceeded its time or memory.

    The message states what happened, such as "died of SIGSEGV".
    """


class StageFailed(Exception):
    """The stage raised an exception, whose traceback is the message; the process is still alive."""


class StageProcess:
    """A child process that runs stages, one batch at a time. Call `close` after `StageDied`, and after the last batch.

    When the process that owns this object ends, even by SIGKILL, the child process is killed too.
    """

    def __init__(self, stages: Sequence[PreparedStage], memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._names = [stage.name for stage in stages]
        near, far = socket.socketpair()
        # without timeouts, writing to a stopped process, or reading from one that stopped midway, would never return
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            near.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", TRANSFER_TIMEOUT_S, 0))
        lifeline, self._lifeline = os.pipe()
        self._report, report = os.pipe()
        handles = (far.fileno(), lifeline, report)
        self._process = subprocess.Popen(
            [sys.executable, "-m", stage_guard.__name__, *map(str, handles), str(memory_bytes)],
            stdin=subprocess.DEVNULL,
            stdout=2,  # to stderr: what libraries print is not part of the job's output
            pass_fds=handles,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        far.close()
        os.close(lifeline)
        os.close(report)
        self._connection = Connection(near.detach())
        self._made: set[int] = set()
        try:
            self._send([stage.maker for stage in stages])
            self._receive("ready", _START_TIMEOUT_S)
        except StageDied as death:
            self.close()
            raise UserError(f"the process of the stages {', '.join(self._names)} {death} when it was started") from None
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Process id of the guard: the parent of the process that runs the stages, which it kills if the job dies."""
        return self._process.pid

    def call(self, index: int, batch: RowBatch, timeout_s: float) -> tuple[RowBatch, float]:
        """Runs stage number `index` over the batch. Returns: the new batch, and the seconds that the stage took.

        Raises: StageDied if the process died on the batch; StageFailed if the stage raised an exception; UserError if
        the stage raised one, or if the process died while the stage was built.
        """
        self._send((index, batch))
        is_new = index not in self._made
        try:
            self._receive("made", _START_TIMEOUT_S if is_new else timeout_s)
        except StageDied as death:
            if is_new:
                raise UserError(f"the {self._names[index]} process {death} while its model was loaded") from None
            raise
        self._made.add(index)
        return self._receive("done", timeout_s)

    def close(self) -> None:
        """Kills the process and all its descendants; may be called twice."""
        if self._lifeline < 0:
            return
        os.close(self._lifeline)
        self._lifeline = -1
        try:
            self._process.wait(KILL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # a child is in uninterruptible sleep; the guard keeps waiting for it
            message = "a process that it started is in uninterruptible sleep and could not be killed yet"
            print(f"stages' process {self.pid}: {message}", file=sys.stderr)
        self._connection.close()
        os.close(self._report)

    def __del__(self) -> None:
        if getattr(self, "_lifeline", -1) >= 0:
            self.close()

    def _send(self, message: Any) -> None:
        try:
            self._connection.send(message)
        except OSError:
            raise StageDied(self._ending()) from None

    def _receive(self, expected: str, timeout_s: float) -> Any:
        """Waits for a message of the expected kind and returns its content.

        The wait also ends when the guard reports that the stages' process has ended. The report arrives even if a
        program that a stage left running keeps the connection open.
        """
        ready = wait([self._connection, self._report], timeout_s)
        if not ready:
            raise StageDied(f"gave no answer within {timeout_s:g} s and was killed")
        if self._connection not in ready:
            raise StageDied(self._ending())
        try:
            kind, content = self._connection.recv()
        except (EOFError, OSError):
            raise StageDied(self._ending()) from None
        if kind == "user_error":
            raise UserError(content)
        if kind == "failed":
            raise StageFailed(content)
        assert kind == expected, f"{kind} instead of {expected}"
        return content

    def _ending(self) -> str:
        """Returns a description of how the process ended, such as "died of SIGSEGV", from the guard's report."""
        if not select.select([self._report], [], [], KILL_TIMEOUT_S)[0]:
            return "stopped answering and was killed"
        content = os.read(self._report, 4096)
        if not content:
            return "was killed because its guard had ended"
        report = json.loads(content)
        if report["over_memory"]:
            return f"took more than {self._memory_bytes / 2**30:.3g} GiB of memory and was killed"
        status = report["status"]
        if os.WIFSIGNALED(status):
            return f"died of {signal.Signals(os.WTERMSIG(status)).name}"
        return f"ended with code {os.waitstatus_to_exitcode(status)}"
