"""Tests durable writes: the syncs that a power failure needs, full disks, and kills while a folder is removed."""

import errno
import os
from pathlib import Path

import fsspec
import numpy as np
import pytest

from vaserl.files.durable import (
    bytes_of,
    make_folder,
    remove_folder,
    rename_durably,
    sync_below,
    sync_folder,
    write_durably,
)


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns a list to which each fsync adds the path of the file or folder."""
    paths: list[str] = []
    real = os.fsync

    def record(descriptor: int) -> None:
        paths.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    return paths


def test_write_durably_syncs_the_file_then_the_folder(tmp_path: Path, synced: list[str]):
    write_durably(str(tmp_path / "a"), b"content")
    temporary, folder = synced
    assert Path(temporary).name.startswith(".writing-") and folder == str(tmp_path)
    assert (tmp_path / "a").read_bytes() == b"content"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_write_durably_creates_folders_and_syncs_their_names(tmp_path: Path, synced: list[str]):
    write_durably(str(tmp_path / "x/y/a"), b"1")
    assert {str(tmp_path), str(tmp_path / "x"), str(tmp_path / "x/y")} <= set(synced)


@pytest.mark.parametrize("place", ["local", "memory://durable"])
def test_write_durably_takes_arrays_of_any_kind(tmp_path: Path, place: str):
    folder = str(tmp_path) if place == "local" else place
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    for name, content, expected in [
        ("transposed", array.T, np.ascontiguousarray(array.T).tobytes()),
        ("empty", np.zeros((0, 3), np.float32), b""),
        ("scalar", np.float64(2).reshape(()), np.float64(2).tobytes()),
        ("view", memoryview(array), array.tobytes()),
        ("nothing", b"", b""),
    ]:
        write_durably(f"{folder}/{name}", content)
        assert fsspec.open(f"{folder}/{name}").open().read() == expected, name
        assert bytes_of(content).nbytes == len(expected)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_write_durably_removes_the_incomplete_file_of_a_full_disk(tmp_path: Path, monkeypatch, number: int):
    (tmp_path / "a").write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)  # a delayed allocation fails here, after all writes have succeeded
    with pytest.raises(OSError) as caught:
        write_durably(str(tmp_path / "a"), b"new")
    assert caught.value.errno == number
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": b"old"}


def test_write_durably_removes_an_incomplete_upload(monkeypatch):
    system = fsspec.filesystem("memory")

    def interrupted(path: str, content: bytes) -> None:
        system.store[path] = type(system).open(system, path, "wb")
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(type(system), "pipe_file", lambda self, path, content, **_: interrupted(path, content))
    with pytest.raises(OSError, match="no space left"):
        write_durably("memory://durable-full/a", b"new")
    assert not system.exists("/durable-full/a")


def test_sync_folder_tolerates_only_file_systems_without_it(tmp_path: Path, monkeypatch):
    numbers = iter([errno.EINVAL, errno.ENOTSUP, errno.EIO])

    def fails(_: int) -> None:
        number = next(numbers)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    sync_folder(tmp_path)
    sync_folder(tmp_path)
    with pytest.raises(OSError) as caught:
        sync_folder(tmp_path)
    assert caught.value.errno == errno.EIO


def test_sync_below_syncs_every_file_and_folder(tmp_path: Path, synced: list[str]):
    make_folder(tmp_path / "x/y")
    (tmp_path / "x/y/a").write_bytes(b"1")
    (tmp_path / "b").write_bytes(b"2")
    synced.clear()
    sync_below(tmp_path)
    assert sorted(synced) == [str(tmp_path / name) for name in (".", "b", "x", "x/y", "x/y/a")]


def test_rename_durably_syncs_both_folders(tmp_path: Path, synced: list[str]):
    make_folder(tmp_path / "x")
    make_folder(tmp_path / "y")
    synced.clear()
    rename_durably(tmp_path / "x", tmp_path / "y/z")
    assert (tmp_path / "y/z").is_dir()
    assert sorted(synced) == [str(tmp_path), str(tmp_path / "y")]


def test_remove_folder_hides_the_folder_before_it_removes_files(tmp_path: Path, monkeypatch):
    make_folder(tmp_path / "whole")
    for name in "abc":
        (tmp_path / "whole" / name).write_bytes(b"1")

    def killed(path: Path) -> None:
        (path / "a").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("shutil.rmtree", killed)
        with pytest.raises(KeyboardInterrupt):
            remove_folder(tmp_path / "whole")
    (left,) = tmp_path.iterdir()
    assert left.name.startswith(".deleting-whole-")
    remove_folder(left)
    assert not list(tmp_path.iterdir())
