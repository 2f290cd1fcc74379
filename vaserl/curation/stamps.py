"""Stamps (size and time) of weight files, and digests of code. When one changes, stored results are out of date."""

import hashlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def file_stamps(path: Path | None) -> Mapping[str, tuple[int, int]]:
    """Returns size in bytes and modification time in ns of a file, or of each file in a folder, by name of the file.

    Replaced weights are detected by these stamps without reading gigabytes. Returns {} if `path` is None.
    """
    if path is None:
        return {}
    files = [path] if path.is_file() else sorted(file for file in path.glob("*") if file.is_file())
    return {file.name: (file.stat().st_size, file.stat().st_mtime_ns) for file in files}


def code_of_file(thing: Any) -> str:
    """Returns the SHA-256 of the file that defines a function or class, as a hexadecimal string."""
    return hashlib.sha256(Path(inspect.getfile(thing)).read_bytes()).hexdigest()
