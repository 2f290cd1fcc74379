"""Reads and writes JSON-lines files, which contain one JSON object a line."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vaserl.errors import UserError


def read_json_lines(path: Path, *, drop_torn: bool = False) -> list[dict[str, Any]]:
    """Returns the JSON objects in the file in order and skips blank lines. If the file is absent, the list is empty.

    drop_torn: if true, a last line without a line break at its end, which a killed process can leave, is skipped.

    Raises: UserError with the line's number if a line is not a JSON object, for example because a killed process left
    the last line incomplete.
    """
    if not path.is_file():
        return []
    rows = []
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}, line {line} is not UTF-8: the file is damaged") from error
    if drop_torn:
        text = text[: text.rfind("\n") + 1]
    # not splitlines, which also ends a line at U+2028 and U+0085; JSON strings may contain these as they are
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:  # also a number of too many digits, or a thousand brackets
            raise UserError(f"{path}, line {number} is not JSON: {error}") from error
        if not isinstance(row, dict):
            raise UserError(f"{path}, line {number}: expected a JSON object, got {type(row).__name__}")
        rows.append(row)
    return rows


def json_lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Returns the content of a file with one row a line.

    Raises: ValueError for a number that is not finite, which JSON does not have.
    """
    return "".join(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows).encode()
