"""Transfer of new weights from the learner to the engines.

Adapters are sent through Ray's object store, and on CPU whole models as well. A 7B model is a hundred times the size of
an adapter. So where every rank and every engine has GPUs of its own, the whole model is sent by NCCL from the learner's
GPUs to the engines', through vLLM's weight-transfer interface.
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
    """Ray references of the calls that receive the weights, one for each engine."""
    sending: tuple[Any, ...]
    """Ray references of the calls that send the weights, one for each learner rank; empty if the object store is
    used."""
    clock: Clock
    """Clock that measures the duration of each part of the transfer, from the submission on."""


class WeightTransport(Protocol):
    """Method of sending weights to the engines of a pool."""

    opens_transfer: bool
    """True if the engines must be started with vLLM's weight-transfer interface."""

    def connect(self, engines: ActorPool, shards_per_engine: int) -> None:
        """Prepares loaded engines for transfers; called once, before the first `submit`.

        shards_per_engine: number of GPUs over which an engine's weights are divided.
        """
        ...

    def submit(self, weights: Weights, engines: ActorPool) -> Publishing:
        """Queues the loading of the weights at every engine, after the calls submitted before, and returns at once."""
        ...


class ObjectStoreTransport:
    """Transport through Ray's object store, from which every engine reads the files of the weights."""

    opens_transfer = False

    def connect(self, engines: ActorPool, shards_per_engine: int) -> None:
        """Does nothing, because the object store needs no connection."""

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
        """Opens the NCCL group. The learner's rank 0 is member 0, and the engines' shards are members 1, 2, … in the
        order of the engines."""
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
        """Queues calls that send the current parameters from the ranks, and calls that receive them at every engine.

        A rank runs its calls in order, so it can't take another training step before it has sent the parameters.
        Otherwise the engines could receive newer parameters under the version number of `weights`.
        """
        sending = tuple(self._ranks.send())
        calls = tuple(engine.receive.remote(weights, self._manifest) for engine in engines.actors)
        return Publishing(weights=weights, calls=calls, sending=sending, clock=Clock())
