"""Durable writes of files and folders: what was written is on the disk, names included, when a function returns.

`atomic` protects a reader from incomplete files. This module also survives a power failure right after the write,
because it syncs the folders too: a rename is on the disk only after a sync of the folder that contains the name.
Large content and URLs are supported.
"""

import contextlib
import errno
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from vaserl.files.atomic import atomic_file
from vaserl.files.storage import is_url, remove_file, write_bytes

DELETING = ".deleting-"
"""Beginning of the name of a folder that is being deleted. A killed process can leave such a folder; it is safe to
delete."""
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)
"""Error numbers with which a file system says that it can't sync folders."""


def write_durably(place: str, content: "bytes | memoryview | np.ndarray[Any, Any]") -> None:
    """Writes the content to a path or URL; missing folders are created.

    Local path: temporary name in the same folder, write, sync, rename, sync of the folder. A reader sees the old file
    or the new one. URL: one upload, which object stores make visible as a whole.

    Raises: OSError, for example for a full disk (ENOSPC, EDQUOT). The incomplete file has been removed then.
    """
    view = bytes_of(content)
    if is_url(place):
        try:
            write_bytes(place, bytes(view))
        except BaseException:
            with contextlib.suppress(OSError):  # the first error is the one to report
                remove_file(place)
            raise
        return
    path = Path(place)
    make_folder(path.parent)
    with atomic_file(path) as file:
        file.write(view)
    sync_folder(path.parent)


def bytes_of(content: "bytes | memoryview | np.ndarray[Any, Any]") -> memoryview:
    """Returns the content as a flat view of its bytes; only an array that isn't contiguous is copied."""
    if isinstance(content, np.ndarray):
        # a view as bytes, because memoryview knows no bfloat16
        return np.ascontiguousarray(content).reshape(-1).view(np.uint8).data
    view = memoryview(content)
    return view.cast("B") if view.nbytes else memoryview(b"")


def make_folder(folder: Path) -> None:
    """Creates a folder and its missing parents, durably."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for path in missing:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Writes the names in a folder to the disk (fsync). Does nothing where the file system can't sync folders."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(descriptor)


def sync_below(folder: Path) -> None:
    """Writes all files and names in a folder and its subfolders to the disk, whichever process wrote them."""
    for root, _, names in os.walk(folder):
        for name in names:
            descriptor = os.open(Path(root, name), os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        sync_folder(Path(root))


def rename_durably(source: Path, target: Path) -> None:
    """Renames a file or folder within one file system; the new name is on the disk when the function returns."""
    os.rename(source, target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def remove_folder(folder: Path) -> None:
    """Removes a folder. If the process is killed meanwhile, only a hidden folder `.deleting-…` is left.

    Without the rename, a kill could leave a folder that has its name but not all its files.
    """
    if folder.name.startswith("."):
        shutil.rmtree(folder)
        return
    aside = folder.with_name(f"{DELETING}{folder.name}-{secrets.token_hex(4)}")
    rename_durably(folder, aside)
    shutil.rmtree(aside)
