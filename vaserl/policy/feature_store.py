"""The feature store: a folder with one checksummed file for each clip's features (the vision tower's output), shared by
the processes of a machine.

An entry is one line of JSON and a safetensors payload. A checksum over both is verified at every read; an entry that
fails it is removed and counted, so that it is computed again and never used. Writes are atomic. A reader holds a shared
lock on the file and eviction needs an exclusive one, so an entry is not evicted while it is read. The kernel releases
the locks of a process that dies.

The payload is written and read by the safetensors package: its tensors own their memory, while those of `tensor_file`
share it with the file's bytes.

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
"""Number of threads in which one process reads entries: one of 22 MB takes about 20 ms, mostly for its checksum."""

ABANDONED_S = 600.0
"""Age in seconds above which a temporary file counts as left by a writer that died: writing an entry is much faster."""


class DamagedEntry(ValueError):
    """The bytes of an entry are invalid, or they were stored under another key."""


@dataclass(slots=True, kw_only=True)
class StoreCounts:
    """Numbers of reads, removals and refusals of one `FeatureStore` object."""

    hits: int = 0
    """Number of reads that found a valid entry."""
    misses: int = 0
    """Number of reads that found no entry."""
    damaged: int = 0
    """Number of damaged entries and abandoned temporary files that were removed."""
    evicted: int = 0
    """Number of entries removed to stay within the size limit."""
    refused: int = 0
    """Number of entries not stored because they exceed the size limit or the disk was full."""


def pack_entry(key: str, clip: ClipFeatures) -> bytes:
    """Returns the bytes of the file that stores a clip's features under `key`."""
    payload = safetensors.torch.save({"features": clip.features.contiguous()})
    facts = {"patch_grid": clip.patch_grid, "seconds_per_patch": clip.seconds_per_patch, "grid": asdict(clip.grid)}
    header = {"format": _FORMAT, "key": key, "clip": facts, "sha256": _checksum(key, facts, payload)}
    return json.dumps(header).encode() + b"\n" + payload


def unpack_entry(key: str, entry: bytes) -> ClipFeatures:
    """Returns the features in the bytes of an entry.

    Raises: DamagedEntry when any bit of them has changed, or they were packed under another key.
    """
    line, newline, payload = entry.partition(b"\n")
    try:
        header = json.loads(line)
        facts, stated = header["clip"], (header["format"], header["key"], header["sha256"])
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedEntry(f"it has no valid header: {error!r}") from error
    if not newline or stated != (_FORMAT, key, _checksum(key, facts, payload)) or line != json.dumps(header).encode():
        raise DamagedEntry("its format, key or checksum does not match")
    return ClipFeatures(
        features=safetensors.torch.load(payload)["features"],
        patch_grid=tuple(facts["patch_grid"]),
        seconds_per_patch=facts["seconds_per_patch"],
        grid=VideoGrid(**facts["grid"]),
    )


class FeatureStore:
    """A store of clip features by key, in one folder. Above `max_bytes` in all, the least recently read are removed
    first.

    Any number of processes may share the folder. Raises: UserError when the folder can't be created.
    """

    def __init__(self, folder: Path, max_bytes: int):
        self.folder, self.max_bytes, self.counts = Path(folder), max_bytes, StoreCounts()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"features.folder {folder} can't be created ({error.strerror}); name another") from error
        for left in self.folder.glob(UNFINISHED):
            self._sweep(left)

    def path(self, key: str) -> Path:
        """Returns the path of the entry of `key`, whether or not it exists."""
        return self.folder / f"{key}{_SUFFIX}"

    def get_all(self, keys: Sequence[str]) -> list[ClipFeatures | None]:
        """Returns the features stored under each key, None where there is no valid entry. Uses several threads."""
        with ThreadPoolExecutor(_NUM_READERS) as threads:
            found = [self._count(outcome) for outcome in threads.map(self._read, keys)]
        return [valid and valid.features for valid in found]

    def entry(self, key: str) -> bytes | None:
        """Returns the verified bytes of an entry, for another machine's store; None if there is no valid entry."""
        valid = self._count(self._read(key))
        return valid and valid.entry

    def put(self, key: str, entry: bytes) -> None:
        """Stores the bytes of an entry and evicts other entries if the size limit requires it. An entry that can't be
        stored is counted and logged."""
        if self.path(key).exists():
            return
        if len(entry) > self.max_bytes:
            self._refuse(key, f"its {len(entry)} bytes alone exceed the limit of {self.max_bytes}")
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
        """Opens an entry's file; while it is open, no process can evict it. Raises: FileNotFoundError."""
        with self.path(key).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield file

    def _read(self, key: str) -> "_Valid | DamagedEntry | None":
        """Reads an entry without changing this object, so that threads may share it."""
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
                _logger.warning("%s is %d bytes above its limit: all its entries are in use", self.folder, excess)

    def _entries(self) -> Iterator[tuple[int, int, Path]]:
        """Yields (time of the last read in ns, size in bytes, path) of each entry."""
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
        _logger.warning("feature file %s was left half-written and is removed", temporary)

    def _refuse(self, key: str, reason: str) -> None:
        self.counts.refused += 1
        _logger.warning("the features with the key %s are not stored: %s", key, reason)


@dataclass(frozen=True, slots=True)
class _Valid:
    """An entry whose checksum was verified."""

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
