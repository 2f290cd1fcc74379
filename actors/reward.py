"""Reward workers: CPU or GPU actors that score groups of completions, and the pool that holds them."""

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
    """Reward worker: imports the reward functions and scores groups with them."""

    _scorer: Scorer

    def load(self, settings: RewardSettings, sources: Sequence[RewardSource]) -> tuple[str, dict[str, str]]:
        """Imports the reward functions if their code on this machine is the same as in `sources`.

        Returns: the name of this host, and for each function the hash of its code here, or the reason why it has none.
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
            except UserError as error:  # importable on the driver, but not here; the message names the function
                found = {source.name: str(error) for source in sources}
        return socket.gethostname(), found

    def prepare(self, records: Sequence[Mapping[str, str]]) -> None:
        """Passes the museum records of the training vases to the reward functions that have a `prepare` method."""
        self._scorer.prepare(records)

    def score(self, groups: Sequence[Group]) -> list[tuple[Score, ...]]:
        """Returns the score of each completion of each group, in order, [groups][completions].

        The groups themselves are not returned, because the driver has them.
        """
        return [scored.scores for scored in self._scorer.score_all(groups)]


RewardActor = ray.remote(RewardWorker)


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingScores:
    """Groups that are being scored, with the handles of the calls that score them."""

    groups: tuple[Group, ...]
    calls: tuple[Any, ...]
    """Ray references of the scoring calls, one for each worker that has a share of the groups."""


class RewardPool:
    """A pool of reward workers, called through ordinary methods instead of Ray's; groups are distributed to the workers
    round-robin."""

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
        """Hash of the code of each reward function, by the function's name in the config."""
        return {source.name: source.sha256 for source in self._sources}

    def wait_until_ready(self) -> None:
        """Blocks until every worker has imported the reward functions.

        Raises: UserError with a table of the hosts when a worker's reward code differs from the driver's or can't be
        imported.
        """
        calls = [worker.load.remote(self._settings, self._sources) for worker in self._pool.actors]
        if table := mismatches(self._sources, self._pool.wait(calls, "load")):
            raise UserError(
                f"the reward code is not the same everywhere:\n{table}\n"
                "install the code on every node, or write the function as path/to/file.py:function in "
                "reward.functions: the file is then sent to every node"
            )

    def prepare(self, records: Sequence[Mapping[str, str]]) -> None:
        """Passes the museum records of the training vases to the reward functions that have a `prepare` method, in
        every worker."""
        shared = ray.put([dict(record) for record in records])
        self._pool.wait([worker.prepare.remote(shared) for worker in self._pool.actors], "prepare")

    def score(self, groups: Sequence[Group]) -> list[ScoredGroup]:
        """Returns the groups with the score of each completion, in order.

        Raises: RewardError when a function fails.
        """
        return self.collect(self.submit(groups))

    def submit(self, groups: Sequence[Group]) -> PendingScores:
        """Queues groups for scoring. Returns at once, with a handle for `collect`, so that the next groups can be
        sampled meanwhile."""
        calls = tuple(worker.score.remote(share) for worker, share in self._pool.deal(tuple(groups)))
        return PendingScores(groups=tuple(groups), calls=calls)

    def collect(self, pending: PendingScores) -> list[ScoredGroup]:
        """Blocks until the groups of one `submit` call are scored, and returns them with their scores, in order.

        Raises: RewardError when a function fails.
        """
        scores: list[tuple[Score, ...]] = self._pool.collect(pending.calls, "score", len(pending.groups))
        return [ScoredGroup(group=g, scores=s) for g, s in zip(pending.groups, scores, strict=True)]
