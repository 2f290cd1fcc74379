"""Tests reward files sent to workers: the sibling files that they import are sent with them, and no other code can
import those."""

import hashlib
import pickle
import sys
from pathlib import Path

import pytest

from vaserl.errors import UserError
from vaserl.rewards.shipped_code import read_code, run_code
from vaserl.rewards.source import check_reward_source, import_source, read_reward_source

MAIN = """
import json
from words import count
import scale as s

def words(task, completion):
    return s.BY * count(completion)
"""
WORDS = """
from dataclasses import dataclass
import scale

@dataclass
class Count:
    number: int

def count(text):
    import words  # itself, inside a function
    return words.Count(len(text.split())).number
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "main.py").write_text(MAIN)
    (tmp_path / "words.py").write_text(WORDS)
    (tmp_path / "scale.py").write_text("BY = 2.0\n")
    (tmp_path / "unused.py").write_text("1 / 0\n")
    (tmp_path / "json.py").write_text("1 / 0\n")  # the standard library comes first
    return tmp_path


def test_read_code_includes_imported_siblings(folder: Path):
    code = read_code(folder / "main.py")
    assert set(code.beside) == {"words", "scale"}
    code = pickle.loads(pickle.dumps(code))
    for path in folder.iterdir():  # as on another machine
        path.unlink()
    module = run_code(code)
    assert module.words(None, "a b c") == 6.0
    assert run_code(code) is module
    # no other code can import them
    assert "words" not in sys.modules and "scale" not in sys.modules
    assert module.count.__module__ in sys.modules  # where its dataclass is looked up


def test_run_code_keeps_helpers_of_two_files_apart(folder: Path, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (other / "main.py").write_text(MAIN)
    (other / "words.py").write_text(WORDS)
    (other / "scale.py").write_text("BY = 5.0\n")
    first, second = run_code(read_code(folder / "main.py")), run_code(read_code(other / "main.py"))
    assert (first.words(None, "a b"), second.words(None, "a b")) == (4.0, 10.0)


def test_sha256_follows_the_siblings(folder: Path):
    before = read_code(folder / "main.py").sha256
    (folder / "unused.py").write_text("2 / 0\n")
    assert read_code(folder / "main.py").sha256 == before
    (folder / "scale.py").write_text("BY = 3.0\n")
    assert read_code(folder / "main.py").sha256 != before
    # a file alone has the hash that sha256sum gives
    assert read_code(folder / "scale.py").sha256 == hashlib.sha256(b"BY = 3.0\n").hexdigest()


def test_import_source_runs_a_file_with_siblings(folder: Path):
    source = read_reward_source(f"{folder}/main.py:words")
    assert check_reward_source(source) == source.sha256
    assert import_source(source)(None, "a b") == 4.0


def test_import_source_locates_an_error_in_a_sibling(folder: Path):
    (folder / "scale.py").write_text("x = 1\ndef f(:\n")
    with pytest.raises(UserError, match=r"scale\.py:2: invalid syntax"):
        import_source(read_reward_source(f"{folder}/main.py:words"))
    (folder / "scale.py").write_bytes(b"\xff")
    with pytest.raises(UserError, match="can't be read"):
        read_reward_source(f"{folder}/main.py:words")


def test_import_source_explains_that_packages_dont_travel(folder: Path):
    (folder / "helpers").mkdir()
    (folder / "helpers" / "__init__.py").write_text("")
    (folder / "main.py").write_text("import helpers\n")
    with pytest.raises(UserError, match=r"helpers isn't shipped: put its code into \.py files beside"):
        import_source(read_reward_source(f"{folder}/main.py:words"))
