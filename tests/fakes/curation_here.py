"""Runs the curation job in this process, without Ray; the stages run in processes of their own."""

from collections.abc import Sequence
from pathlib import Path

from vaserl.curation.finish import FinishedPasses, write_results
from vaserl.curation.job.isolated import Effort, Limits
from vaserl.curation.job.journal import Journal
from vaserl.curation.job.passes import PassSummary
from vaserl.curation.job.pool import Pool
from vaserl.curation.job.shard_worker import ShardWorker
from vaserl.curation.job.shards import Shard, lift_shards, source_shards
from vaserl.curation.job.tries import MAX_TRIES, lift_best_views
from vaserl.curation.job.views import choose_views
from vaserl.curation.outcome.summary import CurationSummary
from vaserl.curation.pipeline import Pipeline
from vaserl.curation.settings import CurateSettings
from vaserl.curation.source import read_photograph_source
from vaserl.curation.stage import StageContext


class KilledJob(Exception):
    """The end of a job between two tries of the second pass."""


def through(pools: Sequence[Pool], shards: Sequence[Shard], dataset: Path) -> PassSummary:
    """Runs a pass in this process, without Ray; the stages run in processes of their own."""
    efforts: dict[str, Effort] = {}
    for pool in pools:
        worker = ShardWorker(dataset, pool.stages, Limits.of(pool.settings))
        passed = []
        for shard in shards:
            done, more = worker(shard)
            passed.append(done)
            efforts |= more
        worker.close()
        shards = passed
    return PassSummary(shards=list(shards), num_reused=0, efforts=efforts)


def curated(chosen: CurateSettings, pipeline: Pipeline, num_tries: int = MAX_TRIES) -> CurationSummary:
    """Runs the curation job without a cluster.

    Raises: KilledJob after `num_tries` tries of the second pass, if there are more.
    """
    context, journal = StageContext(settings=chosen), Journal(chosen.dataset)
    shards = source_shards(read_photograph_source(chosen.source), journal, chosen.journal.num_rows)
    filtered = through(pipeline.filter_pools(context), shards, chosen.dataset)
    choose = pipeline.choice_over_batches(context)

    def run(attempt: int, some: Sequence[Shard]) -> PassSummary:
        if attempt > num_tries:
            raise KilledJob
        return through(pipeline.lift_pools(context), some, chosen.dataset)

    second = lift_best_views(
        lambda tried: choose_views(filtered.shards, journal, choose, tried=tried),
        lambda choice: lift_shards(filtered.shards, choice, journal, 1),
        run,
        journal,
        pipeline.model_stages,
    )
    passes = FinishedPasses(filters=filtered, losers=second.losers, lift=second.summary)
    return write_results(chosen, {}, (), passes, 0, pipeline)
