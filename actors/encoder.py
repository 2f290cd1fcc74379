"""Encoder actors: they decode each clip and run the frozen vision tower on it once, and store the output (features).

Every clip is assigned to one encoder, so a clip that ten processes request is encoded once. A reader (in an engine or a
learner rank) first looks in the store of its own machine. If the clip is not there, the reader calls the clip's
encoder, which returns the features through Ray's object store, and saves them in the store of its machine.
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
from vaserl.settings import DataSettings, FeatureSettings, ModelSettings

BYTES_PER_GB = 10**9


class EncoderWorker:
    """Encoder of clips, with a vision tower and the feature store of its machine. `EncoderActor` is the actor made from
    this ordinary class."""

    def __init__(self, model: ModelSettings, data: DataSettings, settings: FeatureSettings, folder: Path):
        torch.set_num_threads(settings.num_threads)
        self._recipe = feature_recipe(model.path, model.dtype, data.num_frames)
        self._pixels = PixelCache(DataSet.of_settings(data).clips, Prompter(model.path), data.num_frames, max_bytes=0)
        self._tower = VisionTower(model.path, model.dtype, "cuda" if settings.num_gpus else "cpu")
        self._store = FeatureStore(folder, int(settings.max_gb * BYTES_PER_GB))
        self._num_encoded = self._num_damaged_elsewhere = 0
        self._entry_bytes = 0  # size of the last entry written; the same for all clips of a data set

    def recipe(self) -> FeatureRecipe:
        """Returns the properties that determine this encoder's features: model, precision and frames."""
        return self._recipe

    def entry(self, clip_hash: str, rotation: int, num_damaged: int) -> np.ndarray:
        """Returns the store's entry with a clip's features, uint8 [num_bytes]; encodes the clip if the store has no
        entry.

        rotation: index of the frame with which the clip begins. num_damaged: number of damaged entries that the caller
        found in its own store, for `counts`.
        """
        self._num_damaged_elsewhere += num_damaged
        key = self._recipe.key(clip_hash, rotation)
        entry = self._store.entry(key) or self._make(key, clip_hash, rotation)
        return np.frombuffer(entry, dtype=np.uint8)

    def make_ahead(self, clip_hash: str) -> bool:
        """Encodes a clip before a reader requests it, unless it is stored already.

        Returns False if the store is full; nothing is encoded then, because the new entry would evict another.
        """
        key = self._recipe.key(clip_hash, 0)
        if not self._store.path(key).exists():
            if self._store.num_bytes() + self._entry_bytes > self._store.max_bytes:
                return False
            self._make(key, clip_hash, 0)
        return True

    def counts(self) -> dict[str, int]:
        """Returns counts by name.

        "encoded": clips encoded. "damaged": damaged entries that this encoder and the readers found. "evicted" and
        "refused": see `StoreCounts`.
        """
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
    """Encoder actor, which can also encode clips before they are requested, without delaying the readers' calls."""

    def __init__(self, *args: Any):
        super().__init__(*args)
        self._ahead: deque[str] = deque()

    def fill(self, clip_hashes: Sequence[str] = ()) -> None:
        """Encodes the next clip of the list of clips still to encode, then queues another call of `fill`.

        That call runs after the readers' calls that are already waiting.

        clip_hashes: clips to append to the list first.
        """
        self._ahead.extend(clip_hashes)
        if self._ahead and self.make_ahead(self._ahead.popleft()):
            ray.get_runtime_context().current_actor.fill.remote()


EncoderActor = ray.remote(_Encoder)


class FeatureReader:
    """Reader of stored features for an engine or a learner rank. The driver creates it and sends it to the process of
    the engine or rank."""

    def __init__(self, encoders: Sequence[Any], folder: Path, max_bytes: int):
        self._encoders, self._folder, self._max_bytes = list(encoders), folder, max_bytes
        self._kept: OrderedDict[str, ClipFeatures] = OrderedDict()
        self._num_bytes = 0

    @cached_property
    def store(self) -> FeatureStore:
        """Feature store on the machine of the process that uses the reader."""
        return FeatureStore(self._folder, self._max_bytes)

    @cached_property
    def recipe(self) -> FeatureRecipe:
        """Properties that determine the features of all encoders: model, precision and frames.

        Raises: UserError when the encoders' machines have different models under the same path.
        """
        calls = [encoder.recipe.remote() for encoder in self._encoders]
        recipes = set(wait_for(calls, "features", "recipe", START_TIMEOUT_S))
        if len(recipes) > 1:
            raise UserError(
                "model.path contains different models on the encoders' machines; copy one model to all machines: "
                f"{recipes}"
            )
        return recipes.pop()

    def key(self, clip_hash: str) -> str:
        """Returns the key of an unrotated clip's features, in the store and in an engine's caches."""
        return self.recipe.key(clip_hash, 0)

    def get_all(self, views: Sequence[ClipView]) -> list[ClipFeatures]:
        """Returns the features of each clip view (clip, rotation, shift), in order.

        Features that are not in memory are read from this machine's store, and if they are not there, requested from an
        encoder.

        Raises: ValueError for a view with a shift, because features of shifted frames are not stored.
        """
        if any(shift != (0, 0) for _, _, shift in views):
            raise ValueError("features of shifted clips are not stored; use the clips' pixels")
        step, num_frames = self.recipe.frames_per_patch, self.recipe.num_frames
        # if a clip starts a whole number of temporal patches later, it has the same features in another order
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
    """A pool of encoder actors, called through ordinary methods. The hash of a clip determines its encoder; see
    `owner`."""

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
            # all state of an encoder is on disk, so a restarted one continues from there
            max_restarts=3,
            max_task_retries=3,
        )

    def reader(self) -> FeatureReader:
        """Returns a reader for an engine or a learner rank on any machine."""
        return FeatureReader(self._pool.actors, self._folder, self._max_bytes)

    def fill(self, clip_hashes: Sequence[str]) -> None:
        """Starts encoding clips before they are requested, in this order, until the store is full. Returns at once."""
        size = len(self._pool.actors)
        for index, encoder in enumerate(self._pool.actors):
            encoder.fill.remote([clip for clip in clip_hashes if owner(clip, size) == index])

    def counts(self) -> dict[str, int]:
        """Returns the counts of `EncoderWorker.counts`, summed over the encoders."""
        counts = self._pool.wait([encoder.counts.remote() for encoder in self._pool.actors], "counts")
        return {name: sum(each[name] for each in counts) for name in counts[0]}


def owner(clip_hash: str, num_encoders: int) -> int:
    """Returns the index of the encoder to which a clip is assigned."""
    return int(clip_hash[:8], 16) % num_encoders


def _environment(settings: FeatureSettings) -> dict[str, str]:
    threads = {"OMP_NUM_THREADS": str(settings.num_threads)}
    return threads if settings.num_gpus else {**threads, "CUDA_VISIBLE_DEVICES": ""}
