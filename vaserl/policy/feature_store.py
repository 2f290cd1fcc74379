"""A folder of video features, one checked file for each clip, shared by the processes of a machine.

An entry is one line of JSON and a safetensors payload; a checksum over both is verified at every read, and an entry
that fails it is removed and counted, so that it is made again and never used. Writers write elsewhere and rename, so
there is no half entry to be seen under an entry's name. Reads take a shared lock on the file and eviction an exclusive
one: what is being read stays. The kernel drops the locks of a process that dies.

Left out on purpose: who makes an entry, and how another machine gets it.
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
"""Entries that one process reads and checks at once: a clip of 22 MB takes some 20 ms, mostly its checksum."""

ABANDONED_S = 600.0
"""A temporary file older than this was left by a writer that died; no entry takes so long to write."""


class DamagedEntry(ValueError):
    """The bytes are not an entry, or not the one that was asked for."""


@dataclass(slots=True, kw_only=True)
class StoreCounts:
    """What happened to a store through this object."""

    hits: int = 0
    """Reads that found a sound entry."""
    misses: int = 0
    """Reads that found none."""
    damaged: int = 0
    """Entries and abandoned temporary files that were removed because they were not whole."""
    evicted: int = 0
    """Entries removed to stay within the limit."""
    refused: int = 0
    """Entries not kept: alone above the limit, or the disk was full."""


def pack_entry(key: str, clip: ClipFeatures) -> bytes:
    """The entry of a clip's features."""
    payload = safetensors.torch.save({"features": clip.features.contiguous()})
    facts = {"patch_grid": clip.patch_grid, "seconds_per_patch": clip.seconds_per_patch, "grid": asdict(clip.grid)}
    header = {"format": _FORMAT, "key": key, "clip": facts, "sha256": _checksum(key, facts, payload)}
    return json.dumps(header).encode() + b"\n" + payload


def unpack_entry(key: str, entry: bytes) -> ClipFeatures:
    """The features of an entry.

    Raises: DamagedEntry when a single bit of it is not as it was packed, or it was packed under another key.
    """
    line, newline, payload = entry.partition(b"\n")
    try:
        header = json.loads(line)
        facts, stated = header["clip"], (header["format"], header["key"], header["sha256"])
    except (ValueError, TypeError, KeyError) as error:
        raise DamagedEntry(f"no header: {error!r}") from error
    if not newline or stated != (_FORMAT, key, _checksum(key, facts, payload)) or line != json.dumps(header).encode():
        raise DamagedEntry("format, key or checksum differ")
    return ClipFeatures(
        features=safetensors.torch.load(payload)["features"],
        patch_grid=tuple(facts["patch_grid"]),
        seconds_per_patch=facts["seconds_per_patch"],
        grid=VideoGrid(**facts["grid"]),
    )


class FeatureStore:
    """Entries by key in one folder, the least recently read removed first when they exceed `max_bytes`.

    Any number of processes may share the folder. Raises: UserError when the folder can't be made.
    """

    def __init__(self, folder: Path, max_bytes: int):
        self.folder, self.max_bytes, self.counts = Path(folder), max_bytes, StoreCounts()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(f"features.folder {folder} can't be made ({error.strerror}); name another") from error
        for left in self.folder.glob(UNFINISHED):
            self._sweep(left)

    def path(self, key: str) -> Path:
        """Where the entry of this key lies, or would lie."""
        return self.folder / f"{key}{_SUFFIX}"

    def get_all(self, keys: Sequence[str]) -> list[ClipFeatures | None]:
        """The features of each key, None where there is no sound entry. Several are read and checked at once."""
        with ThreadPoolExecutor(_NUM_READERS) as threads:
            found = [self._count(outcome) for outcome in threads.map(self._read, keys)]
        return [sound and sound.features for sound in found]

    def entry(self, key: str) -> bytes | None:
        """The entry itself, verified, for another machine's store; None where there is no sound one."""
        sound = self._count(self._read(key))
        return sound and sound.entry

    def put(self, key: str, entry: bytes) -> None:
        """Keeps an entry, and drops others if the limit asks for it. What can't be kept is counted and logged."""
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
        """Bytes of all entries."""
        return sum(size for _, size, _ in self._entries())

    @contextmanager
    def in_use(self, key: str) -> Iterator[BinaryIO]:
        """The open file of an entry, which no process evicts meanwhile. Raises: FileNotFoundError."""
        with self.path(key).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            yield file

    def _read(self, key: str) -> "_Sound | DamagedEntry | None":
        """Changes nothing in this object, so that threads may share it."""
        try:
            with self.in_use(key) as file:
                entry = file.read()
                try:
                    sound = _Sound(entry=entry, features=unpack_entry(key, entry))
                except DamagedEntry as damage:
                    _logger.warning("%s is damaged and will be made again: %s", self.path(key), damage)
                    # unless another process has put a sound one in its place already
                    if os.stat(self.path(key)).st_ino == os.fstat(file.fileno()).st_ino:
                        self.path(key).unlink()
                    return damage
                os.utime(file.fileno())
                return sound
        except FileNotFoundError:
            return None

    def _count(self, outcome: "_Sound | DamagedEntry | None") -> "_Sound | None":
        if isinstance(outcome, _Sound):
            self.counts.hits += 1
            return outcome
        if outcome is None:
            self.counts.misses += 1
        else:
            self.counts.damaged += 1
        return None

    def _evict(self, spare: Path) -> None:
        with (self.folder / ".lock").open("w") as lock:
            # one process at a time, or each would make room for all
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
                _logger.warning("%s is %d bytes above its limit: everything in it is in use", self.folder, excess)

    def _entries(self) -> Iterator[tuple[int, int, Path]]:
        """Time of the last read in ns, size and path of each entry."""
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
        _logger.warning("%s was left half-written and is removed", temporary)

    def _refuse(self, key: str, reason: str) -> None:
        self.counts.refused += 1
        _logger.warning("features %s are not kept: %s", key, reason)


@dataclass(frozen=True, slots=True)
class _Sound:
    """An entry that was read and verified."""

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
