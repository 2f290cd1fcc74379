"""A pool of rollout workers with ordinary methods: one vLLM engine each, in an actor of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import ray

from actors.encoder import FeatureReader
from actors.engine import engine_environment
from actors.placement import PlacementSlice
from actors.pool import START_TIMEOUT_S, ActorPool
from actors.publish import ObjectStoreTransport, Publishing, WeightTransport
from actors.rollout_worker import RolloutWorker, Served
from vaserl.policy.fingerprint import FingerprintGate
from vaserl.settings import DataSettings, ModelSettings, RolloutSettings
from vaserl.types import Group, Publication, Task, Weights

RolloutActor = ray.remote(RolloutWorker)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingGroups:
    """Tasks that the engines were given."""

    num_tasks: int
    """P."""
    calls: tuple[Any, ...]
    """One for each worker that has a share of them."""
    version: int
    """Version of the weights that answer them: the last that were submitted before."""


class RolloutPool:
    """N rollout workers with ordinary methods; tasks are dealt to them in turn."""

    def __init__(
        self,
        model: ModelSettings,
        data: DataSettings,
        settings: RolloutSettings,
        place: PlacementSlice,
        features: FeatureReader | None = None,
        *,
        max_lora_rank: int | None,
        seed: int,
        transport: WeightTransport | None = None,
    ):
        """max_lora_rank: None where no adapters come. transport: the object store where it is None."""
        self._settings, self._seed, self._version = settings, seed, 0
        self._gate = FingerprintGate(settings.max_fingerprint_gap)
        self._transport = transport or ObjectStoreTransport()
        keywords = {"max_lora_rank": max_lora_rank, "takes_transfers": self._transport.opens_transfer}
        self._pool = ActorPool(
            RolloutActor,
            place,
            (model, data, settings, features),
            each=[keywords] * place.request.num_actors,
            environment=engine_environment(settings.num_gpus, settings.num_threads),
        )

    def wait_until_ready(self) -> None:
        """Blocks until every engine has loaded and weights can reach it."""
        self._pool.wait([worker.ready.remote() for worker in self._pool.actors], "ready", START_TIMEOUT_S)
        self._transport.connect(self._pool, int(self._settings.engine_args.get("tensor_parallel_size", 1)))

    def publish(self, weights: Weights) -> Publication:
        """Blocks until every engine serves these weights and has passed the fingerprint check.

        Raises: as `confirm`.
        """
        return self.confirm(self.submit_weights(weights))

    def submit_weights(self, weights: Weights) -> Publishing:
        """Queues `weights` at every engine behind the work submitted before, and returns at once. An engine does one
        thing at a time, so it finishes a completion under way with the weights that began it."""
        self._version = weights.version
        return self._transport.submit(weights, self._pool)

    def confirm(self, publishing: Publishing) -> Publication:
        """Blocks until every engine serves the weights and has passed the fingerprint check; to be called in the order
        of submission.

        Raises: RuntimeError when an engine serves another version; ParityError when an engine's log-probabilities of
        the probe text differ from the learner's.
        """
        weights, calls = publishing.weights, publishing.calls
        answers: list[Served] = self._pool.wait([*calls, *publishing.sending], "publish")[: len(calls)]
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

    def generate(self, tasks: Sequence[Task], step: int, refill: int = 0) -> list[Group]:
        """Returns [P] groups of `group_size` completions at the training temperature. (step, refill) decide the seeds.

        Raises: as `collect`.
        """
        return self.collect(self.submit(tasks, step, refill))

    def submit(self, tasks: Sequence[Task], step: int, refill: int = 0) -> PendingGroups:
        """Deals out tasks behind the work submitted before, and returns at once."""
        seeds = sampling_seeds(self._seed, step, len(tasks), refill)
        return self._deal(tasks, seeds, self._settings.group_size, self._settings.temperature)

    def collect(self, pending: PendingGroups) -> list[Group]:
        """Returns [P] groups in the order of `submit`; blocks until they are complete.

        Raises: RuntimeError when other weights wrote a completion than those submitted last before its `submit`.
        """
        groups: list[Group] = self._pool.collect(pending.calls, "generate", pending.num_tasks)
        for group in groups:
            for completion in group.completions:
                if completion.weights_version != pending.version:
                    raise RuntimeError(
                        f"{group.task.id}: written by v{completion.weights_version}, asked of v{pending.version}"
                    )
        return groups

    def greedy(self, tasks: Sequence[Task]) -> list[Group]:
        """Returns [P] groups of one completion each, at temperature 0."""
        return self.collect(self._deal(tasks, sampling_seeds(self._seed, 0, len(tasks)), 1, 0.0))

    def _deal(self, tasks: Sequence[Task], seeds: Sequence[int], num_samples: int, temperature: float) -> PendingGroups:
        shares = zip(self._pool.deal(tasks), self._pool.deal(seeds), strict=True)
        calls = tuple(
            worker.generate.remote(some_tasks, some_seeds, num_samples=num_samples, temperature=temperature)
            for (worker, some_tasks), (_, some_seeds) in shares
        )
        return PendingGroups(num_tasks=len(tasks), calls=calls, version=self._version)


def sampling_seeds(seed: int, step: int, num_tasks: int, refill: int = 0) -> list[int]:
    """Returns [P] one seed for each task of a step, a function of the run's seed, the step and the refill alone."""
    state = np.random.SeedSequence([seed, step, refill]).generate_state(num_tasks)
    return [int(value) & 0x7FFFFFFF for value in state]
