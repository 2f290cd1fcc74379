"""Tests that a folder which can't be locked is refused with a message."""

from pathlib import Path

import pytest

from vaserl.errors import UserError
from vaserl.files import LOCK, locked


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
