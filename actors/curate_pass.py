"""One pass of the curation job: runs shards of rows through pools of Ray Data actors, several pools at the same time.

A worker of a pool is an actor that runs its stages in a child process (`vaserl.curation.job.isolated`) and saves rows
in files (`vaserl.curation.job.journal`). Only a shard's name is sent between processes, so the driver's memory doesn't
grow with the number of rows. Finished shards are skipped, and if all are finished, no cluster is started.
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
from vaserl.files.photograph import pixel_limit_environment
from vaserl.files.storage import storage_environment
from vaserl.runs.progress import Progress

WORKER_THREADS = {"OMP_NUM_THREADS": "1", "LP_NUM_THREADS": "1"}
"""Environment that limits a worker to one thread for arithmetic and one for software rendering: the pools have a worker
for each core already."""
NO_GPU = {"CUDA_VISIBLE_DEVICES": ""}
"""Environment that hides all GPUs from a worker that reserved none; without it Ray would show the worker every GPU."""

SEEN_WITHIN_S, LOOK_EVERY_S = 90.0, 0.5
"""Time-out and polling interval, in seconds, of the wait for a file that another machine has written. NFS caches for up
to a minute which files a folder has."""


def run_pass(
    name: str, shards: Sequence[Shard], pools: Sequence[Pool], dataset: Path, start_cluster: Callable[[], None]
) -> PassSummary:
    """Runs every unfinished shard through every pool, and returns a summary of the pass.

    start_cluster: called before the first shard runs, if any is unfinished.

    Raises: UserError or JobFailed from a stage; UserError when the files of finished shards can't be found on this
    machine; and the exceptions of `start_cluster`.
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
    """Waits until this machine can read the files of the shards that workers have finished.

    Raises: UserError after SEEN_WITHIN_S seconds.
    """
    deadline = time.monotonic() + SEEN_WITHIN_S
    while unseen := [shard for shard in finished if not journal.has(shard.step, shard.key)]:
        if time.monotonic() > deadline:
            places = ", ".join(str(journal.path(shard.step, shard.key)) for shard in unseen[:3])
            raise UserError(
                f"{name}: workers have finished {len(finished)} shards, but {len(unseen)} can't be found on this "
                f"machine, or their models and clips can't: {places}. Check that every node has the data set's folder "
                "under this path"
            )
        time.sleep(LOOK_EVERY_S)


class _PoolWorker:
    """Adapter of `ShardWorker` for Ray Data: a batch is one pickled shard with the work (`Effort`) spent on it so far.

    If a stage fails, its exception is returned in place of the shard, and the driver raises it: Ray would wrap an
    exception raised here in one of its own types.
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
    """Yields finished shards, in order of completion, each with the work (`Effort`) that each stage spent on it."""
    _quiet()
    items = [{"shard": pickle.dumps((shard, {}))} for shard in missing]
    data = ray.data.from_items(items, override_num_blocks=len(items))
    for pool in pools:
        data = data.map_batches(
            _PoolWorker,
            fn_constructor_args=(dataset, pool.stages, Limits.of(pool.settings)),
            # Ray queues two shards at a worker by default, also while others idle; a shard takes long enough to wait
            compute=ray.data.ActorPoolStrategy(
                size=min(pool.settings.num_workers, len(items)), max_tasks_in_flight_per_actor=1
            ),
            batch_size=1,
            batch_format="numpy",
            num_cpus=pool.settings.num_cpus,
            num_gpus=pool.settings.num_gpus or None,
            # a photograph can kill the child process with the stages, but not the worker; if a worker dies all the
            # same, the cause would recur, so it is not restarted
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
    return WORKER_THREADS | storage_environment() | pixel_limit_environment() | ({} if settings.num_gpus else NO_GPU)


def _rates(efforts: dict[str, Effort]) -> dict[str, str]:
    """Returns values for the progress line, as texts: rows per second of one process of each stage, and the number of
    processes that died."""
    rates = {name: f"{effort.rows / effort.seconds:.3g}/s" for name, effort in efforts.items() if effort.seconds}
    deaths = sum(effort.deaths for effort in efforts.values())
    return rates | ({"deaths": str(deaths)} if deaths else {})


def _quiet() -> None:
    """Silences Ray Data's progress bars, logs and deprecation warnings; the pass prints its own progress line."""
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="`ray_remote_args` is deprecated", module="actors.curate_pass")
