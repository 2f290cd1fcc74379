"""Reward workers: CPU or GPU actors that score groups, behind a pool with ordinary methods."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ray

from actors.placement import PlacementSlice
from actors.pool import ActorPool
from vaserl.errors import UserError
from vaserl.rewards import RewardSource, Scorer, check_reward_source, make_scorer, mismatches, read_sources
from vaserl.settings import RewardSettings
from vaserl.types import Group, Score, ScoredGroup


class RewardWorker:
    """Holds the imported reward functions."""

    _scorer: Scorer

    def load(self, settings: RewardSettings, sources: Sequence[RewardSource]) -> tuple[str, dict[str, str]]:
        """Imports the functions if the code on this machine is that of `sources`.

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
            except UserError as error:  # could be imported on the driver, but not here; the message names the function
                found = {source.name: str(error) for source in sources}
        return socket.gethostname(), found

    def prepare(self, records: Sequence[Mapping[str, str]]) -> None:
        """Passes the training records to the functions that learn from them."""
        self._scorer.prepare(records)

    def score(self, groups: Sequence[Group]) -> list[tuple[Score, ...]]:
        """Returns [P][G] scores in order, without the groups, which the driver has."""
        return [scored.scores for scored in self._scorer.score_all(groups)]


RewardActor = ray.remote(RewardWorker)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingScores:
    """A batch that is being scored."""

    groups: tuple[Group, ...]
    """[P]"""
    calls: tuple[Any, ...]
    """One for each worker that has a share of them."""


class RewardPool:
    """N reward workers with ordinary methods; groups are dealt to them in turn."""

    def __init__(self, settings: RewardSettings, place: PlacementSlice):
        self._settings = settings
        self._sources = read_sources(settings)
        self._pool = ActorPool(
            RewardActor,
            place,
            environment={"OMP_NUM_THREADS": "1"},
            timeout_s=settings.timeout_s,
            timeout_setting="reward.timeout_s",
        )

    @property
    def sha256(self) -> dict[str, str]:
        """Hash of the code of each reward function, by its name."""
        return {source.name: source.sha256 for source in self._sources}

    def wait_until_ready(self) -> None:
        """Blocks until every worker has imported its functions.

        Raises: UserError with a table when the reward code of a worker differs from the driver's or can't be imported.
        """
        calls = [worker.load.remote(self._settings, self._sources) for worker in self._pool.actors]
        if table := mismatches(self._sources, self._pool.wait(calls, "load")):
            raise UserError(
                f"the reward code is not the same everywhere:\n{table}\n"
                "install it on every node, or name it as path/to/file.py:function, which travels with the run"
            )

    def prepare(self, records: Sequence[Mapping[str, str]]) -> None:
        """Passes the training records to every worker's functions that learn from them."""
        shared = ray.put([dict(record) for record in records])
        self._pool.wait([worker.prepare.remote(shared) for worker in self._pool.actors], "prepare")

    def score(self, groups: Sequence[Group]) -> list[ScoredGroup]:
        """Returns [P] the groups with their scores, in order.

        Raises: RewardError when a function fails.
        """
        return self.collect(self.submit(groups))

    def submit(self, groups: Sequence[Group]) -> PendingScores:
        """Deals out a batch and returns at once, so that it is scored while the next one is generated."""
        calls = tuple(worker.score.remote(share) for worker, share in self._pool.deal(tuple(groups)))
        return PendingScores(groups=tuple(groups), calls=calls)

    def collect(self, pending: PendingScores) -> list[ScoredGroup]:
        """Returns [P] scored groups in the order of `submit`; blocks until they are complete.

        Raises: RewardError when a function fails.
        """
        scores: list[tuple[Score, ...]] = self._pool.collect(pending.calls, "score", len(pending.groups))
        return [ScoredGroup(group=g, scores=s) for g, s in zip(pending.groups, scores, strict=True)]
