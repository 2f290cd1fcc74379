"""How weights travel from the learner to the engines.

Adapters and, on CPU, whole models go through Ray's object store. A 7B model is a hundred times the size of an adapter,
so where every rank and every engine has GPUs of its own, the whole model goes by NCCL from the learner's GPUs to the
engines', through vLLM's weight-transfer interface.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import ray

from actors.learner import LearnerGroup
from actors.pool import START_TIMEOUT_S, ActorPool
from vaserl.runs.clock import Clock
from vaserl.settings import LearnerSettings, RolloutSettings
from vaserl.types import Weights


def goes_by_transfer(learner: LearnerSettings, rollout: RolloutSettings) -> bool:
    """Tells whether a run publishes from GPU to GPU. NCCL has at most one member on a GPU, so a rank that shares its
    GPU with an engine publishes through the object store."""
    return learner.method == "full" and learner.num_gpus >= 1 and rollout.num_gpus >= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """Weights on their way to the engines."""

    weights: Weights
    calls: tuple[Any, ...]
    """One for each engine."""
    sending: tuple[Any, ...]
    """One for each rank that sends the tensors itself."""
    clock: Clock
    """Started when the weights were submitted."""


class WeightTransport(Protocol):
    """A way for weights to reach the engines of a pool."""

    opens_transfer: bool
    """The engines are started with vLLM's weight transfer."""

    def connect(self, engines: ActorPool, shards_per_engine: int) -> None:
        """Prepares loaded engines; called once, before the first `submit`."""
        ...

    def submit(self, weights: Weights, engines: ActorPool) -> Publishing:
        """Sends weights to every engine, behind the calls submitted before; returns at once."""
        ...


class ObjectStoreTransport:
    """The files of the weights, through Ray's object store."""

    opens_transfer = False

    def connect(self, engines: ActorPool, shards_per_engine: int) -> None:
        """Does nothing: every engine reads the object store."""

    def submit(self, weights: Weights, engines: ActorPool) -> Publishing:
        """Puts the weights into the object store and has every engine load them."""
        clock = Clock()
        reference = ray.put(weights)
        clock.lap("put")
        calls = tuple(engine.publish.remote(reference) for engine in engines.actors)
        return Publishing(weights=weights, calls=calls, sending=(), clock=clock)


class NcclTransport:
    """The trained tensors, broadcast by the learner's rank 0 to every shard of every engine. The weights themselves
    have a version and a fingerprint, and no files."""

    opens_transfer = True

    def __init__(self, ranks: LearnerGroup):
        self._ranks = ranks

    def connect(self, engines: ActorPool, shards_per_engine: int) -> None:
        """Opens the NCCL group: the learner's rank 0 is its member 0, the shards of the engines follow in order."""
        num_members = 1 + shards_per_engine * len(engines.actors)
        address, port = self._ranks.meeting_point()
        opening = self._ranks.open_transfer(address, port, num_members)
        joining = [
            engine.open_transfer.remote(address, port, first_rank=1 + index * shards_per_engine, num_ranks=num_members)
            for index, engine in enumerate(engines.actors)
        ]
        engines.wait([opening, *joining], "open_transfer", START_TIMEOUT_S)
        self._manifest = self._ranks.manifest()

    def submit(self, weights: Weights, engines: ActorPool) -> Publishing:
        """Has the ranks send their current parameters and every engine receive them. The ranks take no further step
        until the engines have received them, so they can't send the next parameters under this version."""
        sending = tuple(self._ranks.send())
        calls = tuple(engine.receive.remote(weights, self._manifest) for engine in engines.actors)
        return Publishing(weights=weights, calls=calls, sending=sending, clock=Clock())
