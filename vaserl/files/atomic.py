"""Atomic file writes: a reader sees the old file or the new one, never part of either."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".writing-*"
"""Glob pattern of the temporary files that a killed writer leaves in the folder of its target; safe to delete when no
writer runs."""


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Opens a temporary file that is renamed to `path` when the block ends without an exception.

    The temporary file lies in the folder of `path`, which must exist, and is flushed to disk before the rename: a power
    failure can lose the new name but never leaves partial content under it. Concurrent writers of one path use
    different temporary files; the last rename wins. Permissions follow the process's umask. After an exception the
    temporary file is deleted and `path` is unchanged.
    """
    # not the target's name plus a suffix: the target's name may already have the greatest length that the disk allows
    aside = path.with_name(UNFINISHED.replace("*", secrets.token_hex(8)))
    try:
        with aside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_atomic(path: Path, content: bytes) -> None:
    """Writes the content atomically; see `atomic_file`."""
    with atomic_file(path) as file:
        file.write(content)
