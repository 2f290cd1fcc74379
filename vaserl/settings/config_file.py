"""Config files in TOML: reading one, the line that sets a key, and values of one file laid over those of another."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaserl.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigFile:
    """A TOML file as it was read."""

    path: Path
    text: str
    values: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path | str) -> "ConfigFile":
        """Reads a file. Raises: UserError that names the file if it can't be read or is not TOML."""
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8-sig")
        except OSError as error:
            raise UserError(f"config {path}: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UserError(f"config {path}: not UTF-8; save the file as UTF-8") from error
        try:
            return cls(path=path, text=text, values=tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise UserError(f"config {path}: {error}") from error

    def sets(self, location: Sequence[str]) -> bool:
        """Returns True if the file sets the dotted key, given as its parts, or a key of the table of that name."""
        values: Any = self.values
        for part in location:
            if not isinstance(values, Mapping) or part not in values:
                return False
            values = values[part]
        return True

    def where(self, location: Sequence[str]) -> str:
        """Returns FILE:LINE of the line that sets a dotted key."""
        return f"{self.path}:{find_line(self.text, location)}"


def merge_values(values: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Returns new nested tables with the values of `over` in place of those of `values`. Tables are merged key by key;
    any other value, a list too, is replaced as a whole."""
    merged = dict(values)
    for key, value in over.items():
        if isinstance(value, Mapping):
            before = merged.get(key)
            merged[key] = merge_values(before if isinstance(before, Mapping) else {}, value)
        else:
            merged[key] = value
    return merged


def find_line(text: str, location: Sequence[str]) -> int:
    """Returns the number, counted from 1, of the line of TOML text that sets a dotted key.

    If no line sets the key, returns the header line of the innermost table that contains the key, or 1 without such a
    table.
    """
    table: tuple[str, ...] = ()
    best, best_depth = 1, 0
    for number, line in enumerate(text.splitlines(), start=1):
        header = re.match(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$", line)
        key = re.match(r"\s*([\w.\"'-]+)\s*=", line)
        if header:
            table = tuple(part.strip("\"' ") for part in header.group(1).split("."))
            here = table
        elif key:
            here = table + tuple(part.strip("\"' ") for part in key.group(1).split("."))
        else:
            continue
        depth = len(here)
        if depth > best_depth and tuple(location[:depth]) == here:
            best, best_depth = number, depth
    return best
