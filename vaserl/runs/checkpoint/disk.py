"""The folder of checkpoints on a local disk or NFS: a checkpoint becomes visible by the renaming of its folder."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from vaserl.errors import UserError
from vaserl.files.durable import DELETING, make_folder, remove_folder, rename_durably, sync_below, write_durably
from vaserl.runs.checkpoint.folder_names import FolderName, folder_name_in
from vaserl.runs.checkpoint.manifest import MANIFEST_FILE

_WRITING = ".writing-"


class DiskFolders:
    """The folders of a run's checkpoints on a file system with atomic renames.

    A checkpoint is written to a hidden folder `.writing-step=00012-e3`, which is synced and then renamed.
    """

    def __init__(self, place: str):
        self._root = Path(place)

    def committed(self) -> list[FolderName]:
        """Returns the names of the visible checkpoints."""
        return [name for entry in self._entries() if (name := folder_name_in(entry))]

    def unfinished(self) -> list[str]:
        """Returns the places of the folders that killed writes and deletions left."""
        return [
            str(self._root / entry) for entry in self._entries() if entry.startswith((f"{_WRITING}step=", DELETING))
        ]

    def begin(self, name: FolderName) -> str:
        """Creates an empty hidden folder for a checkpoint and returns its path."""
        place = self.place_of_writing(name)
        self.remove(place)
        make_folder(Path(place))
        return place

    def place_of_writing(self, name: FolderName) -> str:
        """Returns the path of the hidden folder that a checkpoint is written to."""
        return str(self._root / f"{_WRITING}{name}")

    def place_of(self, name: FolderName) -> str:
        """Returns the path of a committed checkpoint."""
        return str(self._root / str(name))

    def publish(self, name: FolderName, manifest: bytes, check: Callable[[], None]) -> str:
        """Makes the files that were written visible as a checkpoint and returns its path.

        check: called immediately before the renaming; if it raises, the checkpoint stays invisible.
        """
        writing = Path(self.place_of_writing(name))
        sync_below(writing)
        write_durably(str(writing / MANIFEST_FILE), manifest)
        # an existing checkpoint of the step stays where it is: between two renamings there would be none of the step
        is_first = all(other.step != name.step for other in self.committed())
        target = self.place_of(FolderName(name.step, None) if is_first else name)
        if os.path.exists(target):
            raise FileExistsError(f"{target}: this checkpoint has been written already")
        check()
        rename_durably(writing, Path(target))
        return target

    def sizes(self, place: str) -> Mapping[str, int]:
        """Returns the size in bytes of each file in a folder, by its path relative to the folder."""
        return {
            Path(root, name).relative_to(place).as_posix(): os.stat(Path(root, name)).st_size
            for root, _, names in os.walk(place)
            for name in names
        }

    def remove(self, place: str) -> None:
        """Removes a folder, which is hidden first; does nothing if it doesn't exist."""
        if os.path.isdir(place):
            remove_folder(Path(place))

    def _entries(self) -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self._root) if entry.is_dir())
        except FileNotFoundError:
            return []
        except NotADirectoryError as error:
            raise UserError(f"{self._root}: checkpoint.path is not a folder; name another place") from error
