"""Curation stages for tests. They have a module of their own, so that workers import little with them."""

import ctypes
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vaserl.curation.job.prepared import PreparedStage, StageOverBatches, prepare
from vaserl.curation.stage import Column, Kept, Photograph, Recipe, Rejected, Stage, Verdict

LENGTH = Column(name="length")


def prepared(
    name: str, make: Any, arguments: tuple[Any, ...] = (), columns: tuple[Column, ...] = (), **depends: Any
) -> PreparedStage:
    """Returns a prepared stage, whose photographs are judged by the object `make(*arguments)`."""
    recipe = Recipe(make=make, arguments=arguments, depends=depends)
    return prepare(Stage(name=name, recipe=lambda context: recipe, columns=columns, hint=""), recipe)


def over_batches(stage: Stage, make: Any, *arguments: Any) -> StageOverBatches:
    """Returns a stage applied to batches of rows in this process. The object `make(*arguments)` judges the
    photographs."""
    return StageOverBatches(stage.name, stage.columns, Recipe(make=make, arguments=arguments))


class RejectOdd:
    """A filter that rejects rows whose photograph has an odd number as its name."""

    def judge(self, photograph: Photograph) -> Verdict:
        return Rejected(reason="odd") if int(photograph.photo) % 2 else Kept()


class KeepAll:
    """A filter that keeps every row and adds nothing."""

    def judge(self, photograph: Photograph) -> Verdict:
        return Kept()


class Environment:
    """A filter that rejects every row; the reason is the value of an environment variable of its process."""

    def __init__(self, name: str) -> None:
        self._name = name

    def judge(self, photograph: Photograph) -> Verdict:
        return Rejected(reason=f"{self._name}={os.environ.get(self._name, 'absent')}")


class WaitsForOther:
    """A filter that keeps a photograph if another process judges one at the same time, and rejects it otherwise."""

    def __init__(self, folder: Path) -> None:
        """`folder`: an empty folder, in which each process leaves its number."""
        self._folder = folder

    def judge(self, photograph: Photograph) -> Verdict:
        (self._folder / str(os.getpid())).touch()
        until = time.monotonic() + 20.0
        while time.monotonic() < until:
            if len(list(self._folder.iterdir())) > 1:
                return Kept()
            time.sleep(0.05)
        return Rejected(reason="alone")


class Perilous:
    """A stage that crashes on photographs with certain names and adds `length`, the number of rows in the batch.

    It writes the name of each photograph that it gets, and the process ids of its children, into the file `notes`.
    """

    def __init__(self, notes: Path, only: str = "") -> None:
        """With `only`, it crashes only on photographs whose names begin with "<only>."."""
        self._notes, self._only = notes, only

    def judge_all(self, photographs: Sequence[Photograph]) -> list[Verdict]:
        for photograph in photographs:
            where, _, name = photograph.photo.rpartition(".")
            kind = name.split("-")[0] if where == self._only else ""
            with self._notes.open("a") as file:
                file.write(f"{photograph.photo}\n")
                if kind == "orphan":
                    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
                    file.write(f"started {child.pid}\n")
            crash(kind, self._notes)
        if len(photographs) > 3:
            crash(os.environ.get("VASERL_TEST_CROWD", ""), self._notes)
        return [Kept(columns={LENGTH.name: float(len(photographs))})] * len(photographs)


def crash(kind: str, notes: Path) -> None:
    """Fails as native code can fail in the process that calls it: `kind` names the failure. Does nothing for other
    kinds."""
    if kind in ("segfault", "orphan"):
        ctypes.string_at(0)
    elif kind == "exit":
        os._exit(0)
    elif kind == "hang":
        time.sleep(1000)
    elif kind == "lock":  # native code that holds the interpreter's lock: no thread of the process runs any more
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

    def judge(self, photograph: Photograph) -> Verdict:
        return Kept()


def unlifted_rows(*vase_ids: str, photo: Path | str = "photo.png") -> list[dict]:
    """Returns a row of the manifest without a 3D model for each vase."""
    return [
        {"photo": str(photo), "vase_id": vase_id, "rejected_by": "", "reason": "", "mesh": ""} for vase_id in vase_ids
    ]
