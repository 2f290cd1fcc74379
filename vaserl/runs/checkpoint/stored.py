"""A stored checkpoint, whose files are compared with the manifest whenever they are read."""

import errno
import hashlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from vaserl.errors import DamagedCheckpointError, UserError
from vaserl.files.atomic import atomic_file
from vaserl.files.storage import is_url, joined, no_answer, open_file, read_bytes
from vaserl.runs.checkpoint.manifest import MANIFEST_FILE, CheckpointManifest, StoredFile

CHUNK_BYTES = 16 << 20
"""Number of bytes that are hashed or copied at once."""
MAX_READERS = 8
"""Largest number of files that are verified at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A file because of which a checkpoint can't be used."""

    step: int
    """Step of the checkpoint, as its folder's name states it."""
    file: str
    """Path or URL of the file."""
    reason: str
    """What is wrong with the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCheckpoint:
    """A committed checkpoint. It holds no open files and can be pickled, so that each rank can read its own part."""

    place: str
    """Folder or URL of the checkpoint."""
    manifest: CheckpointManifest

    @property
    def step(self) -> int:
        """Last step of the run that the checkpoint contains."""
        return self.manifest.step

    @property
    def files(self) -> Mapping[str, StoredFile]:
        """Size and digest of each file, by its path in the checkpoint."""
        return self.manifest.files

    def read(self, name: str) -> bytes:
        """Returns the content of a file. It was verified after it was read, so these bytes are the ones written.

        Raises: DamagedCheckpointError if the file is missing or differs from the manifest; UserError if the storage
        doesn't respond.
        """
        place = self._place_of(name)
        try:
            content = read_bytes(place)
        except OSError as error:
            raise unreadable(place, error) from error
        self._compare(name, len(content), hashlib.sha256(content).hexdigest())
        return content

    def local_copy(self, name: str, folder: Path) -> Path:
        """Copies a file into a local folder, below its path in the checkpoint, and returns the copy's path.

        The copy appears only after its digest was verified. Raises: see `read`.
        """
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(target) as file:
            for chunk in self._verified_chunks(name):
                file.write(chunk)
        return target

    def copy_folder(self, name: str, folder: Path) -> Path:
        """Copies all files of a folder of the checkpoint into a local folder and returns the path of the copied folder.

        Files that aren't in the manifest are not copied. Raises: see `read`.
        """
        names = [file for file in self.files if file.startswith(f"{name}/")]
        if not names:
            raise DamagedCheckpointError(joined(self.place, name), "the manifest contains no such folder")
        for file in names:
            self.local_copy(file, folder)
        return folder / name

    def verify(self) -> None:
        """Compares every file with its size and digest in the manifest; reads all of them. Raises: see `read`."""
        names = sorted(self.files)
        with ThreadPoolExecutor(max_workers=MAX_READERS) as readers:  # hashing large chunks releases the GIL
            for _ in readers.map(self._verify_file, names):
                pass

    def compare_sizes(self, sizes: Mapping[str, int]) -> None:
        """Compares the manifest with a listing: the size in bytes of each file of the checkpoint's folder, by its path.

        Raises: DamagedCheckpointError for the first file that is missing or has another size.
        """
        for name in sorted(self.files):
            if name not in sizes:
                raise DamagedCheckpointError(self._place_of(name), "the file is missing")
            self._compare_size(name, sizes[name])

    def _verify_file(self, name: str) -> None:
        for _ in self._verified_chunks(name):
            pass

    def _verified_chunks(self, name: str) -> Iterator[bytes]:
        """Yields the content in chunks and raises at the end if it differs from the manifest."""
        place = self._place_of(name)
        digest, num_bytes = hashlib.sha256(), 0
        try:
            with open_file(place) as file:
                while chunk := file.read(CHUNK_BYTES):
                    digest.update(chunk)
                    num_bytes += len(chunk)
                    yield chunk
        except OSError as error:
            raise unreadable(place, error) from error
        self._compare(name, num_bytes, digest.hexdigest())

    def _place_of(self, name: str) -> str:
        if name not in self.files:
            raise DamagedCheckpointError(joined(self.place, name), "the manifest contains no such file")
        return joined(self.place, name)

    def _compare(self, name: str, num_bytes: int, sha256: str) -> None:
        self._compare_size(name, num_bytes)
        if sha256 != self.files[name].sha256:
            raise DamagedCheckpointError(self._place_of(name), "the content doesn't match its SHA-256 in the manifest")

    def _compare_size(self, name: str, num_bytes: int) -> None:
        expected = self.files[name].num_bytes
        if num_bytes != expected:
            raise DamagedCheckpointError(self._place_of(name), f"the file has {num_bytes} bytes instead of {expected}")


def open_checkpoint(place: str) -> StoredCheckpoint:
    """Returns the checkpoint in a folder or behind a URL, of any run.

    Raises: DamagedCheckpointError if it has no valid manifest; UserError if the storage doesn't respond.
    """
    file = joined(place, MANIFEST_FILE)
    try:
        content = read_bytes(file)
    except OSError as error:
        raise unreadable(file, error) from error
    return StoredCheckpoint(place=place, manifest=CheckpointManifest.from_bytes(content, file))


def unreadable(place: str, error: OSError) -> UserError:
    """Returns a DamagedCheckpointError if the file is lost, else the UserError of a storage that doesn't respond.

    A time-out must not look like damage: the run would go back to an older checkpoint for it and redo steps.
    """
    if isinstance(error, FileNotFoundError | IsADirectoryError | NotADirectoryError):
        return DamagedCheckpointError(place, "the file is missing")
    if error.errno == errno.EIO and not is_url(place):  # a bad block; fsspec uses EIO for errors of the network too
        return DamagedCheckpointError(place, f"the file can't be read ({error.strerror})")
    return no_answer(place, error)
