"""The learner: DeepSpeed ranks as actors, behind a group with ordinary methods."""

import dataclasses
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
from ray.util.placement_group import PlacementGroup
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from actors.encoder import FeatureReader
from actors.engine import TensorPlace
from actors.rank import SECONDS, LearnerRank, Sums
from vaserl.settings import DataSettings, LearnerSettings, LossSettings, ModelSettings
from vaserl.types import Batch, Demonstration, Fingerprint, Update, Weights

START_TIMEOUT_S = 600.0
CALL_TIMEOUT_S = 1800.0


class _Rank(LearnerRank):
    """What a rank needs only as an actor: telling the others where to meet."""

    def meeting_point(self) -> tuple[str, int]:
        with socket.socket() as free:
            free.bind(("", 0))
            return ray.util.get_node_ip_address(), free.getsockname()[1]


LearnerActor = ray.remote(_Rank)


class LearnerGroup:
    """All ranks of the learner as one object."""

    def __init__(
        self,
        model: ModelSettings,
        data: DataSettings,
        settings: LearnerSettings,
        features: FeatureReader | None = None,
        *,
        seed: int,
        num_steps: int,
        placement: PlacementGroup,
        first_bundle: int,
    ):
        self._settings = settings
        self._ranks = [
            LearnerActor.options(
                num_cpus=settings.num_cpus,
                num_gpus=settings.num_gpus,
                scheduling_strategy=PlacementGroupSchedulingStrategy(placement, first_bundle + rank),
                runtime_env={"env_vars": _environment(settings)},
            ).remote(model, data, settings, features, rank=rank, seed=seed, num_steps=num_steps)
            for rank in range(settings.num_ranks)
        ]
        self._joining: Any = None

    def wait_until_ready(self) -> int:
        """Returns the number of trained parameters when the ranks have met."""
        address, port = self.meeting_point()
        counts = ray.get([rank.join.remote(address, port) for rank in self._ranks], timeout=START_TIMEOUT_S)
        return counts[0]

    def learn(self, batch: Batch, loss: LossSettings, temperature: float) -> Update:
        """One GRPO step. An empty batch (no group had a signal) takes no step and is counted as skipped."""
        if not batch.groups:
            return Update(step=batch.step, metrics={"skipped": 1.0})
        reference = ray.put(batch)
        calls = [rank.learn.remote(reference, loss, temperature) for rank in self._ranks]
        update = _update(batch.step, ray.get(calls, timeout=CALL_TIMEOUT_S))
        return dataclasses.replace(update, metrics={**update.metrics, "skipped": 0.0})

    def imitate(self, step: int, demonstrations: Sequence[Demonstration]) -> Update:
        """One supervised step."""
        reference = ray.put(demonstrations)
        num_tokens = ray.get(self._ranks[0].count_answer_tokens.remote(reference), timeout=CALL_TIMEOUT_S)
        calls = [rank.imitate.remote(step, reference, num_tokens) for rank in self._ranks]
        return _update(step, ray.get(calls, timeout=CALL_TIMEOUT_S))

    def weights(self, version: int) -> Weights:
        """The current policy. Rank 0 returns its bytes, so the driver owns them and they outlive the rank."""
        return ray.get([rank.weights.remote(version) for rank in self._ranks], timeout=CALL_TIMEOUT_S)[0]

    def fingerprint(self) -> Fingerprint:
        """What the current policy says of the probe text."""
        return ray.get([rank.fingerprint.remote() for rank in self._ranks], timeout=CALL_TIMEOUT_S)[0]

    def manifest(self) -> tuple[TensorPlace, ...]:
        """What `send` sends, in its order."""
        return ray.get(self._ranks[0].manifest.remote(), timeout=CALL_TIMEOUT_S)

    def meeting_point(self) -> tuple[str, int]:
        """An address and a free port on the machine of rank 0."""
        return ray.get(self._ranks[0].meeting_point.remote(), timeout=CALL_TIMEOUT_S)

    def open_transfer(self, address: str, port: int, num_ranks: int) -> Any:
        """Rank 0's opening of a group for whole models, to be waited for together with the others' joining."""
        return self._ranks[0].open_transfer.remote(address, port, num_ranks)

    def send(self) -> list[Any]:
        """All ranks' sending of the trained parameters, to be waited for together with the engines' receiving."""
        return [rank.send.remote() for rank in self._ranks]

    def save(self, folder: Path) -> None:
        """Writes a complete Hugging Face folder."""
        ray.get([rank.save.remote(folder) for rank in self._ranks], timeout=CALL_TIMEOUT_S)


def _environment(settings: LearnerSettings) -> dict[str, str]:
    threads = {"OMP_NUM_THREADS": str(settings.num_threads), "DS_SKIP_CUDA_CHECK": "1"}
    return threads if settings.num_gpus else {**threads, "DS_ACCELERATOR": "cpu", "CUDA_VISIBLE_DEVICES": ""}


def _update(step: int, sums: Sequence[Sums]) -> Update:
    """Per-token means over all ranks; the loss is a sum of parts already divided, norm and rate are common; of the
    durations the slowest rank's."""
    seconds = {name.removeprefix(SECONDS): max(s[name] for s in sums) for name in sums[0] if name.startswith(SECONDS)}
    tokens = sum(s.get("tokens", 0.0) for s in sums)
    metrics = {"loss": sum(s.get("loss", 0.0) for s in sums), "tokens": tokens}
    names = {name for s in sums for name in s if not name.startswith(SECONDS)}
    for name in sorted(names - {"tokens", "loss", "grad_norm", "learning_rate"}):
        metrics[name] = sum(s.get(name, 0.0) for s in sums) / max(tokens, 1.0)
    common = {name: sums[0][name] for name in ("grad_norm", "learning_rate")}
    return Update(step=step, metrics={**metrics, **common}, seconds=seconds)
