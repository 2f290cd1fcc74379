"""What tells one version of a file from another, where outcomes depend on it: stamps of weights, digests of code."""

import hashlib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def file_stamps(path: Path | None) -> Mapping[str, tuple[int, int]]:
    """Returns size and time of change in ns of a file, or of each file in a folder, by name; {} where there is none.

    They tell that weights were exchanged without reading gigabytes.
    """
    if path is None:
        return {}
    files = [path] if path.is_file() else sorted(file for file in path.glob("*") if file.is_file())
    return {file.name: (file.stat().st_size, file.stat().st_mtime_ns) for file in files}


def code_of_file(thing: Any) -> str:
    """Returns the digest of the file that defines a function or class, hex."""
    return hashlib.sha256(Path(inspect.getfile(thing)).read_bytes()).hexdigest()
