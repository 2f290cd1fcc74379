"""One job at a time on a data set: a lock that the kernel gives back when its holder dies, in whatever way."""

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
def locked(folder: Path) -> Iterator[None]:
    """Holds <folder>/lock, in which others read who has it.

    Raises: UserError when another process holds it: which, where, since when; and where there are no locks.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise UserError(f"{folder.parent}: {_holder(file.read())}. Wait for it, or end it") from None
        except OSError as error:
            raise UserError(
                f"{folder.parent}: its file system can't lock a file ({error.strerror}), so that two jobs might write "
                "one data set. Mount it with locks (Lustre: flock), or name a data set elsewhere"
            ) from error
        file.truncate(0)
        file.write(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}))
        file.flush()
        yield


def _holder(content: str) -> str:
    try:
        entry = json.loads(content)
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry["since"]))
        return f"process {entry['pid']} on {entry['host']} has been curating this data set since {since}"
    except (ValueError, KeyError, TypeError):  # it has just come and not yet said who it is
        return "another process is curating this data set"
