"""A file lock with which only one job at a time can write a folder. The kernel releases it when the process ends."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vaserl.errors import UserError

LOCK = "lock"


@contextmanager
def locked(folder: Path, *, place: Path | None = None, doing: str = "curating this data set") -> Iterator[None]:
    """Locks the file <folder>/lock for this process while the block runs.

    The file contains the process id, the host and the start time as JSON.

    place: path that error messages name; by default the parent of `folder`. doing: what the holder of the lock does,
    for error messages.

    Raises: UserError, with the process's id and host, when another process has the lock; UserError when the folder
    can't be written to, or the file system doesn't support locks.
    """
    place = place or folder.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = (folder / LOCK).open("a+")
    except OSError as error:
        raise UserError(
            f"{place}: can't be written to: {error}. Choose another folder, or change its permissions"
        ) from error
    with opened as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(
                f"{place}: {_holder(file.read(), doing)}. Wait until that process ends, or end it"
            ) from None
        except OSError as error:
            raise UserError(
                f"{place}: the file system can't lock files ({error.strerror}), so two jobs could write to it at "
                "once. Mount the file system with locks (Lustre: option flock), or choose another folder"
            ) from error
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}))
        file.flush()
        yield


def _holder(content: str, doing: str) -> str:
    try:
        entry = json.loads(content)
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry["since"]))
        return f"process {entry['pid']} on {entry['host']} has been {doing} since {since}"
    except (ValueError, KeyError, TypeError):  # the holder has the lock but hasn't written its entry yet
        return f"another process is {doing}"
