"""A rollout worker: one vLLM engine that samples groups of completions and loads new weights."""

import hashlib
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch

from actors.encoder import FeatureReader
from actors.engine import Engine, EngineOutput, Request, TensorPlace
from vaserl.dataset import DataSet
from vaserl.files.clip import Clip
from vaserl.policy.adapter import ADAPTER_CONFIG
from vaserl.policy.clips import ClipFeatures
from vaserl.policy.prompter import Prompter
from vaserl.policy.readback import published_columns
from vaserl.policy.tensor_file import FileContent, read_tensors
from vaserl.policy.weights import check_digest, write_files
from vaserl.runs.clock import Clock
from vaserl.settings import DataSettings, ModelSettings, RolloutSettings
from vaserl.types import Completion, Group, Task, Weights

_SCRATCH = "vaserl-weights-"
"""Prefix of the folders through which vLLM reads an adapter's files."""
_LEFTOVER_AFTER_S = 3600.0
"""Age in seconds from which such a folder is no longer in use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Result of loading new weights into one engine."""

    version: int
    """Version of the weights that the engine serves now."""
    logprobs: tuple[float, ...]
    """The engine's log-probabilities of the T tokens of a fixed probe text, without the first token, [T-1]. Empty when
    the weights have no fingerprint (the learner's log-probabilities of that text)."""
    digest: str = ""
    """Digest of the weights that the worker received, which it has compared with that of the files' bytes."""
    differing: tuple[str, ...] = ()
    """Names of the weights that were read back from the engine and are not the published ones."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Duration in seconds of each part of the loading: "digest", "load", "fingerprint" and "readback"."""


class RolloutWorker:
    """One vLLM engine with its prompts, videos and weights; an ordinary class that `ray.remote` makes an actor.

    With a `FeatureReader` the engine receives the vision tower's stored output for each video. Without a
    `FeatureReader` it receives the video's frames.
    """

    def __init__(
        self,
        model: ModelSettings,
        data: DataSettings,
        settings: RolloutSettings,
        features: FeatureReader | None = None,
        *,
        max_lora_rank: int | None,
        takes_transfers: bool,
    ):
        self._features = features
        self._settings, self._num_frames = settings, data.num_frames
        self._prompter = Prompter(model.path, data.system)
        self._clips = DataSet.of_settings(data).clips
        remove_leftovers(Path(_memory_disk() or tempfile.gettempdir()))
        self._engine = Engine(
            model.path,
            dtype=model.dtype,
            max_lora_rank=max_lora_rank if settings.publish == "adapter" else None,
            takes_transfers=takes_transfers,
            eos_token_id=self._prompter.eos_token_id,
            takes_features=features is not None,
            engine_args=settings.engine_args,
        )
        self._vision_digest = ""
        self._version = 0

    def ready(self) -> int:
        """Returns the version of the served weights; 0 is the base model as loaded."""
        return self._version

    def publish(self, weights: Weights) -> Served:
        """Loads `weights`, to be served from the next request on.

        Raises: ValueError when the files do not match the digest of the weights.
        """
        clock = Clock()
        check_digest(weights)
        clock.lap("digest")
        if ADAPTER_CONFIG not in weights.files:
            self._engine.load_full(weights.files, vision_changed=self._is_new_vision(weights.files))
        elif self._settings.publish == "merge":
            self._engine.load_merged(weights.files, self._settings.base_copy)
        else:
            with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=_memory_disk()) as folder:
                self._engine.load_adapter(weights.version, write_files(weights.files, Path(folder)))
        clock.lap("load")
        return self._served(weights, clock)

    def open_transfer(self, address: str, port: int, *, first_rank: int, num_ranks: int) -> None:
        """Joins the NCCL group in which the learner sends whole models; see `Engine.open_transfer`."""
        self._engine.open_transfer(address, port, first_rank=first_rank, num_ranks=num_ranks)

    def receive(self, weights: Weights, manifest: Sequence[TensorPlace]) -> Served:
        """Receives the tensors that the learner sends, to be served from the next request on.

        weights: version, fingerprint (the learner's log-probabilities of a fixed text) and some columns of each weight,
        without files. manifest: the tensors, in the order in which they are sent.
        """
        clock = Clock()
        self._engine.receive(manifest, vision_changed=any("visual." in place.name for place in manifest))
        clock.lap("load")
        return self._served(weights, clock)

    def _served(self, weights: Weights, clock: Clock) -> Served:
        self._version = weights.version
        token_ids = weights.fingerprint.token_ids
        # learner and engine both score the probe text at temperature 1, whatever the run's sampling temperature
        logprobs = self._engine.logprobs(token_ids) if token_ids else ()
        clock.lap("fingerprint")
        differing = self._differing(weights)
        clock.lap("readback")
        return Served(
            version=weights.version,
            logprobs=logprobs,
            digest=weights.digest,
            differing=differing,
            seconds=clock.seconds,
        )

    def _differing(self, weights: Weights) -> tuple[str, ...]:
        """Returns the names of the weights that the engine does not serve as published."""
        if not weights.files:
            return self._engine.differing_from(weights.version, weights.columns)
        if ADAPTER_CONFIG not in weights.files:
            tensors = {name: t for content in weights.files.values() for name, t in read_tensors(content).items()}
            return self._engine.differing_from(weights.version, published_columns(tensors, weights.version))
        if self._settings.publish == "merge":
            return self._engine.differing_from_merged(weights.version, weights.files, self._settings.base_copy)
        if not weights.fingerprint.token_ids:
            eos = self._prompter.eos_token_id
            self._engine.logprobs((eos, eos))  # vLLM activates an adapter with the first request
        return self._engine.differing_from_adapter(weights.version, weights.files)

    def _is_new_vision(self, files: Mapping[str, FileContent]) -> bool:
        """Tells whether the vision tower in these files differs from that of the previous call; true for the first
        call."""
        vision = hashlib.sha256()
        for content in files.values():
            for name, tensor in sorted(read_tensors(content).items()):
                if "visual." in name:
                    vision.update(name.encode() + b"\0")
                    vision.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
        before, self._vision_digest = self._vision_digest, vision.hexdigest()
        return self._vision_digest != before

    def generate(
        self, tasks: Sequence[Task], seeds: Sequence[int], *, num_samples: int, temperature: float
    ) -> list[Group]:
        """Returns one group of `num_samples` completions for each task, in order. seeds: sampling seed of each task."""
        requests = [
            Request(text=self._prompter.text(task.prompt), video=video, video_hash=video_hash, seed=seed)
            for task, (video, video_hash), seed in zip(tasks, self._videos(tasks), seeds, strict=True)
        ]
        outputs = self._engine.generate(
            requests,
            num_samples=num_samples,
            temperature=temperature,
            max_new_tokens=self._settings.max_new_tokens,
        )
        return [
            Group(task=task, prompt_ids=prompt_ids, completions=tuple(self._completion(o) for o in samples))
            for task, (prompt_ids, samples) in zip(tasks, outputs, strict=True)
        ]

    def greedy(self, tasks: Sequence[Task]) -> list[Group]:
        """Returns one group of one completion at temperature 0 for each task, in order.

        Clears the engine's prefix cache afterwards, as new weights do, so that prompts which are sampled later with the
        same weights are computed as if there had been no greedy decoding.
        """
        groups = self.generate(tasks, [0] * len(tasks), num_samples=1, temperature=0.0)
        self._engine.drop_prefixes()
        return groups

    def _videos(self, tasks: Sequence[Task]) -> list[tuple[Clip | ClipFeatures, str]]:
        """Returns, for each task, its video as frames or as features, and the video's key in the engine's caches."""
        if self._features is None:
            return [(self._clips.load(t.clip, self._num_frames), f"{t.clip}-{self._num_frames}") for t in tasks]
        features = self._features.get_all([(task.clip, 0, (0, 0)) for task in tasks])
        return [(clip, self._features.key(task.clip)) for clip, task in zip(features, tasks, strict=True)]

    def _completion(self, output: EngineOutput) -> Completion:
        return Completion(
            text=self._prompter.decode(output.token_ids),
            token_ids=output.token_ids,
            logprobs=output.logprobs,
            finish_reason=output.finish_reason,
            weights_version=self._version,
        )


def remove_leftovers(place: Path) -> None:
    """Removes the folders of adapters that killed workers left in `place`. A folder is in use for seconds only; those
    of other users can't be removed and remain."""
    for folder in place.glob(f"{_SCRATCH}*"):
        with suppress(OSError):
            if time.time() - folder.stat().st_mtime > _LEFTOVER_AFTER_S:
                shutil.rmtree(folder, ignore_errors=True)


def _memory_disk() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
