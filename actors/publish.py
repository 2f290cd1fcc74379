"""Whole models from the learner's GPUs to the engines', without a host in between.

Adapters and, on CPU, whole models travel through the object store: `LearnerGroup.weights`, `RolloutPool.publish`. A
7B model is a hundred times an adapter, so where every rank and engine has GPUs of its own it goes by NCCL, through
vLLM's weight-transfer interface.
"""

from collections.abc import Sequence

import ray

from actors.learner import START_TIMEOUT_S, LearnerGroup
from actors.rollout import PendingGroups, Publishing, RolloutPool
from vaserl.policy.weights import digest_files
from vaserl.settings import LearnerSettings, RolloutSettings
from vaserl.types import Group, Publication, Task, Weights


def goes_by_transfer(learner: LearnerSettings, rollout: RolloutSettings) -> bool:
    """Whether this run publishes from GPU to GPU. NCCL has one member on a GPU at most, so a rank that shares its GPU
    with an engine publishes through the object store."""
    return learner.method == "full" and learner.num_gpus >= 1 and rollout.num_gpus >= 1


class TransferredRollout:
    """A rollout pool whose weights come straight from the learner's GPUs."""

    def __init__(self, engines: RolloutPool, ranks: LearnerGroup):
        self._engines, self._ranks = engines, ranks
        address, port = ranks.meeting_point()
        opening = ranks.open_transfer(address, port, engines.transfer_size)
        ray.get([opening, *engines.open_transfer(address, port)], timeout=START_TIMEOUT_S)
        self._manifest = ranks.manifest()

    def generate(self, tasks: Sequence[Task], step: int, refill: int) -> list[Group]:
        """As the pool does."""
        return self._engines.generate(tasks, step, refill)

    def submit(self, tasks: Sequence[Task], step: int, refill: int) -> PendingGroups:
        """As the pool does."""
        return self._engines.submit(tasks, step, refill)

    def collect(self, pending: PendingGroups) -> list[Group]:
        """As the pool does."""
        return self._engines.collect(pending)

    def weights(self, version: int) -> Weights:
        """The current policy as `publish` wants it: a version and its fingerprint, and no files."""
        return Weights(version=version, files={}, digest_files=digest_files({}), fingerprint=self._ranks.fingerprint())

    def publish(self, weights: Weights) -> Publication:
        """Sends the ranks' current parameters to every engine.

        Raises: as `RolloutPool.publish` does.
        """
        return self.confirm(self.submit_weights(weights))

    def submit_weights(self, weights: Weights) -> Publishing:
        """Has the ranks send their current parameters as soon as the engines take them, and returns at once. Until then
        the ranks do nothing else, so they can't send what they learn next under this version."""
        return self._engines.submit_transfer(weights, self._manifest, self._ranks.send())

    def confirm(self, publishing: Publishing) -> Publication:
        """As the pool does."""
        return self._engines.confirm(publishing)
