"""Stages for tests, in a module of their own: what a worker imports with them should be little."""

import ctypes
import os
import subprocess
import time
from pathlib import Path

from vaserl.curation.job.batch import RowBatch, rejecting, remaining, with_column


class RejectOdd:
    """Rejects rows whose photograph is an odd number."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, batch: RowBatch) -> RowBatch:
        return rejecting(batch, self.name, {i: "odd" for i in remaining(batch) if int(batch["photo"][i]) % 2})


class KeepAll:
    """Has nothing to say."""

    def __call__(self, batch: RowBatch) -> RowBatch:
        return batch


class Environment:
    """Rejects every row, an environment variable of its process being the reason."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, batch: RowBatch) -> RowBatch:
        value = os.environ.get(self._name, "absent")
        return rejecting(batch, "environment", dict.fromkeys(remaining(batch), f"{self._name}={value}"))


class Perilous:
    """Adds `length`, the number of rows that it was given at once, and comes to grief over photographs of some names.

    It notes in a file each photograph that it meets, and the process ids of what it starts.
    """

    def __init__(self, notes: Path, only: str = "") -> None:
        """With `only`, over photographs named <only>.… alone."""
        self._notes, self._only = notes, only

    def __call__(self, batch: RowBatch) -> RowBatch:
        for photo in batch["photo"]:
            where, _, name = str(photo).rpartition(".")
            kind = name.split("-")[0] if where == self._only else ""
            with self._notes.open("a") as file:
                file.write(f"{photo}\n")
                if kind == "orphan":
                    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
                    file.write(f"started {child.pid}\n")
            come_to_grief(kind, self._notes)
        if len(batch["photo"]) > 3:
            come_to_grief(os.environ.get("VASERL_TEST_CROWD", ""), self._notes)
        return with_column(batch, "length", dict.fromkeys(remaining(batch), float(len(batch["photo"]))), float("nan"))


def come_to_grief(kind: str, notes: Path) -> None:
    """What native code does to a process that calls it."""
    if kind in ("segfault", "orphan"):
        ctypes.string_at(0)
    elif kind == "exit":
        os._exit(0)
    elif kind == "hang":
        time.sleep(1000)
    elif kind == "lock":  # in native code that holds the interpreter's lock: no thread of the process runs any more
        ctypes.PyDLL(None).sleep(1000)
    elif kind == "eat":
        hoard = []
        while True:
            hoard.append(b"x" * 2**25)
    elif kind == "fickle" and notes.read_text().count("\n") <= 4:  # the first four photographs
        os._exit(1)
    elif kind in ("raise", "fickle"):
        raise ValueError("a fault of the stage's own")
    elif kind == "once" and notes.read_text().count("once-") == 1:
        os._exit(1)


class DiesAtOnce:
    """A stage whose model kills the process that loads it."""

    def __init__(self) -> None:
        ctypes.string_at(0)

    def __call__(self, batch: RowBatch) -> RowBatch:
        return batch
