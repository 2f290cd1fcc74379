"""Files on disk and behind URLs: atomic writes, JSON lines, a lock, hashes, videos, photographs, GLBs.

Functions that need only the standard library are imported from here. The others are imported from their modules, each
of which loads a library: `clip` (PyAV), `photograph` and `glb` (Pillow), `storage` (fsspec).
"""

from vaserl.files.atomic import UNFINISHED, atomic_file, write_atomic
from vaserl.files.digest import sha256_of
from vaserl.files.json_lines import read_json_lines
from vaserl.files.lock import locked

__all__ = ["UNFINISHED", "atomic_file", "locked", "read_json_lines", "sha256_of", "write_atomic"]
