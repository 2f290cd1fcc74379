"""Tests the reader of JSON-lines files."""

from pathlib import Path

import pytest

from vaserl.errors import UserError
from vaserl.files.json_lines import json_lines, read_json_lines


def test_read_json_lines_skips_blank_lines_and_absent_files(tmp_path: Path):
    path = tmp_path / "rows.jsonl"
    assert read_json_lines(path) == []
    path.write_text('{"a": 1}\n\n{"a": 2}\n')
    assert read_json_lines(path) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("line", "words"), [('{"a": ', "line 2 is not JSON"), ("[1]", "line 2: expected a JSON object")]
)
def test_read_json_lines_names_the_line_that_is_no_object(tmp_path: Path, line: str, words: str):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"a": 1}\n' + line)
    with pytest.raises(UserError, match=words):
        read_json_lines(path)


def test_read_json_lines_ends_a_line_at_a_line_feed_only(tmp_path: Path):
    """A model's caption may contain characters at which str.splitlines ends a line."""
    rows = [{"caption": "a \u2028 b \u2029 c \x85 d"}, {"caption": "e"}]
    (tmp_path / "rows.jsonl").write_bytes(json_lines(rows))
    assert read_json_lines(tmp_path / "rows.jsonl") == rows
