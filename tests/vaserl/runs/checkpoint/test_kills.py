"""Tests kills at every file-system operation of a write, a commit and a removal.

A forked child process does the work and ends by `os._exit` at its n-th operation, for each n until it survives. Then
the parent looks at what is left, as the next process of the run would.
"""

import itertools
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.checkpoints import contents_of, contents_of_step, write_checkpoint
from vaserl.files.durable import write_durably
from vaserl.runs.checkpoint.manifest import MANIFEST_FILE
from vaserl.runs.checkpoint.retention import Retention
from vaserl.runs.checkpoint.store import CheckpointStore

OPERATIONS = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.scandir", "os.listdir"}
"""Audit events of the operations at which the child is killed; fsync has no event and is counted by a wrapper."""
KILLED = 9


def is_killed_at(number: int, work: Callable[[], object]) -> bool:
    """Does the work in a child process that is killed at its operation `number`; False if the child survives."""
    child = os.fork()
    if child == 0:
        try:
            _kill_this_process_at(number)
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code in (0, KILLED)
    return code == KILLED


def _kill_this_process_at(number: int) -> None:
    operations = itertools.count(1)  # thread-safe: files are verified in several threads

    def count(*_: object) -> None:
        if next(operations) == number:
            os._exit(KILLED)

    sys.addaudithook(lambda event, arguments: count() if event in OPERATIONS else None)
    os.fsync = count


def entries(folder: Path) -> set[str]:
    """Returns the paths of all files and of all empty folders."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() or (path.is_dir() and not any(path.iterdir()))
    }


def folder_of(prefix: str, step: int, epoch: int) -> str:
    return f"step={step:05d}-e{epoch}" if prefix else f"step={step:05d}"


def whole(folder: str, step: int) -> set[str]:
    return {f"{folder}/{name}" for name in (MANIFEST_FILE, *contents_of_step(step))}


@pytest.fixture(params=["", "local://"], ids=["disk", "url"])
def prefix(request: pytest.FixtureRequest) -> str:
    """Returns the beginning of the place: a disk, or a disk behind a URL, which has no renaming."""
    return request.param


@pytest.fixture
def before(tmp_path: Path, prefix: str) -> Path:
    """Returns a folder with the checkpoints of steps 11 and 12, which is copied for each kill."""
    store = CheckpointStore(f"{prefix}{tmp_path}/before")
    write_checkpoint(store, 11, epoch=3)
    write_checkpoint(store, 12, epoch=3)
    return tmp_path / "before"


def killed_copies(
    before: Path, work: Callable[[Path], object], prepare: Callable[[Path], object] = lambda folder: None
):
    """Yields a fresh copy of the folder after a kill at each operation of the work, and at last after all of it."""
    number, is_killed = 0, True
    while is_killed:
        number += 1
        folder = before.parent / f"killed-at-{number}"
        shutil.copytree(before, folder)
        prepare(folder)
        is_killed = is_killed_at(number, lambda folder=folder: work(folder))
        yield folder, is_killed
        shutil.rmtree(folder)
    assert number > 10, "the counter sees the operations"


def test_kill_at_any_operation_of_a_save_leaves_the_old_or_the_new_checkpoint(before: Path, prefix: str):
    def save(folder: Path) -> None:
        store = CheckpointStore(f"{prefix}{folder}")
        write_checkpoint(store, 13, epoch=4)
        store.prune(Retention(keep_last=2))

    seen = set()
    for folder, is_killed in killed_copies(before, save):
        store = CheckpointStore(f"{prefix}{folder}")
        newest, damages = store.newest_good()
        assert newest is not None and newest.step in (12, 13) and damages == []
        assert contents_of(newest) == contents_of_step(newest.step)
        assert is_killed or newest.step == 13
        store.sweep()
        steps = store.steps()
        seen.add(tuple(steps))
        assert steps in ([11, 12], [11, 12, 13], [12, 13])
        names = {11: folder_of(prefix, 11, 3), 12: folder_of(prefix, 12, 3), 13: folder_of(prefix, 13, 4)}
        assert entries(folder) == set().union(*(whole(names[step], step) for step in steps)), "no litter"
        if newest.step == 12:  # the run goes on with the same command
            write_checkpoint(store, 13, epoch=5)
            assert contents_of(store.open(13)) == contents_of_step(13)
    assert seen == {(11, 12), (11, 12, 13), (12, 13)}


@pytest.mark.parametrize("is_damaged", [pytest.param(False, marks=pytest.mark.slow), True], ids=["good", "damaged"])
def test_kill_at_any_operation_of_a_redone_step_leaves_one_of_the_two(before: Path, prefix: str, is_damaged: bool):
    """The same step is written again by a newer epoch, over a good checkpoint or a damaged one."""

    def damage(folder: Path) -> None:
        if is_damaged:
            (folder / folder_of(prefix, 12, 3) / "state-00000-of-00002.safetensors").write_bytes(b"")

    def redo(folder: Path) -> None:
        store = CheckpointStore(f"{prefix}{folder}")
        write_checkpoint(store, 12, epoch=4)
        store.prune(Retention(keep_last=1))

    for folder, is_killed in killed_copies(before, redo, prepare=damage):
        store = CheckpointStore(f"{prefix}{folder}")
        newest, _ = store.newest_good()
        assert newest is not None and contents_of(newest) == contents_of_step(newest.step)
        assert (newest.step, newest.manifest.epoch) in {(11, 3) if is_damaged else (12, 3), (12, 4)}
        assert is_killed or newest.manifest.epoch == 4
        store.sweep()
        assert not any(path.startswith(".") or "/." in path for path in entries(folder)), "no litter"
        if not is_killed:
            assert entries(folder) == whole("step=00012-e4", 12), "the older one of the step is gone"


@pytest.mark.parametrize("verb", ["abandon", "sweep", "drop_after"])
def test_kill_at_any_operation_of_a_removal_leaves_nothing_half(before: Path, prefix: str, verb: str):
    def remove(folder: Path) -> None:
        store = CheckpointStore(f"{prefix}{folder}")
        match verb:
            case "abandon":
                store.abandon(f"{prefix}{folder}/{unfinished}")
            case "sweep":
                store.sweep()
            case _:
                store.drop_after(11)

    def prepare(folder: Path) -> None:
        place = CheckpointStore(f"{prefix}{folder}").begin(13, 4)
        for name, content in contents_of_step(13).items():
            write_durably(f"{place}/{name}", content)

    unfinished = "step=00013-e4" if prefix else ".writing-step=00013-e4"
    for folder, is_killed in killed_copies(before, remove, prepare):
        store = CheckpointStore(f"{prefix}{folder}")
        newest, damages = store.newest_good()
        left = (11, 12) if verb != "drop_after" else (11, 12) if newest and newest.step == 12 else (11,)
        assert newest is not None and newest.step == left[-1] and damages == []
        assert contents_of(newest) == contents_of_step(newest.step)
        assert is_killed or verb != "drop_after" or left == (11,)
        store.sweep()
        assert entries(folder) == set().union(*(whole(folder_of(prefix, step, 3), step) for step in left))
