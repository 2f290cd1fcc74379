"""Measures the curation job, which filters photographs of vases.

It measures three parts: the rows per second of each stage, by number of workers; the overhead of the job, as the time
of the CLIP stage divided by that of a bare loop; and the memory of the driver process over 100,000 rows.

The photographs are synthetic unless --source is given. ResNet-50 and CLIP have their full size and random weights.
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import open_clip
import safetensors.torch
import torch

from actors.cluster import connect
from actors.curate_pass import stream
from launch.bench.curate_memory import driver_memory
from launch.bench.timing import circumstances, seconds_of, spread
from vaserl.curation.bodies.intact import Intact
from vaserl.curation.bodies.quality import ResNetConfig, save_resnet
from vaserl.curation.job.isolated import Limits
from vaserl.curation.job.journal import Journal
from vaserl.curation.job.pool import Pool
from vaserl.curation.job.shard_worker import ShardWorker
from vaserl.curation.job.shards import Shard, lift_shards, source_shards
from vaserl.curation.job.views import choose_views
from vaserl.curation.pipeline import PIPELINE
from vaserl.curation.settings import (
    CurateSettings,
    IntactSettings,
    JournalSettings,
    MeshGateSettings,
    PoolOverrides,
    PoolsSettings,
    QualitySettings,
    SourceSettings,
)
from vaserl.curation.source import read_photograph_source
from vaserl.curation.stage import StageContext
from vaserl.curation.stages.intact import FRONT, INTACT
from vaserl.curation.stages.quality import QUALITY
from vaserl.curation.stages.shown import SHOWN
from vaserl.errors import UserError
from vaserl.settings import ClusterSettings, OpenClipSettings
from vaserl.synthetic.world import build_world

PARTS = ("stages", "overhead", "memory")
# `shown` runs where `intact` doesn't
_STAGES = [stage.name for group in (*PIPELINE.filters, *PIPELINE.lift) for stage in group if stage is not SHOWN]
_NUM_COMPARED = 2
"""Number of batches in each comparison of the CLIP stage with a bare loop. It is small: the comparison is repeated
instead (--num-repeats)."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options that set which parts are measured and how much."""
    parser.add_argument("--only", choices=PARTS, help="measure this part only")
    parser.add_argument("--source", type=Path, help="folder of photographs and records, instead of a synthetic world")
    parser.add_argument("--num-vases", type=int, default=96, help="vases of the synthetic world (%(default)s)")
    parser.add_argument("--until", choices=_STAGES, default=_STAGES[-1], help="last stage to measure (%(default)s)")
    parser.add_argument(
        "--num-workers", type=int, nargs="+", default=[1, 2], help="numbers of workers of a stage (%(default)s)"
    )
    parser.add_argument(
        "--num-gpus", type=float, default=0.0, help="GPUs of each worker of the stages quality and intact (%(default)s)"
    )
    parser.add_argument("--clip", default="ViT-B-32", help="name of the CLIP architecture in open_clip (%(default)s)")
    parser.add_argument(
        "--batch-size", type=int, default=16, help="photographs in a batch, and in a shard (%(default)s)"
    )
    parser.add_argument(
        "--num-repeats", type=int, default=9, help="comparisons of the CLIP stage with a bare loop (%(default)s)"
    )
    parser.add_argument(
        "--rows", type=int, default=100_000, help="rows of the memory measurement, without pixels (%(default)s)"
    )
    parser.add_argument("--memory-svg", type=Path, help="SVG file to draw the driver's memory into")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures the parts that --only selects; without --only, all parts.

    Returns: `rows_per_s`, by stage and number of workers; `overhead_clip`, the seconds of the CLIP stage in the job
    divided by the seconds of a bare loop on the same photographs (median of the repeats); and `memory`, the result of
    `driver_memory`.
    """
    if arguments.num_vases < 8 or arguments.num_repeats < 1 or arguments.rows < 1:
        raise UserError("--num-vases must be at least 8, --num-repeats and --rows at least 1")
    parts = [arguments.only] if arguments.only else PARTS
    torch.set_num_threads(1)
    measured: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="bench-curate-") as scratch:
        folder = Path(scratch)
        if parts != ["memory"]:
            settings = settings_over_world(folder, arguments)
            shards = source_shards(
                read_photograph_source(settings.source), Journal(settings.dataset), settings.journal.num_rows
            )
            measured["num_photographs"] = sum(shard.num_rows for shard in shards)
            measured["clip_model"], measured["batch_size"] = arguments.clip, arguments.batch_size
            measured["num_gpus"] = arguments.num_gpus
        if "stages" in parts:
            measured["rows_per_s"] = stage_rates(settings, shards, arguments.num_workers, arguments.until)
        if "overhead" in parts:
            measured["clip"] = overhead_of_clip(settings, shards, arguments.num_repeats)
            measured["overhead_clip"] = measured["clip"]["ratio"]["median"]
        if "memory" in parts:
            measured["memory"] = driver_memory(folder / "memory", arguments.rows, arguments.memory_svg)
    return {**measured, **circumstances()}


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    lines = [
        f"{stage:12} " + "  ".join(f"{n} workers {rate:9.1f} rows/s" for n, rate in rates.items())
        for stage, rates in measured.get("rows_per_s", {}).items()
    ]
    if "clip" in measured:
        ratio = measured["clip"]["ratio"]
        lines.append(
            f"CLIP in the job over a bare loop: {ratio['median']:.3f} ({ratio['lowest']:.3f} to {ratio['highest']:.3f})"
        )
    if "memory" in measured:
        memory = measured["memory"]
        lines.append(
            f"driver over {memory['num_rows']:,} rows: {memory['first_half_mib']:.0f} MiB in the first half, "
            f"{memory['second_half_mib']:.0f} MiB in the second, {memory['rows_per_s']:.0f} rows/s"
        )
    return "\n".join(lines)


def settings_over_world(folder: Path, arguments: argparse.Namespace) -> CurateSettings:
    """Returns the settings of a curation job over the photographs of --source or of a new synthetic world.

    The models have random weights, and the thresholds reject no photograph.
    """
    world = arguments.source
    if world is None:
        world = folder / "world"
        build_world(world, num_vases=arguments.num_vases, seed=11, num_workers=1)
    torch.manual_seed(0)
    config = ResNetConfig()
    save_resnet(config.build(), config, folder / "resnet")
    weights = folder / "clip.safetensors"
    safetensors.torch.save_file(open_clip.create_model(arguments.clip).state_dict(), weights)
    size = arguments.batch_size
    pool = PoolOverrides(batch_size=size, num_gpus=arguments.num_gpus)
    return CurateSettings(
        dataset=folder / "dataset",
        source=SourceSettings(path=str(world)),
        open_clip=OpenClipSettings(path=weights, name=arguments.clip),
        quality=QualitySettings(path=folder / "resnet", threshold=0.0),
        intact=IntactSettings(threshold=-2.0),
        mesh_gate=MeshGateSettings(min_iou=0.0),
        journal=JournalSettings(num_rows=size),
        pool=PoolsSettings.model_validate({QUALITY.name: pool, INTACT.name: pool}),
        cluster=ClusterSettings(num_cpus=max(arguments.num_workers)),
    )


def stage_rates(
    settings: CurateSettings, shards: Sequence[Shard], num_workers: Sequence[int], until: str
) -> dict[str, dict[str, float]]:
    """Runs each stage up to `until` alone, once per number of workers.

    Returns: rows per second, by stage and number of workers. The time in which the workers start is not counted.
    """
    journal, rates, context = Journal(settings.dataset), {}, StageContext(settings=settings)
    with connect(settings.cluster):
        for pools, is_lift in ((PIPELINE.filter_pools(context), False), (PIPELINE.lift_pools(context), True)):
            if is_lift:
                choice = choose_views(shards, journal, PIPELINE.choice_over_batches(context), [FRONT.name])
                shards = lift_shards(shards, choice, journal, 1)
            for stage, one in ((stage, pool.settings) for pool in pools for stage in pool.stages):
                rates[stage.name] = {}
                for number in num_workers:
                    # another digest, because the second measurement would otherwise find all shards finished
                    again = replace(stage, digest=f"{stage.digest} {number}")
                    alone = one.model_copy(update={"num_workers": number, "num_cpus": 0.5})
                    rates[stage.name][str(number)], passed = _rate(
                        shards, Pool(stages=[again], settings=alone), settings.dataset
                    )
                shards = passed
                if stage.name == until:
                    return rates
    raise AssertionError(f"no stage {until}")


def _rate(shards: Sequence[Shard], pool: Pool, dataset: Path) -> tuple[float, list[Shard]]:
    """Runs a pool over the shards. Returns: the rows per second and the output shards.

    About two shards per worker at the start are not counted, because the workers start during them.
    """
    passed: list[Shard] = []
    warm_s, num_warm = 0.0, min(2 * pool.settings.num_workers, len(shards) - 1)
    for shard, _ in stream(shards, [pool], dataset):
        passed.append(shard)
        if len(passed) == num_warm:
            warm_s = time.perf_counter()
    seconds = time.perf_counter() - warm_s
    return sum(shard.num_rows for shard in passed[num_warm:]) / seconds, sorted(passed, key=lambda s: s.number)


def overhead_of_clip(settings: CurateSettings, shards: Sequence[Shard], num_repeats: int) -> dict[str, Any]:
    """Compares the CLIP stage in the job with a bare loop over the same photographs in the same batches.

    In the job, a worker runs the stage in an isolated process and reads and writes shards. The loop reads, decodes and
    encodes the photographs and stores nothing. Job and loop run in turn, and which of them is first alternates, so that
    other load on the machine affects both.

    Returns: the job's seconds divided by the loop's; the rows per second of each; and the seconds of each pair of runs.
    """
    context = StageContext(settings=settings)
    (pool,) = [pool for pool in PIPELINE.filter_pools(context) if pool.stages[0].name == INTACT.name]
    chosen = [shard for shard in shards if shard.num_rows == pool.settings.batch_size][:_NUM_COMPARED]
    worker = ShardWorker(settings.dataset, pool.stages, Limits.of(pool.settings))
    bare = Intact(settings.intact, settings.open_clip)

    def job(repeat: int) -> None:
        for shard in chosen:  # with a key under which no shard is finished
            worker(replace(shard, key=f"{shard.key[:16]}{repeat:016x}"))

    def loop() -> None:
        for shard in chosen:
            _bare(bare, shard, settings.dataset)

    pairs = []
    for repeat in range(num_repeats + 1):
        sides = (partial(job, repeat), loop)
        seconds = {side: seconds_of(sides[side]) for side in ((0, 1) if repeat % 2 else (1, 0))}
        if repeat:  # the first pair isn't counted: it loads the model
            pairs.append((seconds[0], seconds[1]))
    worker.close()
    num_rows = sum(shard.num_rows for shard in chosen)
    return {
        "num_rows": num_rows,
        "ratio": spread([job / loop for job, loop in pairs]),
        "job_rows_per_s": spread([num_rows / job for job, _ in pairs]),
        "loop_rows_per_s": spread([num_rows / loop for _, loop in pairs]),
        "pairs_s": pairs,
    }


def _bare(intact: Intact, shard: Shard, dataset: Path) -> list[list[float]]:
    return intact.cosines(shard.read(Journal(dataset))["photo"].tolist())
