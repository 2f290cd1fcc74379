"""Tests that reward code is found, hashed, sent as text and run, and that errors in its name or its lines are
explained."""

import sys
from pathlib import Path

import pytest

from vaserl.errors import UserError
from vaserl.rewards.source import check_reward_source, import_source, mismatches, read_reward_source

CODE = '''"""Mine."""
from dataclasses import dataclass

@dataclass
class Scale:
    by: float = 2.0

def words(task, completion):
    return Scale().by * len(completion.text.split())
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    return path


def test_import_source_runs_a_file_from_its_text(file: Path):
    source = read_reward_source(f"{file}:words")
    file.unlink()  # as on another machine
    function = import_source(source)
    assert function.__module__ in sys.modules  # where its dataclass can be looked up
    assert check_reward_source(source) == source.sha256
    assert import_source(source) is function


def test_import_source_traceback_shows_lines_of_an_absent_file(file: Path):
    import traceback

    source = read_reward_source(f"{file}:words")
    file.unlink()
    with pytest.raises(AttributeError) as raised:
        import_source(source)(None, None)
    shown = "".join(traceback.format_exception(raised.value))
    assert "return Scale().by * len(completion.text.split())" in shown


def test_read_reward_source_hash_follows_the_code(file: Path, tmp_path: Path, monkeypatch):
    before = read_reward_source(f"{file}:words").sha256
    file.write_text(CODE + "\n")
    assert read_reward_source(f"{file}:words").sha256 != before

    package = tmp_path / "some_rewards"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("from some_rewards.inner.words import words\n")
    (package / "inner" / "__init__.py").write_text("")
    (package / "inner" / "words.py").write_text("def words(task, completion):\n    return 1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    whole = read_reward_source("some_rewards:words")
    assert import_source(whole)(None, None) == 1.0
    (package / "inner" / "words.py").write_text("def words(task, completion):\n    return 2.0\n")
    assert check_reward_source(whole) != whole.sha256  # the package's name stands for all its files
    assert read_reward_source("some_rewards.inner:words").sha256 != whole.sha256


def test_read_reward_source_hash_includes_the_lexicons():
    assert (
        read_reward_source("vaserl.rewards:vase_caption").sha256
        == read_reward_source("vaserl.rewards:VaseReward").sha256
    )
    assert (
        read_reward_source("vaserl.rewards.vase.caption:vase_caption").sha256
        != read_reward_source("vaserl.rewards:VaseReward").sha256
    )


@pytest.mark.parametrize(
    ("text", "name", "words"),
    [
        ("", "no colon", ["package.module:function", "path/to/file.py:function"]),
        ("", "{folder}/absent.py:f", ["absent.py can't be read: No such file"]),
        ("", "nonesuch+{file}:f", ["unknown adapter 'nonesuch'", "openrlhf", "trl", "verl"]),
        ("", "no_such_package.rewards:f", ["can't be imported", "no_such_package"]),
        ("", "vaserl.no_such_module:f", ["can't be imported", "vaserl.no_such_module"]),
        ("x = 1", "{file}:f", ["no function or class 'f'"]),
        ("x = 1\ndef f(:\n", "{file}:f", ["mine.py:2", "invalid syntax"]),
        ("import no_such_package", "{file}:f", ["can't be imported", "no_such_package"]),
        ("1 / 0", "{file}:f", ["can't be imported", "ZeroDivisionError"]),
    ],
)
def test_import_source_explains_what_is_wrong(text: str, name: str, words: list[str], file: Path):
    file.write_text(text)
    with pytest.raises(UserError) as raised:
        import_source(read_reward_source(name.format(file=file, folder=file.parent)))
    assert not [word for word in words if word not in str(raised.value)], str(raised.value)


def test_mismatches_by_hand(file: Path):
    source = read_reward_source(f"{file}:words")
    agree = ("node1", {source.name: source.sha256})
    assert mismatches([source], [agree, agree]) == ""
    other = ("node2", {source.name: "f" * 64})
    absent = ("node3", {source.name: "reward 'x' can't be imported: there is no module x"})
    table = mismatches([source], [agree, other, absent]).splitlines()
    assert len(table) == 3
    assert table[1].split() == ["1", "on", "node2", source.name, source.sha256[:12], "ffffffffffff"]
    assert table[2].endswith("there is no module x")
    assert table[2].startswith("2 on node3")
