"""One pass of the curation job: shards through pools of Ray Data, several pools at work at once.

A worker of a pool is an actor, its stages live in a process below it (`vaserl.curation.job.isolated`), and its rows lie
in files (`vaserl.curation.job.journal`). Only a shard's name crosses between processes, so the driver's memory doesn't
grow with the number of rows. Finished shards are left out, and if all are finished, no cluster is started.
"""

import logging
import pickle
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import ray.data

from vaserl.curation.job.isolated import Effort, JobFailed, Limits
from vaserl.curation.job.journal import Journal, key_after
from vaserl.curation.job.passes import PassSummary
from vaserl.curation.job.pool import Pool
from vaserl.curation.job.prepared import PreparedStage
from vaserl.curation.job.shard_worker import ShardWorker
from vaserl.curation.job.shards import Shard
from vaserl.curation.settings import PoolSettings
from vaserl.errors import UserError
from vaserl.files.storage import storage_environment
from vaserl.runs.progress import Progress

WORKER_THREADS = {"OMP_NUM_THREADS": "1", "LP_NUM_THREADS": "1"}
"""Threads of arithmetic and of software rendering; the pools are sized to the machine already."""
NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}
"""Hides the GPUs, because Ray shows all of them to a worker that asked for none."""

SEEN_WITHIN_S, LOOK_EVERY_S = 90.0, 0.5
"""Deadline and interval for seeing a file that another machine has written: NFS caches a folder's names, absent ones
included, for up to a minute."""


def run_pass(
    name: str, shards: Sequence[Shard], pools: Sequence[Pool], dataset: Path, start_cluster: Callable[[], None]
) -> PassSummary:
    """Runs every shard through every pool; finished ones are left as they are.

    Raises: UserError or JobFailed from a stage; UserError where shards are finished and can't be seen from here;
    and the exceptions of `start_cluster`.
    """
    started = time.monotonic()
    journal, stages = Journal(dataset), [stage for pool in pools for stage in pool.stages]
    finished = [replace(s, step=stages[-1].name, key=key_after(s.key, stages)) for s in shards]
    missing = [s for s, done in zip(shards, finished, strict=True) if not journal.has(done.step, done.key)]
    num_rows = sum(shard.num_rows for shard in missing)
    summary = PassSummary(
        shards=finished,
        num_reused=sum(shard.num_rows for shard in shards) - num_rows,
        efforts={stage.name: Effort() for stage in stages},
    )
    if missing:
        start_cluster()
        with Progress(name, num_rows) as progress:
            for shard, efforts in stream(missing, pools, dataset):
                for stage, effort in efforts.items():
                    summary.efforts[stage].add(effort)
                progress.advance(shard.num_rows, **_rates(summary.efforts))
    _await(name, finished, journal)
    summary.seconds = time.monotonic() - started
    return summary


def _await(name: str, finished: Sequence[Shard], journal: Journal) -> None:
    """Waits until this machine sees what workers have finished. Raises: UserError after SEEN_WITHIN_S."""
    deadline = time.monotonic() + SEEN_WITHIN_S
    while unseen := [shard for shard in finished if not journal.has(shard.step, shard.key)]:
        if time.monotonic() > deadline:
            places = ", ".join(str(journal.path(shard.step, shard.key)) for shard in unseen[:3])
            raise UserError(
                f"{name}: of {len(finished)} shards that workers have finished, {len(unseen)} can't be seen from here, "
                f"or not the models and clips that they name: {places}. Does every node have the data set's folder "
                "under this path?"
            )
        time.sleep(LOOK_EVERY_S)


class _PoolWorker:
    """A `ShardWorker` as Ray Data calls it: one shard a batch, pickled, with the efforts of the pools before it.

    A failure travels like a shard, because an exception would lose its type among those that Ray puts around it.
    """

    def __init__(self, dataset: Path, stages: Sequence[PreparedStage], limits: Limits) -> None:
        self._worker = ShardWorker(dataset, stages, limits)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        (content,) = batch["shard"]
        arrived = pickle.loads(content)
        if isinstance(arrived, Exception):
            return {"shard": [content]}
        shard, efforts = arrived
        try:
            shard, more = self._worker(shard)
        except (UserError, JobFailed) as failure:
            return {"shard": [pickle.dumps(failure)]}
        return {"shard": [pickle.dumps((shard, {**efforts, **more}))]}


def stream(missing: Sequence[Shard], pools: Sequence[Pool], dataset: Path) -> Iterator[tuple[Shard, dict[str, Effort]]]:
    """Yields shards as they are finished, in any order, with the effort of each stage on them."""
    _quiet()
    items = [{"shard": pickle.dumps((shard, {}))} for shard in missing]
    data = ray.data.from_items(items, override_num_blocks=len(items))
    for pool in pools:
        data = data.map_batches(
            _PoolWorker,
            fn_constructor_args=(dataset, pool.stages, Limits.of(pool.settings)),
            compute=ray.data.ActorPoolStrategy(size=min(pool.settings.num_workers, len(items))),
            batch_size=1,
            batch_format="numpy",
            num_cpus=pool.settings.num_cpus,
            num_gpus=pool.settings.num_gpus or None,
            # photographs kill a worker's stages and never the worker; another cause must not kill it endlessly
            max_restarts=0,
            runtime_env={"env_vars": _environment(pool.settings)},
        )
    for batch in data.iter_batches(batch_size=None, batch_format="numpy"):
        for content in cast(dict[str, Any], batch)["shard"]:
            finished = pickle.loads(content)
            if isinstance(finished, Exception):
                raise finished
            yield finished


def _environment(settings: PoolSettings) -> dict[str, str]:
    return WORKER_THREADS | storage_environment() | ({} if settings.num_gpus else NO_GPU)


def _rates(efforts: dict[str, Effort]) -> dict[str, str]:
    """Returns rows per second at work of one process of each stage, and the number of deaths."""
    rates = {name: f"{effort.rows / effort.seconds:.3g}/s" for name, effort in efforts.items() if effort.seconds}
    deaths = sum(effort.deaths for effort in efforts.values())
    return rates | ({"deaths": str(deaths)} if deaths else {})


def _quiet() -> None:
    """Silences Ray Data's bars, logs and deprecation notes; the pass prints one progress line of its own."""
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="`ray_remote_args` is deprecated", module="actors.curate_pass")
