"""Encoders: each clip is decoded once and passes the frozen vision tower once; its features are stored for all actors.

Every clip belongs to one encoder, so a clip that ten processes ask for is encoded once. A reader looks in the store of
its own machine first, and asks the owner of the clip otherwise; the answer comes through Ray's object store and stays
in the reader's store.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch

from actors.placement import PlacementSlice
from actors.pool import START_TIMEOUT_S, ActorPool, wait_for
from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.policy.clips import ClipFeatures, ClipView
from vaserl.policy.feature_store import FeatureStore, pack_entry, unpack_entry
from vaserl.policy.pixel_cache import MAX_CACHE_BYTES, PixelCache
from vaserl.policy.prompter import Prompter
from vaserl.policy.vision_tower import FeatureRecipe, VisionTower, feature_recipe
from vaserl.settings import DataSettings, FeatureSettings, LearnerSettings, ModelSettings

BYTES_PER_GB = 10**9


def bypass_reason(learner: LearnerSettings, *, max_shift: int = 0) -> str | None:
    """Returns the reason why a run can keep no features, None where it can."""
    if learner.train_vision:
        return "learner.train_vision changes the vision tower, and with it the features, at every step"
    if max_shift:
        return (
            f"max_shift = {max_shift} moves each clip to a new place at each draw, so features are hardly ever reused"
        )
    return None


class EncoderWorker:
    """A vision tower and the feature store of its machine; an ordinary class, made an actor below."""

    def __init__(self, model: ModelSettings, data: DataSettings, settings: FeatureSettings, folder: Path):
        torch.set_num_threads(settings.num_threads)
        self._recipe = feature_recipe(model.path, model.dtype, data.num_frames)
        self._pixels = PixelCache(DataSet(data.path).clips, Prompter(model.path), data.num_frames, max_bytes=0)
        self._tower = VisionTower(model.path, model.dtype, "cuda" if settings.num_gpus else "cpu")
        self._store = FeatureStore(folder, int(settings.max_gb * BYTES_PER_GB))
        self._num_encoded = self._num_damaged_elsewhere = 0
        self._entry_bytes = 0  # size of the last entry made; all clips of a data set have the same

    def recipe(self) -> FeatureRecipe:
        """Returns what the features made here depend on."""
        return self._recipe

    def entry(self, clip_hash: str, rotation: int, num_damaged: int) -> np.ndarray:
        """Returns the store's entry of a clip's features, uint8 [num_bytes]; encodes the clip if there is none.

        num_damaged: damaged entries that the reader found in its own store.
        """
        self._num_damaged_elsewhere += num_damaged
        key = self._recipe.key(clip_hash, rotation)
        entry = self._store.entry(key) or self._make(key, clip_hash, rotation)
        return np.frombuffer(entry, dtype=np.uint8)

    def make_ahead(self, clip_hash: str) -> bool:
        """Encodes a clip before a reader asks for it. Returns: False when the store is full; nothing is encoded then,
        because the new entry would evict an earlier one."""
        key = self._recipe.key(clip_hash, 0)
        if not self._store.path(key).exists():
            if self._store.num_bytes() + self._entry_bytes > self._store.max_bytes:
                return False
            self._make(key, clip_hash, 0)
        return True

    def counts(self) -> dict[str, int]:
        """Returns "encoded": clips that passed the tower; "damaged": damaged entries found here and by readers;
        "evicted", "refused": see `StoreCounts`."""
        store = self._store.counts
        return {
            "encoded": self._num_encoded,
            "damaged": store.damaged + self._num_damaged_elsewhere,
            "evicted": store.evicted,
            "refused": store.refused,
        }

    def _make(self, key: str, clip_hash: str, rotation: int) -> bytes:
        entry = pack_entry(key, self._tower.encode(self._pixels.get(clip_hash, rotation)))
        self._store.put(key, entry)
        self._num_encoded += 1
        self._entry_bytes = len(entry)
        return entry


class _Encoder(EncoderWorker):
    """An encoder as an actor: it can encode ahead without delaying a reader."""

    def __init__(self, *args: Any):
        super().__init__(*args)
        self._ahead: deque[str] = deque()

    def fill(self, clip_hashes: Sequence[str] = ()) -> None:
        """Encodes one clip ahead and queues the next call to itself, behind the readers that wait by then."""
        self._ahead.extend(clip_hashes)
        if self._ahead and self.make_ahead(self._ahead.popleft()):
            ray.get_runtime_context().current_actor.fill.remote()


EncoderActor = ray.remote(_Encoder)


class FeatureReader:
    """Access of an engine or a learner rank to features; the driver makes it and sends it to them."""

    def __init__(self, encoders: Sequence[Any], folder: Path, max_bytes: int):
        self._encoders, self._folder, self._max_bytes = list(encoders), folder, max_bytes
        self._kept: OrderedDict[str, ClipFeatures] = OrderedDict()
        self._num_bytes = 0

    @cached_property
    def store(self) -> FeatureStore:
        """The store of the machine where the reader is used first."""
        return FeatureStore(self._folder, self._max_bytes)

    @cached_property
    def recipe(self) -> FeatureRecipe:
        """The recipe of all encoders.

        Raises: UserError when they differ: their machines have different models under one path.
        """
        calls = [encoder.recipe.remote() for encoder in self._encoders]
        recipes = set(wait_for(calls, "features", "recipe", START_TIMEOUT_S))
        if len(recipes) > 1:
            raise UserError(f"model.path holds different models on the machines of the encoders: {recipes}")
        return recipes.pop()

    def key(self, clip_hash: str) -> str:
        """Returns the key of a clip's features, in the store and in an engine's caches."""
        return self.recipe.key(clip_hash, 0)

    def get_all(self, views: Sequence[ClipView]) -> list[ClipFeatures]:
        """Returns the features of each view, from memory, this machine's store or the encoders.

        Raises: ValueError for a shifted view, whose features are not stored.
        """
        if any(shift != (0, 0) for _, _, shift in views):
            raise ValueError("features of shifted clips are not kept; use their pixels")
        step, num_frames = self.recipe.frames_per_patch, self.recipe.num_frames
        # a clip that starts a whole number of patches later has the same features in another order
        wanted = [(clip, rotation % num_frames % step) for clip, rotation, _ in views]
        found = self._fetch(list(dict.fromkeys(wanted)))
        return [
            found[want].begun_later(turns) if (turns := rotation % num_frames // step) else found[want]
            for want, (_, rotation, _) in zip(wanted, views, strict=True)
        ]

    def _fetch(self, wanted: Sequence[tuple[str, int]]) -> dict[tuple[str, int], ClipFeatures]:
        keys = {want: self.recipe.key(*want) for want in wanted}
        found = {want: self._kept[key] for want, key in keys.items() if key in self._kept}
        unread = [want for want in wanted if want not in found]
        num_damaged = self.store.counts.damaged
        stored = self.store.get_all([keys[want] for want in unread])
        found |= {want: clip for want, clip in zip(unread, stored, strict=True) if clip is not None}
        num_damaged = self.store.counts.damaged - num_damaged
        asked = [want for want in unread if want not in found]
        calls = [
            self._encoders[owner(want[0], len(self._encoders))].entry.remote(*want, num_damaged if index == 0 else 0)
            for index, want in enumerate(asked)
        ]
        for want, answer in zip(asked, wait_for(calls, "features", "entry"), strict=True):
            entry = answer.tobytes()
            found[want] = unpack_entry(keys[want], entry)
            self.store.put(keys[want], entry)
        for want in wanted:
            self._keep(keys[want], found[want])
        return found

    def _keep(self, key: str, clip: ClipFeatures) -> None:
        if key not in self._kept:
            self._num_bytes += clip.features.nbytes
        self._kept[key] = clip
        self._kept.move_to_end(key)
        while self._num_bytes > MAX_CACHE_BYTES and len(self._kept) > 1:
            self._num_bytes -= self._kept.popitem(last=False)[1].features.nbytes


class EncoderPool:
    """N encoders with ordinary methods. A clip belongs to the encoder that its hash names, see `owner`."""

    def __init__(
        self,
        model: ModelSettings,
        data: DataSettings,
        settings: FeatureSettings,
        place: PlacementSlice,
        *,
        run_dir: Path,
    ):
        self._folder = settings.folder or run_dir.with_name(f"{run_dir.name}.features")
        self._max_bytes = int(settings.max_gb * BYTES_PER_GB)
        self._pool = ActorPool(
            EncoderActor,
            place,
            (model, data, settings, self._folder),
            environment=_environment(settings),
            # everything that an encoder holds is on disk, so a restarted one goes on from there
            max_restarts=3,
            max_task_retries=3,
        )

    def reader(self) -> FeatureReader:
        """Returns a reader for an engine or a rank, which may be on any machine."""
        return FeatureReader(self._pool.actors, self._folder, self._max_bytes)

    def fill(self, clip_hashes: Sequence[str]) -> None:
        """Encodes clips ahead, in this order, as far as the store has room. Returns at once."""
        size = len(self._pool.actors)
        for index, encoder in enumerate(self._pool.actors):
            encoder.fill.remote([clip for clip in clip_hashes if owner(clip, size) == index])

    def counts(self) -> dict[str, int]:
        """Returns sums over the encoders, see `EncoderWorker.counts`."""
        counts = self._pool.wait([encoder.counts.remote() for encoder in self._pool.actors], "counts")
        return {name: sum(each[name] for each in counts) for name in counts[0]}


def owner(clip_hash: str, num_encoders: int) -> int:
    """Returns the index of the encoder that makes the entries of a clip."""
    return int(clip_hash[:8], 16) % num_encoders


def _environment(settings: FeatureSettings) -> dict[str, str]:
    threads = {"OMP_NUM_THREADS": str(settings.num_threads)}
    return threads if settings.num_gpus else {**threads, "CUDA_VISIBLE_DEVICES": ""}
