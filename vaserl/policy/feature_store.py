"""The feature store: a folder with one checksummed file for each clip's features (the vision tower's output). The
processes of a machine share the folder.

An entry is the file of one clip: one line of JSON and a safetensors payload. A checksum of both is verified at every
read. An entry with a wrong checksum is never used: it is removed and counted, and then computed again.

Writes are atomic. A reader holds a shared lock on an entry's file, and eviction needs an exclusive lock, so an entry is
not evicted while it is read. The kernel releases the locks of a process that dies.

The safetensors package writes and reads the payload. The module `tensor_file` is not used here, because the tensors
that it reads share memory with the file's bytes, while tensors read by the package have their own memory.

`actors/encoder.py` computes entries and transfers them to other machines.
"""

import errno
import fcntl
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import safetensors.torch

from vaserl.errors import UserError
from vaserl.files import UNFINISHED, write_atomic
from vaserl.policy.clips import ClipFeatures
from vaserl.policy.positions import VideoGrid

_logger = logging.getLogger(__name__)

_FORMAT = "vaserl-features-1"
_SUFFIX = ".features"
_NUM_READERS = 4
"""Number of threads in which one process reads entries. Reading an entry of 22 MB takes about 20 ms, most of it for the
checksum."""

ABANDONED_S = 600.0
"""Age in seconds above which a temporary file is removed, because the process that wrote it must have died. Writing an
entry takes much less time."""


class DamagedEntry(ValueError):
    """The bytes of a feature store's entry are invalid, or they were stored under another key."""


@dataclass(slots=True, kw_only=True)
class StoreCounts:
    """Counts of the entries that one `FeatureStore` object has read, removed or failed to store."""

    hits: int = 0
    """Number of reads that found a valid entry."""
    misses: int = 0
    """Number of reads that found no entry."""
    damaged: int = 0
    """Number of damaged entries and abandoned temporary files that were removed."""
    evicted: int = 0
    """Number of entries removed to stay within the size limit."""
    refused: int = 0
    """Number of entries not stored because they exceeded the size limit or the disk was full."""


def pack_entry(key: str, clip: ClipFeatures) -> bytes:
    """Returns the bytes of the file that stores a clip's features under `key`."""
    payload = safetensors.torch.save({"features": clip.features.contiguous()})
    facts = {"patch_grid": clip.patch_grid, "seconds_per_patch": clip.seconds_per_patch, "grid": asdict(clip.grid)}
    header = {"format": _FORMAT, "key": key, "clip": facts, "sha256": _checksum(key, facts, payload)}
    return json.dumps(header).encode() + b"\n" + payload


def unpack_entry(key: str, entry: bytes) -> ClipFeatures:
    """Returns the features that an entry's bytes contain.

    Raises: DamagedEntry when a bit of `entry` has changed since it was packed, or when it was packed under another key.
    """
    line, newline, payload = entry.partition(b"\n")
    try:
        header = json.loads(line)
        facts, stated = header["clip"], (header["format"], header["key"], header["sha256"])
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedEntry(f"the entry has no valid header: {error!r}") from error
    if not newline or stated != (_FORMAT, key, _checksum(key, facts, payload)) or line != json.dumps(header).encode():
        raise DamagedEntry("the entry's format, key or checksum does not match")
    return ClipFeatures(
        features=safetensors.torch.load(payload)["features"],
        patch_grid=tuple(facts["patch_grid"]),
        seconds_per_patch=facts["seconds_per_patch"],
        grid=VideoGrid(**facts["grid"]),
    )


class FeatureStore:
    """A store of clip features (the vision tower's output) in one folder, with one file for each key. When the files
    exceed `max_bytes` in total, the least recently read files are removed first.

    Any number of processes may share the folder. Raises: UserError when the folder can't be created.
    """

    def __init__(self, folder: Path, max_bytes: int):
        self.folder, self.max_bytes, self.counts = Path(folder), max_bytes, StoreCounts()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"features.folder {folder} can't be created ({error.strerror}); set it to another folder"
            ) from error
        for left in self.folder.glob(UNFINISHED):
            self._sweep(left)

    def path(self, key: str) -> Path:
        """Returns the path of the file for `key`, whether or not the file exists."""
        return self.folder / f"{key}{_SUFFIX}"

    def get_all(self, keys: Sequence[str]) -> list[ClipFeatures | None]:
        """Returns, for each key, the features stored under it, or None if there is no valid entry. Reads in several
        threads."""
        with ThreadPoolExecutor(_NUM_READERS) as threads:
            found = [self._count(outcome) for outcome in threads.map(self._read, keys)]
        return [valid and valid.features for valid in found]

    def entry(self, key: str) -> bytes | None:
        """Returns the bytes of the entry for `key`, to be stored on another machine; None if there is no valid
        entry."""
        valid = self._count(self._read(key))
        return valid and valid.entry

    def put(self, key: str, entry: bytes) -> None:
        """Stores the bytes of an entry under `key`. If the store then exceeds its size limit, other entries are
        removed. An entry that is larger than the limit or does not fit on the disk is not stored, but counted and
        logged."""
        if self.path(key).exists():
            return
        if len(entry) > self.max_bytes:
            self._refuse(key, f"the entry has {len(entry)} bytes; the limit of the store is {self.max_bytes}")
            return
        try:
            write_atomic(self.path(key), entry)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            self._refuse(key, os.strerror(error.errno))
            return
        self._evict(spare=self.path(key))

    def num_bytes(self) -> int:
        """Returns the total size of all entries in bytes."""
        return sum(size for _, size, _ in self._entries())

    @contextmanager
    def in_use(self, key: str) -> Iterator[BinaryIO]:
        """Opens the file of the entry for `key`. No process can evict the entry until the file is closed.

        Raises: FileNotFoundError when there is no such entry.
        """
        with self.path(key).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield file

    def _read(self, key: str) -> "_Valid | DamagedEntry | None":
        """Reads an entry and verifies it. A damaged entry is removed. Several threads may call this method, because it
        does not change this object.

        Returns: the entry, the error if it is damaged, or None if there is no entry for `key`.
        """
        try:
            with self.in_use(key) as file:
                entry = file.read()
                try:
                    valid = _Valid(entry=entry, features=unpack_entry(key, entry))
                except DamagedEntry as damage:
                    _logger.warning("feature file %s is damaged and will be computed again: %s", self.path(key), damage)
                    # unless another process has already replaced it by a valid one
                    if os.stat(self.path(key)).st_ino == os.fstat(file.fileno()).st_ino:
                        self.path(key).unlink()
                    return damage
                os.utime(file.fileno())
                return valid
        except FileNotFoundError:
            return None

    def _count(self, outcome: "_Valid | DamagedEntry | None") -> "_Valid | None":
        if isinstance(outcome, _Valid):
            self.counts.hits += 1
            return outcome
        if outcome is None:
            self.counts.misses += 1
        else:
            self.counts.damaged += 1
        return None

    def _evict(self, spare: Path) -> None:
        with (self.folder / ".lock").open("w") as lock:
            # one process at a time: several at once would each remove the whole excess
            fcntl.flock(lock, fcntl.LOCK_EX)
            entries = sorted(self._entries())
            excess = sum(size for _, size, _ in entries) - self.max_bytes
            for _, size, path in entries:
                if excess <= 0:
                    return
                if path != spare and _remove_unless_in_use(path):
                    self.counts.evicted += 1
                    excess -= size
            if excess > 0:
                _logger.warning(
                    "feature store %s is %d bytes above its limit: all remaining entries are in use",
                    self.folder,
                    excess,
                )

    def _entries(self) -> Iterator[tuple[int, int, Path]]:
        """Yields (time of the last read in nanoseconds, size in bytes, path) of each entry's file."""
        for found in os.scandir(self.folder):
            if found.name.endswith(_SUFFIX):
                try:
                    stat = found.stat()
                except FileNotFoundError:  # evicted by another process since it was listed
                    continue
                yield stat.st_mtime_ns, stat.st_size, Path(found.path)

    def _sweep(self, temporary: Path) -> None:
        try:
            if time.time() - temporary.stat().st_mtime < ABANDONED_S:
                return
            temporary.unlink()
        except FileNotFoundError:
            return
        self.counts.damaged += 1
        _logger.warning(
            "feature file %s was left half-written by a process that died; the file has been removed", temporary
        )

    def _refuse(self, key: str, reason: str) -> None:
        self.counts.refused += 1
        _logger.warning("the features with the key %s are not stored: %s", key, reason)


@dataclass(frozen=True, slots=True)
class _Valid:
    """A feature store's entry with a verified checksum: its bytes, and the features that they contain."""

    entry: bytes
    features: ClipFeatures


def _remove_unless_in_use(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
    except (BlockingIOError, FileNotFoundError):
        return False
    return True


def _checksum(key: str, facts: dict[str, Any], payload: bytes) -> str:
    total = hashlib.sha256(json.dumps([_FORMAT, key, facts]).encode() + b"\n")
    total.update(payload)
    return total.hexdigest()
