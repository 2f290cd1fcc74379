"""A pool of rollout workers, which are actors with one vLLM engine each."""

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
from vaserl.policy.fingerprint import FingerprintGate, check_served
from vaserl.settings import DataSettings, ModelSettings, RolloutSettings
from vaserl.types import Group, Publication, Task, Weights

RolloutActor = ray.remote(RolloutWorker)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingGroups:
    """Tasks that were submitted to the engines, with the handles of the calls that sample them."""

    num_tasks: int
    """Number of tasks submitted."""
    calls: tuple[Any, ...]
    """Ray references of the sampling calls, one for each worker that has a share of the tasks."""
    version: int
    """Version of the weights that sample the tasks: the last version submitted before the tasks."""


class RolloutPool:
    """A pool of rollout workers, called through ordinary methods instead of Ray's; tasks are distributed to the workers
    round-robin."""

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
        """max_lora_rank: largest rank of an adapter, None if no adapters will be published. seed: seed of the run.
        transport: method of sending weights, None for the object store."""
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
        """Blocks until every engine has loaded the base model and can receive weights."""
        self._pool.wait([worker.ready.remote() for worker in self._pool.actors], "ready", START_TIMEOUT_S)
        self._transport.connect(self._pool, int(self._settings.engine_args.get("tensor_parallel_size", 1)))

    def publish(self, weights: Weights) -> Publication:
        """Loads these weights into every engine, blocks until all engines serve them, and checks each engine's
        log-probabilities of a fixed probe text.

        Raises: the same as `confirm`.
        """
        return self.confirm(self.submit_weights(weights))

    def submit_weights(self, weights: Weights) -> Publishing:
        """Queues the loading of new weights at every engine, after the calls submitted before. Returns at once, with a
        handle for `confirm`.

        An engine runs one call at a time, so a completion is never sampled with two versions of weights.
        """
        self._version = weights.version
        return self._transport.submit(weights, self._pool)

    def confirm(self, publishing: Publishing) -> Publication:
        """Blocks until every engine serves the weights of one `submit_weights` call, and checks each engine's
        weights and its log-probabilities of a fixed probe text. Must be called in the order of submission.

        Raises: RuntimeError when an engine received another version; ParityError when weights that were read back from
        an engine are not the published ones, or when an engine's log-probabilities of the probe text differ from the
        learner's.
        """
        weights, calls = publishing.weights, publishing.calls
        answers: list[Served] = self._pool.wait([*calls, *publishing.sending], "publish")[: len(calls)]
        if any(answer.version != weights.version for answer in answers):
            served = [answer.version for answer in answers]
            raise RuntimeError(f"published weights v{weights.version}, but the engines serve versions {served}")
        for index, answer in enumerate(answers):
            if answer.digest != weights.digest:
                raise RuntimeError(f"engine {index} received other files than those of version {weights.version}")
        gap = self._gate.check(weights.version, weights.fingerprint, [answer.logprobs for answer in answers])
        for index, answer in enumerate(answers):
            check_served(index, weights.version, answer.differing)
        pieces = {name for answer in answers for name in answer.seconds}
        slowest = {name: max(answer.seconds.get(name, 0.0) for answer in answers) for name in sorted(pieces)}
        return Publication(
            version=weights.version,
            fingerprint_gap=gap,
            seconds={**publishing.clock.seconds, **slowest, "total": publishing.clock.total},
        )

    def generate(self, tasks: Sequence[Task], step: int, refill: int = 0) -> list[Group]:
        """Returns a group of `group_size` completions for each task, in order, [P tasks].

        The completions are sampled at the training temperature, with seeds that depend on the run's seed, `step` and
        `refill`.

        Raises: the same as `collect`.
        """
        return self.collect(self.submit(tasks, step, refill))

    def submit(self, tasks: Sequence[Task], step: int, refill: int = 0) -> PendingGroups:
        """Queues tasks at the engines, after the calls submitted before. Returns at once, with a handle for
        `collect`."""
        seeds = sampling_seeds(self._seed, step, len(tasks), refill)
        settings = {"num_samples": self._settings.group_size, "temperature": self._settings.temperature}
        shares = zip(self._pool.deal(tasks), self._pool.deal(seeds), strict=True)
        calls = tuple(
            worker.generate.remote(some_tasks, some_seeds, **settings)
            for (worker, some_tasks), (_, some_seeds) in shares
        )
        return PendingGroups(num_tasks=len(tasks), calls=calls, version=self._version)

    def collect(self, pending: PendingGroups) -> list[Group]:
        """Blocks until the tasks of one `submit` or `submit_greedy` call are sampled. Returns one group for each task,
        in order, [P tasks].

        Raises: RuntimeError when a completion was sampled by other weights than the last ones submitted before the
        tasks.
        """
        groups: list[Group] = self._pool.collect(pending.calls, "generate", pending.num_tasks)
        for group in groups:
            for completion in group.completions:
                if completion.weights_version != pending.version:
                    raise RuntimeError(
                        f"{group.task.id}: sampled by weights v{completion.weights_version}, not by v{pending.version}"
                    )
        return groups

    def greedy(self, tasks: Sequence[Task]) -> list[Group]:
        """Returns a group of one completion at temperature 0 (greedy decoding) for each task, in order, [P tasks]."""
        return self.collect(self.submit_greedy(tasks))

    def submit_greedy(self, tasks: Sequence[Task]) -> PendingGroups:
        """Queues tasks for greedy decoding at the engines, after the calls submitted before. Returns at once, with a
        handle for `collect`."""
        calls = tuple(worker.greedy.remote(share) for worker, share in self._pool.deal(tasks))
        return PendingGroups(num_tasks=len(tasks), calls=calls, version=self._version)


def sampling_seeds(seed: int, step: int, num_tasks: int, refill: int = 0) -> list[int]:
    """Returns one sampling seed for each task, [num_tasks]; they depend on the run's seed, the step and the refill."""
    state = np.random.SeedSequence([seed, step, refill]).generate_state(num_tasks)
    return [int(value) & 0x7FFFFFFF for value in state]
