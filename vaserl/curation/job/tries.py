"""The second pass: makes a 3D model of each vase's best view, and of the next best one where no good model came of it.

What is tried next depends on nothing but the finished shards of the tries before, so a killed job that starts again
comes to the same tries, and finds the finished ones in the journal.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import pyarrow.parquet as pq

from vaserl.curation.job.isolated import Effort
from vaserl.curation.job.journal import Journal
from vaserl.curation.job.passes import PassSummary
from vaserl.curation.job.shards import Choice, Losers, Shard
from vaserl.curation.job.views import Tried

MAX_TRIES = 3
"""Largest number of a vase's photographs of which a 3D model is made, one after the other, until one is good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecondPass:
    """The second pass with all its tries."""

    losers: Losers
    """The views that were never chosen."""
    shards: Sequence[Shard]
    """The shards of all tries, as they are before the pass."""
    summary: PassSummary
    """The summary of all tries together."""


def lift_best_views(
    choose: Callable[[Tried], Choice],
    shards_of: Callable[[Choice], Sequence[Shard]],
    run: Callable[[int, Sequence[Shard]], PassSummary],
    journal: Journal,
    retried: Collection[str],
) -> SecondPass:
    """Runs the second pass over the chosen view of each vase; then over the next choice of the vases of which a stage
    in `retried` rejected the chosen one, until each has a good model, no view is left, or `MAX_TRIES` have failed.

    choose: returns the choice among the views that were not tried, of the vases that were; of all vases at first.
    run: runs the pass over the shards of one try, which is given by its number, from 1.
    """
    tried: dict[str, list[str]] = {}
    choice = choose(tried)
    losers = {shard: dict(rows) for shard, rows in choice.losers.items()}
    shards, done = [], PassSummary(shards=[], num_reused=0)
    for attempt in range(1, MAX_TRIES + 1):
        some = shards_of(choice)
        passed = run(attempt, some)
        shards += some
        done = _together(done, passed)
        failed = _failed(passed.shards, journal, retried) if attempt < MAX_TRIES else {}
        if not failed:
            break
        tried = {vase_id: [*tried.get(vase_id, ()), photo] for vase_id, photo in failed.items()}
        choice = choose(tried)
        for shard, rows in choice.losers.items():
            losers.setdefault(shard, {}).update(rows)
        for shard, chosen in choice.chosen.items():
            for row in chosen:
                del losers[shard][row]
        if not choice.chosen:
            break
    return SecondPass(losers=losers, shards=shards, summary=done)


def _failed(shards: Sequence[Shard], journal: Journal, retried: Collection[str]) -> Mapping[str, str]:
    """Returns the photographs that a stage in `retried` has rejected, by vase id. Shards hold one view of a vase."""
    failed: dict[str, str] = {}
    for shard in shards:
        table = pq.read_table(journal.path(shard.step, shard.key), columns=["vase_id", "photo", "rejected_by"])
        failed |= {row["vase_id"]: row["photo"] for row in table.to_pylist() if row["rejected_by"] in retried}
    return failed


def _together(first: PassSummary, second: PassSummary) -> PassSummary:
    efforts: dict[str, Effort] = {}
    for passed in (first, second):
        for stage, effort in passed.efforts.items():
            efforts.setdefault(stage, Effort()).add(effort)
    return PassSummary(
        shards=[*first.shards, *second.shards],
        num_reused=first.num_reused + second.num_reused,
        seconds=first.seconds + second.seconds,
        efforts=efforts,
    )
