"""Tests atomic writes: the old file stays until the new one is complete, and a failure leaves no temporary file."""

import errno
import os
from pathlib import Path

import pytest

from vaserl.files import UNFINISHED, atomic_file, write_atomic


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_atomic_file_old_file_stands_until_the_new_one_is_whole(tmp_path):
    path = tmp_path / "a.glb"
    write_atomic(path, b"old")
    with atomic_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
        assert len(list(tmp_path.glob(UNFINISHED))) == 1
    assert path.read_bytes() == b"new" and names(tmp_path) == ["a.glb"]


def test_atomic_file_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.glb"
    write_atomic(path, b"old")
    with pytest.raises(KeyboardInterrupt), atomic_file(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old" and names(tmp_path) == ["a.glb"]


def test_atomic_file_content_is_on_the_disk_before_it_has_the_name(tmp_path, monkeypatch):
    path = tmp_path / "a.glb"
    seen = []
    monkeypatch.setattr("os.fsync", lambda handle: seen.append((os.fstat(handle).st_size, path.exists())))
    write_atomic(path, b"12345")
    assert seen == [(5, False)]


def test_atomic_file_writers_of_one_name_do_not_meet(tmp_path):
    path = tmp_path / "a.glb"
    with atomic_file(path) as one, atomic_file(path) as other:
        one.write(b"one, longer")
        other.write(b"other")
    assert path.read_bytes() == b"one, longer" and names(tmp_path) == ["a.glb"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_atomic_file_permissions_are_those_of_any_file(tmp_path, mask, mode):
    before = os.umask(mask)
    try:
        write_atomic(tmp_path / "a", b"")
    finally:
        os.umask(before)
    assert (tmp_path / "a").stat().st_mode & 0o777 == mode


def test_atomic_file_longest_name_that_a_disk_takes(tmp_path):
    write_atomic(tmp_path / ("x" * 255), b"1")
    assert names(tmp_path) == ["x" * 255]


def test_atomic_file_names_the_file_that_a_full_disk_refuses(tmp_path):
    with pytest.raises(OSError, match=r"No space left on device: '.*/a'"), atomic_file(tmp_path / "a"):
        raise OSError(errno.ENOSPC, "No space left on device")  # as write and flush raise it
    assert names(tmp_path) == []
