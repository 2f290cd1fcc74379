"""A pool of rollout workers with ordinary methods: one vLLM engine each, in an actor of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray
from ray.util.placement_group import PlacementGroup
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from actors.encoder import FeatureReader
from actors.engine import TensorPlace, engine_environment
from actors.rollout_worker import RolloutWorker, Served
from vaserl.policy.fingerprint import FingerprintGate
from vaserl.runs.clock import Clock
from vaserl.settings import DataSettings, ModelSettings, RolloutSettings
from vaserl.types import Group, Publication, Task, Weights

START_TIMEOUT_S = 600.0
CALL_TIMEOUT_S = 1800.0

RolloutActor = ray.remote(RolloutWorker)


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """Weights on their way into the engines."""

    weights: Weights
    """What each of them must answer to serve."""
    calls: tuple[Any, ...]
    """One reference for each worker."""
    sending: tuple[Any, ...]
    """One for each rank that sends the tensors itself."""
    clock: Clock
    """Since they were submitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingGroups:
    """Tasks that the engines have been given."""

    num_tasks: int
    """P."""
    calls: tuple[Any, ...]
    """One reference for each worker that has a share of them."""
    version: int
    """Of the weights that answer them: the last that were submitted before."""


class RolloutPool:
    """N rollout workers with ordinary methods. Tasks are dealt out in turn, so a task's worker does not depend on
    which engine is faster, and a run repeats exactly."""

    def __init__(
        self,
        model: ModelSettings,
        data: DataSettings,
        settings: RolloutSettings,
        features: FeatureReader | None = None,
        *,
        max_lora_rank: int | None,
        seed: int,
        placement: PlacementGroup,
        first_bundle: int,
        takes_transfers: bool = False,
    ):
        self._settings, self._seed, self._version = settings, seed, 0
        self._gate = FingerprintGate(settings.max_fingerprint_gap)
        self._workers = [
            RolloutActor.options(
                num_cpus=settings.num_cpus,
                num_gpus=settings.num_gpus,
                scheduling_strategy=PlacementGroupSchedulingStrategy(placement, first_bundle + index),
                runtime_env={"env_vars": engine_environment(settings.num_gpus, settings.num_threads)},
            ).remote(model, data, settings, features, max_lora_rank=max_lora_rank, takes_transfers=takes_transfers)
            for index in range(settings.num_workers)
        ]

    def wait_until_ready(self) -> None:
        """Returns when every engine has loaded."""
        ray.get([worker.ready.remote() for worker in self._workers], timeout=START_TIMEOUT_S)

    def publish(self, weights: Weights) -> Publication:
        """Hands `weights` to every engine through the object store; returns when each has answered that it serves
        them, and has shown it on the probe text.

        Raises: as `confirm` does.
        """
        return self.confirm(self.submit_weights(weights))

    def submit_weights(self, weights: Weights) -> Publishing:
        """Gives every engine `weights` to take when it has done what it was given before; returns at once. An engine
        does one thing at a time, so a completion under way is finished with the weights that began it."""
        clock = Clock()
        reference = ray.put(weights)
        clock.lap("put")
        self._version = weights.version
        calls = tuple(worker.publish.remote(reference) for worker in self._workers)
        return Publishing(weights=weights, calls=calls, sending=(), clock=clock)

    def open_transfer(self, address: str, port: int) -> list[Any]:
        """Every engine's joining of a group that the learner's rank 0 opens at `address`: to be waited for together."""
        shards = self._shards_per_engine
        return [
            worker.open_transfer.remote(address, port, first_rank=1 + index * shards, num_ranks=self.transfer_size)
            for index, worker in enumerate(self._workers)
        ]

    def submit_transfer(self, weights: Weights, manifest: Sequence[TensorPlace], sending: Sequence[Any]) -> Publishing:
        """Like `submit_weights`, with the tensors of `manifest` on their way already: `sending` are the learner's
        calls, which last until the engines have come to take them."""
        self._version = weights.version
        calls = tuple(worker.receive.remote(weights, manifest) for worker in self._workers)
        return Publishing(weights=weights, calls=calls, sending=tuple(sending), clock=Clock())

    def confirm(self, publishing: Publishing) -> Publication:
        """Returns when every engine has answered that it serves the weights; to be called in the order of submission.

        Raises: RuntimeError when an engine answers with another version; ParityError when one does not agree with the
        learner about the probe text.
        """
        weights, calls = publishing.weights, publishing.calls
        answers: list[Served] = ray.get([*calls, *publishing.sending], timeout=CALL_TIMEOUT_S)[: len(calls)]
        if any(answer.version != weights.version for answer in answers):
            served = [answer.version for answer in answers]
            raise RuntimeError(f"published version {weights.version}, the engines serve {served}")
        gap = self._gate.check(weights.version, weights.fingerprint, [answer.logprobs for answer in answers])
        pieces = {name for answer in answers for name in answer.seconds}
        slowest = {name: max(answer.seconds.get(name, 0.0) for answer in answers) for name in sorted(pieces)}
        return Publication(
            version=weights.version,
            fingerprint_gap=gap,
            seconds={**publishing.clock.seconds, **slowest, "total": publishing.clock.total},
        )

    @property
    def transfer_size(self) -> int:
        """Members of the group in which a whole model travels: the learner's rank 0 and every shard of every engine."""
        return 1 + self._shards_per_engine * len(self._workers)

    @property
    def _shards_per_engine(self) -> int:
        return int(self._settings.engine_args.get("tensor_parallel_size", 1))

    def generate(self, tasks: Sequence[Task], step: int, refill: int = 0) -> list[Group]:
        """[P] groups of `group_size` completions at the training temperature. refill: 0 for the step's first draw.

        Raises: as `collect` does.
        """
        return self.collect(self.submit(tasks, step, refill))

    def submit(self, tasks: Sequence[Task], step: int, refill: int = 0) -> PendingGroups:
        """Deals out a step's tasks, behind what the engines were given before, and returns at once."""
        seeds = sampling_seeds(self._seed, step, len(tasks), refill)
        return self._deal(tasks, seeds, self._settings.group_size, self._settings.temperature)

    def collect(self, pending: PendingGroups) -> list[Group]:
        """[P] in the order of `submit`; waits until they are there.

        Raises: RuntimeError when a completion was written by other weights than those that came before its `submit`.
        """
        num_workers = len(self._workers)
        groups: list[Group | None] = [None] * pending.num_tasks
        for index, dealt in enumerate(ray.get(list(pending.calls), timeout=CALL_TIMEOUT_S)):
            groups[index::num_workers] = dealt
        for group in groups:
            assert group is not None
            for completion in group.completions:
                if completion.weights_version != pending.version:
                    raise RuntimeError(
                        f"{group.task.id}: written by v{completion.weights_version}, asked of v{pending.version}"
                    )
        return groups  # pyright: ignore[reportReturnType]

    def greedy(self, tasks: Sequence[Task]) -> list[Group]:
        """[P] groups of one completion each, at temperature 0."""
        return self.collect(self._deal(tasks, sampling_seeds(self._seed, 0, len(tasks)), 1, 0.0))

    def _deal(self, tasks: Sequence[Task], seeds: Sequence[int], num_samples: int, temperature: float) -> PendingGroups:
        num_workers = len(self._workers)
        calls = [
            worker.generate.remote(
                tasks[index::num_workers], seeds[index::num_workers], num_samples=num_samples, temperature=temperature
            )
            for index, worker in enumerate(self._workers)
            if tasks[index::num_workers]
        ]
        return PendingGroups(num_tasks=len(tasks), calls=tuple(calls), version=self._version)


def sampling_seeds(seed: int, step: int, num_tasks: int, refill: int = 0) -> list[int]:
    """[P] one seed for each task of a step, a function of the run's seed, the step and the refill alone."""
    state = np.random.SeedSequence([seed, step, refill]).generate_state(num_tasks)
    return [int(value) & 0x7FFFFFFF for value in state]
