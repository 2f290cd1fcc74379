"""Transfer of new weights from the learner to the engines.

Adapters and, on CPU, whole models go through Ray's object store. A 7B model is a hundred times the size of an adapter,
so where every rank and every engine has GPUs of its own, the whole model is sent by NCCL from the learner's GPUs to the
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
    """Tells whether a run sends whole models to the engines by NCCL, from GPU to GPU.

    NCCL allows one member for each GPU, so a rank that shares its GPU with an engine uses the object store instead.
    """
    return learner.method == "full" and learner.num_gpus >= 1 and rollout.num_gpus >= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """Weights that are being sent to the engines, with the handles of the calls that send and receive them."""

    weights: Weights
    calls: tuple[Any, ...]
    """Ray reference of the receiving call to each engine."""
    sending: tuple[Any, ...]
    """Ray reference of the sending call to each learner rank; empty if the object store is used."""
    clock: Clock
    """Clock, started at the submission, that measures the duration of each piece of the publish."""


class WeightTransport(Protocol):
    """Method of sending weights to the engines of a pool."""

    opens_transfer: bool
    """True if the engines must be started with vLLM's weight-transfer interface."""

    def connect(self, engines: ActorPool, shards_per_engine: int) -> None:
        """Prepares loaded engines; called once, before the first `submit`. shards_per_engine: number of GPUs over
        which an engine's weights are divided."""
        ...

    def submit(self, weights: Weights, engines: ActorPool) -> Publishing:
        """Queues the weights at every engine, behind the calls submitted before, and returns at once."""
        ...


class ObjectStoreTransport:
    """Transport through Ray's object store, which every engine reads the files of the weights from."""

    opens_transfer = False

    def connect(self, engines: ActorPool, shards_per_engine: int) -> None:
        """Does nothing: every engine reads the object store."""

    def submit(self, weights: Weights, engines: ActorPool) -> Publishing:
        """Puts the weights into the object store and queues their loading at every engine."""
        clock = Clock()
        reference = ray.put(weights)
        clock.lap("put")
        calls = tuple(engine.publish.remote(reference) for engine in engines.actors)
        return Publishing(weights=weights, calls=calls, sending=(), clock=clock)


class NcclTransport:
    """Transport by NCCL: the learner's rank 0 broadcasts the trained tensors to every shard of every engine.

    The `Weights` that are submitted have a version and a fingerprint (log-probabilities of a fixed text), but no files.
    """

    opens_transfer = True

    def __init__(self, ranks: LearnerGroup):
        self._ranks = ranks

    def connect(self, engines: ActorPool, shards_per_engine: int) -> None:
        """Opens the NCCL group: the learner's rank 0 is member 0, and the shards of the engines are the next, in
        order."""
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
        """Queues the sending of the current parameters at the ranks and their receipt at every engine.

        A rank runs its calls in order, so it takes no further step before the parameters are sent: the engines can't
        receive later parameters under this version.
        """
        sending = tuple(self._ranks.send())
        calls = tuple(engine.receive.remote(weights, self._manifest) for engine in engines.actors)
        return Publishing(weights=weights, calls=calls, sending=sending, clock=Clock())
