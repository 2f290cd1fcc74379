"""Tests that one job at a time holds a folder, and that a folder which can't be locked is refused with a message."""

import errno
import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.files import LOCK, locked

ROOT = Path(__file__).parents[3]


def test_locked_refuses_a_path_that_is_a_file(tmp_path: Path):
    (tmp_path / "run").touch()
    with (
        pytest.raises(UserError, match=r"can't be written to: .*/run'\. Choose another"),
        locked(tmp_path / "run"),
    ):
        pass


def test_locked_refuses_a_folder_without_permission(tmp_path: Path):
    (tmp_path / LOCK).mkdir()  # the tests may run as root, who has every permission
    with pytest.raises(UserError, match=r"can't be written to"), locked(tmp_path, place=tmp_path):
        pass


def test_locked_refuses_a_second_job_and_frees_with_its_holder(tmp_path):
    script = f"""
import time
from pathlib import Path
from vaserl.files import locked
with locked(Path({str(tmp_path)!r}) / ".work"):
    print("held", flush=True)
    time.sleep(600)
"""
    holder = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == b"held\n"
        message = rf"process {holder.pid} on .* has been curating this data set since"
        with pytest.raises(UserError, match=message), locked(DataSet(tmp_path).work):
            pytest.fail("two hold it")
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    with locked(DataSet(tmp_path).work):
        assert json.loads((DataSet(tmp_path).work / "lock").read_text())["pid"] == os.getpid()


def test_locked_file_system_without_locks_is_an_error(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(UserError, match="can't lock files \\(No locks available\\)"), locked(DataSet(tmp_path).work):
        pytest.fail("nobody holds it")
