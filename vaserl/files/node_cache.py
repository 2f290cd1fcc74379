"""A folder of a machine that keeps files fetched from elsewhere, of bounded size, shared by the machine's processes.

A file's name is the SHA-256 of its content, which is compared when the file is fetched. Files appear whole, by a
rename. Only one process fetches a file at a time, so each file is fetched once, as long as the limit has room for it.
The least recently opened files are removed first; one that another process is reading stays readable until it is
closed.
"""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO

from vaserl.errors import UserError
from vaserl.files.atomic import write_atomic

_NUM_LOCKS = 64
_CHECK_EVERY = 64
"""A process looks at the folder's size after it has fetched the limit divided by this number."""
_FULL, _FILL = 0.875, 0.75
"""Shares of the limit at which files are removed, and that are left then. Up to eight processes that fetch at once stay
below the limit."""
_ABANDONED_S = 600.0
"""Age of a temporary file above which the process that wrote it must have died."""


class NodeCache:
    """Files below `folder`, with at most `max_bytes` in all."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder, self._max_bytes = Path(folder), max_bytes
        self._num_unchecked: int | None = None
        """Bytes fetched since the last look at the folder's size; None before the first."""

    def open(self, digest: str, fetch: Callable[[], bytes]) -> BinaryIO:
        """Returns the open file with this hash. If it isn't there, it is fetched and stored first.

        fetch: returns the content. Raises: UserError if the content has another hash, or the folder can't be
        used; what `fetch` raises.
        """
        if (file := self._opened(digest)) is not None:
            return file
        with self._locked(digest):
            if (file := self._opened(digest)) is not None:  # another process has fetched it meanwhile
                return file
            content = fetch()
            found = sha256(content).hexdigest()
            if found != digest:
                raise UserError(
                    f"what was fetched for {digest} has SHA-256 {found} and {len(content)} bytes: the stored file is "
                    "damaged. Upload it again"
                )
            while True:
                try:
                    write_atomic(self.folder / digest, content)
                except OSError as error:
                    raise self._unusable(error) from error
                if (file := self._opened(digest)) is not None:  # not removed again already
                    break
        self._keep_within(len(content))
        return file

    def num_bytes(self) -> int:
        """Returns the size of all files."""
        return sum(size for _, size, _ in self._files())

    def _opened(self, digest: str) -> BinaryIO | None:
        try:
            file = (self.folder / digest).open("rb")
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._unusable(error) from error
        with suppress(OSError):  # only the order of removal depends on it
            os.utime(self.folder / digest)
        return file

    def _keep_within(self, num_new: int) -> None:
        if self._num_unchecked is not None and self._num_unchecked + num_new < self._max_bytes / _CHECK_EVERY:
            self._num_unchecked += num_new
            return
        self._num_unchecked = 0
        files = sorted(self._files())
        num_bytes = sum(size for _, size, _ in files)
        if num_bytes <= self._max_bytes * _FULL:
            return
        for _, size, path in files:
            if num_bytes <= self._max_bytes * _FILL:
                break
            path.unlink(missing_ok=True)
            num_bytes -= size

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """Yields the time of the last use, the size and the path of each file."""
        for entry in os.scandir(self.folder):
            with suppress(FileNotFoundError):  # another process removed it
                facts = entry.stat()
                is_new = time.time() - facts.st_mtime < _ABANDONED_S
                if not entry.name.startswith(_LOCK_NAME) and not (entry.name.startswith(".") and is_new):
                    yield facts.st_mtime, facts.st_size, Path(entry.path)

    @contextmanager
    def _locked(self, digest: str) -> Iterator[None]:
        """Keeps other processes from fetching the same file, and a few others, for the duration of the block."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = (self.folder / f"{_LOCK_NAME}{int(digest[:8], 16) % _NUM_LOCKS:02d}").open("ab")
        except OSError as error:
            raise self._unusable(error) from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _unusable(self, error: OSError) -> UserError:
        return UserError(
            f"{self.folder} can't be used: {error.strerror}. Set data.cache_folder to a folder on a local disk of "
            "each node"
        )


_LOCK_NAME = ".lock-"
