"""A process that runs stages and can be killed: the near end of `vaserl.curation.job.stage_guard`."""

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
from vaserl.curation.job.stage import Stage
from vaserl.errors import UserError

_START_TIMEOUT_S = 900.0
"""For importing a stage's libraries and loading its model, from a slow disk too."""
KILL_TIMEOUT_S = 30.0
TRANSFER_TIMEOUT_S = 60
"""For a message to cross, once it has begun to."""


class StageDied(Exception):
    """The process died, or was killed for taking too long or too much; the message goes on after "the process"."""


class StageFailed(Exception):
    """The stage raised an exception, whose traceback is the message; the process lives."""


class StageProcess:
    """Runs one of its stages on one batch at a time. After `StageDied`, or when it's no longer needed, `close` it.

    When the process that holds this object ends in whatever way, so does the stages' process.
    """

    def __init__(self, stages: Sequence[Stage], memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._names = [stage.name for stage in stages]
        near, far = socket.socketpair()
        # without it, writing to a process that is stopped, or reading from one that stopped midway, waits for ever
        for option in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
            near.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", TRANSFER_TIMEOUT_S, 0))
        lifeline, self._lifeline = os.pipe()
        self._report, report = os.pipe()
        handles = (far.fileno(), lifeline, report)
        self._process = subprocess.Popen(
            [sys.executable, "-m", stage_guard.__name__, *map(str, handles), str(memory_bytes)],
            stdin=subprocess.DEVNULL,
            stdout=2,  # what libraries print is no result
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
            raise UserError(f"the process of {', '.join(self._names)} {death} at its start") from None
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Of the guard, whose child is the stages' process."""
        return self._process.pid

    def call(self, index: int, batch: RowBatch, timeout_s: float) -> tuple[RowBatch, float]:
        """The batch through the stage of that index, and the seconds that it took there.

        Raises: StageDied; StageFailed; UserError, if the stage raised one.
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
        """Kills the process and all that it started; may be called twice."""
        if self._lifeline < 0:
            return
        os.close(self._lifeline)
        self._lifeline = -1
        try:
            self._process.wait(KILL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            # the guard waits for somebody whom the kernel won't let die now; it goes on waiting for him
            print(f"stages' process {self.pid}: not all that it started could be killed", file=sys.stderr)
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
        """What came with a message of that kind. The report speaks when the guard leaves, also where a program that
        outlives its stage still holds the connection open."""
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
        """How the process ended, by the guard's report."""
        if not select.select([self._report], [], [], KILL_TIMEOUT_S)[0]:
            return "stopped answering and was killed"
        content = os.read(self._report, 4096)
        if not content:
            return "lost its guard and was killed"
        report = json.loads(content)
        if report["over_memory"]:
            return f"took more than {self._memory_bytes / 2**30:.3g} GiB of memory and was killed"
        status = report["status"]
        if os.WIFSIGNALED(status):
            return f"died of {signal.Signals(os.WTERMSIG(status)).name}"
        return f"ended with code {os.waitstatus_to_exitcode(status)}"
