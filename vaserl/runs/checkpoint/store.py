"""Stores the checkpoints of a run in a folder or behind a URL: written invisibly, committed at once, verified on load.

The process that has claimed the run owns the store: it begins, commits and removes checkpoints. The ranks only write
files to the place that `begin` returned, with `write_durably`.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from vaserl.errors import DamagedCheckpointError, UserError
from vaserl.files.storage import is_url, joined, normalised
from vaserl.runs.checkpoint.bucket import BucketFolders
from vaserl.runs.checkpoint.disk import DiskFolders
from vaserl.runs.checkpoint.folder_names import FolderName
from vaserl.runs.checkpoint.manifest import MANIFEST_FILE, CheckpointManifest
from vaserl.runs.checkpoint.retention import Retention, steps_to_delete
from vaserl.runs.checkpoint.stored import Damage, StoredCheckpoint, open_checkpoint


class CheckpointFolders(Protocol):
    """Interface of the folders of a run's checkpoints: on a disk (`DiskFolders`) or behind a URL (`BucketFolders`)."""

    def committed(self) -> list[FolderName]:
        """Returns the names of the visible checkpoints."""
        ...

    def unfinished(self) -> list[str]:
        """Returns the places that interrupted writes and deletions left."""
        ...

    def begin(self, name: FolderName) -> str:
        """Returns the empty place that a checkpoint is written to."""
        ...

    def place_of_writing(self, name: FolderName) -> str:
        """Returns the place that a checkpoint is written to."""
        ...

    def place_of(self, name: FolderName) -> str:
        """Returns the place of a committed checkpoint."""
        ...

    def publish(self, name: FolderName, manifest: bytes, check: Callable[[], None]) -> str:
        """Calls `check`, makes the checkpoint visible and returns its place."""
        ...

    def sizes(self, place: str) -> Mapping[str, int]:
        """Returns the size in bytes of each file of a place, by its path relative to the place."""
        ...

    def remove(self, place: str) -> None:
        """Removes a place; an interrupted removal leaves no visible checkpoint."""
        ...


class CheckpointStore:
    """The checkpoints of one run.

    Example: a checkpoint of step 12, written under the third claim of the run folder.
        place = store.begin(12, 3)
        write_durably(f"{place}/state-00000-of-00001.safetensors", content)
        store.commit(12, 3, manifest, claim.check)
        store.prune(Retention(keep_last=2))
    """

    def __init__(self, place: str):
        """place: folder or fsspec URL with the checkpoints of this run only. It is created by the first `begin`."""
        self.place = normalised(place)
        self._folders: CheckpointFolders = (BucketFolders if is_url(self.place) else DiskFolders)(self.place)
        self._writing: set[str] = set()

    def begin(self, step: int, epoch: int) -> str:
        """Returns a fresh place, path or URL, for the files of a checkpoint; it is invisible until `commit`.

        Raises: OSError if the place can't be created, or if this epoch has committed the step already.
        """
        place = self._folders.begin(FolderName(step, epoch))
        self._writing.add(place)
        return place

    def commit(
        self, step: int, epoch: int, manifest: CheckpointManifest, check: Callable[[], None]
    ) -> StoredCheckpoint:
        """Makes the checkpoint that was written to the place of `begin` visible, as a whole.

        check: raises if another process has claimed the run since. It is called immediately before the commit.

        Raises: DamagedCheckpointError if a file of the manifest isn't in the place or has another size; OSError if the
        manifest can't be written; what `check` raises. The checkpoint stays invisible then; call `abandon`.
        """
        if (manifest.step, manifest.epoch) != (step, epoch):
            raise ValueError(f"the manifest is of step {manifest.step}, epoch {manifest.epoch}, not of {step}, {epoch}")
        name = FolderName(step, epoch)
        writing = self._folders.place_of_writing(name)
        StoredCheckpoint(place=writing, manifest=manifest).compare_sizes(self._folders.sizes(writing))
        place = self._folders.publish(name, manifest.to_bytes(), check)
        self._writing.discard(writing)
        return StoredCheckpoint(place=place, manifest=manifest)

    def abandon(self, place: str) -> None:
        """Removes the files of a checkpoint that can't be committed. place: what `begin` returned."""
        self._folders.remove(place)
        self._writing.discard(place)

    def steps(self) -> list[int]:
        """Returns the steps that have a committed checkpoint, damaged or not, in ascending order."""
        return sorted(self._names())

    def open(self, step: int) -> StoredCheckpoint:
        """Returns the checkpoint of a step, of the newest epoch with an undamaged manifest; verifies the manifest only.

        Raises: UserError if there is none; DamagedCheckpointError if no manifest of the step is undamaged; UserError if
        the manifest was written by a newer version of vaserl.
        """
        names = self._names()
        if step not in names:
            raise UserError(f"{self.place}: no checkpoint of step {step}; there are those of steps {sorted(names)}")
        found, damages = self._opened(names[step])
        if not found:
            raise DamagedCheckpointError(damages[0].file, damages[0].reason)
        return found[0]

    def newest_good(self) -> tuple[StoredCheckpoint | None, list[Damage]]:
        """Returns the newest checkpoint whose files all match the manifest, and what is wrong with each newer one.

        The checkpoint is None if there is no undamaged one. If damages are returned with None, the run has lost its
        state, and the caller must refuse to start at the first step as if there had been no checkpoint.

        Raises: UserError if the storage doesn't respond, or if a newer version of vaserl wrote a checkpoint.
        """
        damages: list[Damage] = []
        for step, names in sorted(self._names().items(), reverse=True):
            found, damaged = self._opened(names)
            damages += damaged
            for checkpoint in found:
                try:
                    checkpoint.verify()
                    return checkpoint, damages
                except DamagedCheckpointError as error:
                    damages.append(Damage(step=step, file=error.file, reason=error.reason))
        return None, damages

    def sweep(self) -> list[str]:
        """Removes what killed writes and deletions left and returns the places; keeps what this object is writing."""
        left = [place for place in self._folders.unfinished() if place not in self._writing]
        for place in left:
            self._folders.remove(place)
        return left

    def drop_after(self, step: int) -> list[int]:
        """Removes the checkpoints of all later steps and returns these steps, in ascending order.

        A run that resumes from `step` calls it: the later ones are damaged, and the run writes these steps again.
        """
        later = {other: names for other, names in sorted(self._names().items()) if other > step}
        for names in later.values():
            self._remove(names)
        return list(later)

    def prune(self, retention: Retention) -> list[int]:
        """Removes the checkpoints that no rule keeps and returns their steps, in ascending order.

        Nothing is removed before the newest checkpoint has been verified: on a disk by the digests of all files, behind
        a URL by their sizes, because reading the files back would double the traffic. A step whose manifest is damaged
        is removed if a newer checkpoint is undamaged.

        Raises: DamagedCheckpointError if the newest checkpoint is damaged; nothing has been removed then.
        """
        names = self._names()
        opened = {step: found[0] for step in sorted(names) if (found := self._opened(names[step])[0])}
        if not opened:
            return []
        newest = opened[max(opened)]
        if is_url(self.place):
            newest.compare_sizes(self._folders.sizes(newest.place))
        else:
            newest.verify()
        damaged = {step for step in names.keys() - opened.keys() if step < newest.step}
        metrics = {step: checkpoint.manifest.metrics for step, checkpoint in opened.items()}
        removed = sorted(damaged.union(steps_to_delete(retention, metrics)))
        for step in removed:
            self._remove(names[step])
        # of the newest step, the checkpoints that earlier epochs wrote
        self._remove([name for name in names[newest.step] if self._folders.place_of(name) != newest.place])
        return removed

    def _names(self) -> dict[int, list[FolderName]]:
        """Returns the names of the committed folders of each step, from one listing."""
        names: defaultdict[int, list[FolderName]] = defaultdict(list)
        for name in self._folders.committed():
            names[name.step].append(name)
        return dict(names)

    def _opened(self, names: Iterable[FolderName]) -> tuple[list[StoredCheckpoint], list[Damage]]:
        """Returns the checkpoints of a step with undamaged manifests, newest epoch first, and the damaged manifests."""
        found: list[StoredCheckpoint] = []
        damages: list[Damage] = []
        for name in sorted(names, key=lambda name: name.epoch is None):  # with an epoch: the later of two on a disk
            try:
                found.append(self._opened_one(name))
            except DamagedCheckpointError as error:
                damages.append(Damage(step=name.step, file=error.file, reason=error.reason))
        return sorted(found, key=lambda checkpoint: -checkpoint.manifest.epoch), damages

    def _opened_one(self, name: FolderName) -> StoredCheckpoint:
        checkpoint = open_checkpoint(self._folders.place_of(name))
        manifest = checkpoint.manifest
        if manifest.step != name.step or name.epoch not in (None, manifest.epoch):
            reason = f"of step {manifest.step}, epoch {manifest.epoch}; the folder was renamed or copied"
            raise DamagedCheckpointError(joined(checkpoint.place, MANIFEST_FILE), reason)
        return checkpoint

    def _remove(self, names: Iterable[FolderName]) -> None:
        for name in names:
            self._folders.remove(self._folders.place_of(name))
