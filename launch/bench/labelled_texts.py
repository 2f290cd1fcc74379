"""Reads labelled texts, one JSON object a line, for the benches of the reader and of what texts earn."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vaserl.errors import UserError


def read_labelled_texts(path: Path, needed: Mapping[str, type]) -> list[dict[str, Any]]:
    """Returns the rows of a file. `needed` has the type of each key that a row must have.

    Raises: UserError with file and line if the file can't be read, has no rows, or a row can't be used.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    rows = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise UserError(f"{path}:{number}: not JSON: {error}") from error
            if not isinstance(row, dict) or not all(isinstance(row.get(key), kind) for key, kind in needed.items()):
                keys = " and ".join(f"`{key}`" for key in needed)
                raise UserError(f"{path}:{number}: expected an object with {keys}")
            rows.append(row)
    if not rows:
        raise UserError(f"{path} has no rows")
    return rows
