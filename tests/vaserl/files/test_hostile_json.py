"""Tests that JSON which makes Python's parser raise something else than a syntax error is a row's problem too."""

from pathlib import Path

import pytest

from vaserl.curation.source.tables import read_table
from vaserl.errors import Problem, UserError
from vaserl.files.json_lines import read_json_lines

HOSTILE = ['{"a": ' + "[" * 100_000, '{"a": ' + "1" * 5000 + "}"]
"""Brackets beyond Python's recursion limit, and a number beyond its limit of 4300 digits."""


@pytest.mark.parametrize("text", HOSTILE, ids=["brackets", "digits"])
def test_a_hostile_line_is_named(tmp_path: Path, text: str):
    path = tmp_path / "a.jsonl"
    path.write_text('{"id": "a"}\n' + text + "\n")
    with pytest.raises(UserError, match=r"a\.jsonl, line 2 is not JSON"):
        read_json_lines(path)
    problems: list[Problem] = []
    assert [row for _, row in read_table(str(path), problems.append)] == [{"id": "a"}]
    assert [(problem.where, problem.kind) for problem in problems] == [(f"{path}:2", "not JSON")]


@pytest.mark.parametrize("text", HOSTILE, ids=["brackets", "digits"])
def test_a_hostile_element_of_a_list_is_named(tmp_path: Path, text: str):
    path = tmp_path / "a.json"
    path.write_text('[{"id": "a"},\n' + text + "]")
    problems: list[Problem] = []
    assert [row for _, row in read_table(str(path), problems.append)] == [{"id": "a"}]
    assert [(problem.where, problem.kind) for problem in problems] == [(f"{path}:2", "not JSON")]
