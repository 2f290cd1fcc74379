"""Atomic file writes: a reader sees the whole old file or the whole new one."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".writing-*"
"""Glob pattern of the temporary files. A killed process can leave some in the folder to which it was writing; they
are safe to delete when no process writes to the folder."""


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Opens a temporary file that is renamed to `path` when the block ends without an exception.

    The temporary file is in the folder of `path`, which must exist. Its content is flushed to disk before the rename,
    so after a power failure `path` may be the old file, but never an incomplete one. Concurrent writers of the same
    path use different temporary files; the last rename wins. Permissions follow the process's umask. After an exception
    the temporary file is deleted and `path` is unchanged; an OSError of a full disk names `path`.
    """
    # not the target's name plus a suffix: the target's name may already have the greatest length that the disk allows
    aside = path.with_name(UNFINISHED.replace("*", secrets.token_hex(8)))
    try:
        with aside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except BaseException as error:
        aside.unlink(missing_ok=True)
        if (
            isinstance(error, OSError) and error.errno and error.filename is None
        ):  # a failed write doesn't name its file
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def write_atomic(path: Path, content: bytes) -> None:
    """Writes the content to `path` atomically: a reader sees the whole old file or the whole new one."""
    with atomic_file(path) as file:
        file.write(content)
