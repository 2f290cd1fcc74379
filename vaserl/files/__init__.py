"""Reads and writes files on disk and behind URLs: JSON lines, mp4 clips, photographs, GLBs.

It also writes files atomically, locks data sets and computes hashes. The package exports the functions that need only
the standard library. Import the others from their modules, because each of these loads a library: `clip` loads PyAV,
`photograph` and `glb` load Pillow, `storage` loads fsspec.
"""

from vaserl.files.atomic import UNFINISHED, atomic_file, write_atomic
from vaserl.files.digest import sha256_of, sha256_of_folder
from vaserl.files.json_lines import json_lines, read_json_lines
from vaserl.files.lock import LOCK, locked

__all__ = [
    "LOCK",
    "UNFINISHED",
    "atomic_file",
    "json_lines",
    "locked",
    "read_json_lines",
    "sha256_of",
    "sha256_of_folder",
    "write_atomic",
]
