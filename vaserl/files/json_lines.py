"""Reads and writes JSON-lines files, which contain one JSON object a line."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vaserl.errors import UserError


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Returns the JSON objects in the file in order and skips blank lines. If the file is absent, the list is empty.

    Raises: UserError with the line's number if a line is not a JSON object, for example because a killed process left
    the last line incomplete.
    """
    if not path.is_file():
        return []
    rows = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
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
