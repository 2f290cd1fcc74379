"""The folder of checkpoints behind a URL: a checkpoint becomes visible by the upload of its manifest, the last file."""

import contextlib
from collections.abc import Callable, Mapping

from vaserl.files.durable import write_durably
from vaserl.files.storage import folders_in, joined, remove_below, remove_file, sizes_below
from vaserl.runs.checkpoint.folder_names import FolderName, folder_name_in
from vaserl.runs.checkpoint.manifest import MANIFEST_FILE


class BucketFolders:
    """The folders of a run's checkpoints on an object store, which has no renaming but uploads each file as a whole.

    A folder without manifest is invisible: it is being written, or a write or deletion of it was interrupted.
    """

    def __init__(self, place: str):
        self._root = place

    def committed(self) -> list[FolderName]:
        """Returns the names of the visible checkpoints."""
        end = f"/{MANIFEST_FILE}"
        entries = sorted(path.removesuffix(end) for path in sizes_below(self._root) if path.endswith(end))
        return [name for entry in entries if (name := folder_name_in(entry))]

    def unfinished(self) -> list[str]:
        """Returns the URLs of the folders that interrupted writes and deletions left."""
        committed = set(self.committed())
        found = (folder_name_in(entry) for entry in folders_in(self._root))
        return [self.place_of(name) for name in found if name and name not in committed]

    def begin(self, name: FolderName) -> str:
        """Returns the URL that the files of a checkpoint are uploaded to, after removing an interrupted upload."""
        place = self.place_of(name)
        if MANIFEST_FILE in sizes_below(place):
            raise FileExistsError(f"{place}: this checkpoint has been written already")
        self.remove(place)
        return place

    def place_of_writing(self, name: FolderName) -> str:
        """Returns the URL that the files of a checkpoint are uploaded to, which is the committed checkpoint's too."""
        return self.place_of(name)

    def place_of(self, name: FolderName) -> str:
        """Returns the URL of a committed checkpoint."""
        return joined(self._root, str(name))

    def publish(self, name: FolderName, manifest: bytes, check: Callable[[], None]) -> str:
        """Makes the files that were uploaded visible as a checkpoint and returns its URL.

        check: called immediately before the upload of the manifest; if it raises, the checkpoint stays invisible.
        """
        place = self.place_of(name)
        check()
        write_durably(joined(place, MANIFEST_FILE), manifest)
        return place

    def sizes(self, place: str) -> Mapping[str, int]:
        """Returns the size in bytes of each file below a URL, by its path relative to the URL."""
        return sizes_below(place)

    def remove(self, place: str) -> None:
        """Removes a folder, its manifest first, so that an interrupted removal leaves no visible checkpoint."""
        with contextlib.suppress(FileNotFoundError):
            remove_file(joined(place, MANIFEST_FILE))
        remove_below(place)
