"""Files that are there whole or not at all, whoever is killed while he writes them and whoever reads meanwhile."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".writing-*"
"""What a killed writer may leave behind, beside the file that it was writing, for somebody to sweep."""


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, which takes the name `path` in one step when the block ends well.

    It is written aside in the same folder, which must exist, and flushed to the disk before it is renamed: a loss of
    power may cost the name, never the content under it. Several writers of one name don't meet; the last one stays. Its
    permissions are those of any file that the process makes. After an exception nothing is left.
    """
    # not under the file's own name with something added: that may be as long as a disk allows already
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


def write_whole(path: Path, content: bytes) -> None:
    """Writes the content like `whole_file`."""
    with whole_file(path) as file:
        file.write(content)
