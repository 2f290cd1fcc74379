"""Reward workers: CPU actors that score groups, behind a pool with ordinary methods."""

from collections.abc import Sequence

import ray
from ray.util.placement_group import PlacementGroup
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from vaserl.scoring import load_scorer
from vaserl.settings import RewardSettings
from vaserl.types import Group, ScoredGroup

CALL_TIMEOUT_S = 600.0


class RewardWorker:
    """Holds the imported reward functions."""

    def __init__(self, settings: RewardSettings):
        self._scorer = load_scorer(settings.functions, settings.weights)

    def ready(self) -> bool:
        """Answers when the functions are imported."""
        return True

    def score(self, groups: Sequence[Group]) -> list[ScoredGroup]:
        """[P] in order."""
        return [self._scorer.score(group) for group in groups]


RewardActor = ray.remote(RewardWorker)


class RewardPool:
    """N reward workers; groups are dealt out to them in turn."""

    def __init__(self, settings: RewardSettings, *, placement: PlacementGroup, first_bundle: int):
        self._workers = [
            RewardActor.options(
                num_cpus=settings.num_cpus,
                scheduling_strategy=PlacementGroupSchedulingStrategy(placement, first_bundle + index),
                runtime_env={"env_vars": {"OMP_NUM_THREADS": "1"}},
            ).remote(settings)
            for index in range(settings.num_workers)
        ]

    def wait_until_ready(self) -> None:
        """Returns when every worker has imported its functions."""
        ray.get([worker.ready.remote() for worker in self._workers], timeout=CALL_TIMEOUT_S)

    def score(self, groups: Sequence[Group]) -> list[ScoredGroup]:
        """[P] in order."""
        num_workers = len(self._workers)
        calls = [
            worker.score.remote(groups[index::num_workers])
            for index, worker in enumerate(self._workers)
            if groups[index::num_workers]
        ]
        scored: list[ScoredGroup | None] = [None] * len(groups)
        for index, dealt in enumerate(ray.get(calls, timeout=CALL_TIMEOUT_S)):
            scored[index::num_workers] = dealt
        return scored  # pyright: ignore[reportReturnType]
