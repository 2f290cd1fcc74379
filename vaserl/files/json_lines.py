"""JSON-lines files: one JSON object a line."""

import json
from pathlib import Path
from typing import Any

from vaserl.errors import UserError


def read_json_lines(path: Path) -> list[dict[str, Any]]:
    """Returns the JSON objects of the file in order; blank lines are skipped. An absent file gives an empty list.

    Raises: UserError naming the line that is not a JSON object, such as a last line that a killed process left
    incomplete.
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
            raise UserError(f"{path}, line {number}: expected an object, got {type(row).__name__}")
        rows.append(row)
    return rows
