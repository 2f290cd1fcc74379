"""Reward workers: CPU or GPU actors that score groups, behind a pool with ordinary methods."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import GetTimeoutError
from ray.util.placement_group import PlacementGroup
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from vaserl.errors import UserError
from vaserl.rewards import RewardSource, Scorer, check_reward_source, make_scorer, mismatches, read_sources
from vaserl.settings import RewardSettings
from vaserl.types import Group, Score, ScoredGroup


class RewardWorker:
    """Holds the imported reward functions."""

    _scorer: Scorer

    def load(self, settings: RewardSettings, sources: Sequence[RewardSource]) -> tuple[str, dict[str, str]]:
        """Imports the functions, if the code here is that of `sources`.

        Returns: this host, and for each reward the hash of its code here, or the reason why there is none.
        """
        found = {}
        for source in sources:
            try:
                found[source.name] = check_reward_source(source)
            except UserError as error:
                found[source.name] = str(error)
        if all(found[source.name] == source.sha256 for source in sources):
            try:
                self._scorer = make_scorer(settings, sources)
            except UserError as error:  # imported on the driver, but not here: which one is in the message
                found = {source.name: str(error) for source in sources}
        return socket.gethostname(), found

    def prepare(self, records: Sequence[Mapping[str, str]]) -> None:
        """Shows the training records to the functions that learn from them."""
        self._scorer.prepare(records)

    def score(self, groups: Sequence[Group]) -> list[tuple[Score, ...]]:
        """[P][G] in order; the groups themselves stay where they came from."""
        return [scored.scores for scored in self._scorer.score_all(groups)]


RewardActor = ray.remote(RewardWorker)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingScores:
    """A batch that is being scored."""

    groups: tuple[Group, ...]
    """[P] what was handed in."""
    calls: tuple[Any, ...]
    """One reference for each worker that has a share of it."""


class RewardPool:
    """N reward workers; groups are dealt out to them in turn."""

    def __init__(self, settings: RewardSettings, *, placement: PlacementGroup, first_bundle: int):
        self._settings = settings
        self.sources = read_sources(settings)
        """The code of each reward, with its hash."""
        self._workers = [
            RewardActor.options(
                num_cpus=settings.num_cpus,
                num_gpus=settings.num_gpus,
                scheduling_strategy=PlacementGroupSchedulingStrategy(placement, first_bundle + index),
                runtime_env={"env_vars": {"OMP_NUM_THREADS": "1"}},
            ).remote()
            for index in range(settings.num_workers)
        ]

    def wait_until_ready(self) -> None:
        """Returns when every worker has imported its functions.

        Raises: UserError with a table when a worker has other code than the driver, or none.
        """
        found = self._get([worker.load.remote(self._settings, self.sources) for worker in self._workers])
        if table := mismatches(self.sources, found):
            raise UserError(
                f"the reward code is not the same everywhere:\n{table}\n"
                "install it on every node, or name it as path/to/file.py:function, which travels with the run"
            )

    def prepare(self, records: Sequence[Mapping[str, str]]) -> None:
        """Shows the records that are trained on to every worker's functions."""
        shared = ray.put([dict(record) for record in records])
        self._get([worker.prepare.remote(shared) for worker in self._workers])

    def score(self, groups: Sequence[Group]) -> list[ScoredGroup]:
        """[P] in order."""
        return self.collect(self.submit(groups))

    def submit(self, groups: Sequence[Group]) -> PendingScores:
        """Deals a batch out and returns at once, so that it is scored while the next one is generated."""
        num_workers = len(self._workers)
        shares = [list(groups[index::num_workers]) for index in range(num_workers)]
        calls = [w.score.remote(share) for w, share in zip(self._workers, shares, strict=True) if share]
        return PendingScores(groups=tuple(groups), calls=tuple(calls))

    def collect(self, pending: PendingScores) -> list[ScoredGroup]:
        """[P] in the order of `submit`; waits until they are there. Raises: RewardError as the functions do."""
        scores: list[tuple[Score, ...]] = [()] * len(pending.groups)
        for index, dealt in enumerate(self._get(pending.calls)):
            scores[index :: len(self._workers)] = dealt
        return [ScoredGroup(group=g, scores=s) for g, s in zip(pending.groups, scores, strict=True)]

    def _get(self, calls: Sequence[Any]) -> list[Any]:
        try:
            return ray.get(list(calls), timeout=self._settings.timeout_s)
        except GetTimeoutError as error:
            raise TimeoutError(
                f"the reward workers gave no answer within {self._settings.timeout_s:g} s (reward.timeout_s)"
            ) from error
