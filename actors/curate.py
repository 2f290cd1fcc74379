"""The curation job: photographs and records through the stages of `vaserl.curation`, on pools of Ray Data.

Two passes with the choice of the best view between them, because that choice needs all the views of a vase: first
every photograph through the filters, then the survivors through lift, mesh gate and turntable. Photographs travel as
paths and are decoded where they are looked at; what crosses between processes is metadata.
"""

import json
import logging
import math
import time
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

import ray
import ray.data

from actors.cluster import connect
from vaserl.curation.admission import MeshGate
from vaserl.curation.batch import Batch, Chain, Maker, batch_of, rows_of
from vaserl.curation.best_view import BestView
from vaserl.curation.describe import FALLBACK, Describe
from vaserl.curation.film import Film
from vaserl.curation.intact import Intact, load_clip
from vaserl.curation.lift import Lift, check_generator
from vaserl.curation.quality import Quality, load_resnet
from vaserl.curation.questions import Questions
from vaserl.curation.retention import FilterReport, dataset_card, filter_report, retention
from vaserl.curation.settings import CurateSettings, PoolSettings
from vaserl.curation.source import Source, read_source
from vaserl.curation.split import split_vases
from vaserl.dataset import write_manifest
from vaserl.errors import UserError
from vaserl.progress import Progress

CARD = "DATASET.md"
SUMMARY = "curation.json"

WORKER_THREADS = {"OMP_NUM_THREADS": "1", "LP_NUM_THREADS": "1"}
"""For arithmetic and for software rendering; the pools are sized to the machine already."""

_NOT_REACHED = {"mesh": "", "clip": "", "caption": "", "reference": "", "questions": "[]"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CurationSummary:
    """What a run did."""

    num_photographs: int
    """Rows of the manifest: every photograph that came in."""
    num_vases: Mapping[str, int]
    """Vases that came through, by split."""
    retention: Sequence[Mapping[str, Any]]
    """[{"stage", "in", "out"}, …]."""
    filters: Sequence[FilterReport]
    """The filters against the truth, where the photographs were labelled."""
    num_fallbacks: int
    """Terse captions that failed the check of facts; the complete one stands in."""
    seconds: Mapping[str, float]
    """Wall time of each pass, the start of its processes included."""


def curate(settings: CurateSettings) -> CurationSummary:
    """Runs the job and writes the data set: manifest.parquet, models/, clips/, DATASET.md and curation.json.

    Raises: UserError for an input, a model or a program that can't be used, before anything is started.
    """
    photographs = read_source(settings.source)
    check_stages(settings)
    settings.dataset.mkdir(parents=True, exist_ok=True)
    seconds = {}
    with connect(settings.cluster):
        check_resources(settings)
        started = time.monotonic()
        rows = run_stages([photograph.row() for photograph in photographs], filter_stages(settings), "filters")
        seconds["filters"] = time.monotonic() - started
        rows = rows_of(BestView()(batch_of(rows)))
        rejected = [row for row in rows if row["rejected_by"]]
        started = time.monotonic()
        lifted = run_stages([row for row in rows if not row["rejected_by"]], lift_stages(settings), "lift")
        seconds["lift"] = time.monotonic() - started
    rows = rejected + lifted
    assert sorted(row["photo"] for row in rows) == [str(p.path) for p in photographs], "a row was lost or doubled"
    manifest = manifest_rows(rows, settings)
    write_manifest(settings.dataset, manifest)
    kinds = {str(photograph.path): photograph.kind for photograph in photographs if photograph.kind}
    enabled = [stage for stage in ("quality", "intact") if kinds and getattr(settings, stage).enabled]
    summary = CurationSummary(
        num_photographs=len(manifest),
        num_vases=dict(sorted(Counter(row["split"] for row in manifest if row["split"]).items())),
        retention=retention(manifest),
        filters=[filter_report(manifest, kinds, stage) for stage in enabled],
        num_fallbacks=sum(row.get(FALLBACK) == 1.0 for row in lifted),
        seconds=seconds,
    )
    (settings.dataset / CARD).write_text(dataset_card(manifest, summary.filters))
    (settings.dataset / SUMMARY).write_text(json.dumps(asdict(summary), indent=2) + "\n")
    return summary


def check_stages(settings: CurateSettings) -> None:
    """Loads what the stages will load, so that a wrong path is said before a cluster is started.

    Raises: UserError naming the setting.
    """
    if settings.quality.enabled:
        if settings.quality.path is None:
            raise UserError("quality.enabled needs quality.path, a ResNet; or set quality.enabled = false")
        load_resnet(settings.quality.path)
    if settings.intact.enabled:
        if settings.clip.path is None:
            raise UserError("intact.enabled needs clip.path, an open_clip model; or set intact.enabled = false")
        load_clip(settings.clip)
    check_generator(settings.lift, settings.source.path)


def check_resources(settings: CurateSettings) -> None:
    """Raises: UserError when the cluster is too small for one of the passes, which would wait for ever."""
    has = ray.cluster_resources()
    for name, stages in (("the filters", filter_stages(settings)), ("lift", lift_stages(settings))):
        for resource, key in (("CPU", "num_cpus"), ("GPU", "num_gpus")):
            asked = sum(pool.num_workers * getattr(pool, key) for _, pool in stages)
            if asked > has.get(resource, 0) + 1e-6:
                raise UserError(
                    f"{name} asks for {asked:g} {resource}, the cluster has {has.get(resource, 0):g}; lower "
                    f"num_workers or {key} of the stages' pools, or raise cluster.{key}"
                )


def filter_stages(settings: CurateSettings) -> list[tuple[list[Maker], PoolSettings]]:
    """The pools of the first pass, each with the stages that it holds."""
    stages: list[tuple[list[Maker], PoolSettings]] = [([(Source, ())], settings.source.pool)]
    if settings.quality.enabled:
        stages.append(([(Quality, (settings.quality,))], settings.quality.pool))
    if settings.intact.enabled:
        stages.append(([(Intact, (settings.intact, settings.clip))], settings.intact.pool))
    return stages


def lift_stages(settings: CurateSettings) -> list[tuple[list[Maker], PoolSettings]]:
    """The pool of the second pass: each process makes, judges, films and describes the models of its own vases."""
    makers: list[Maker] = [
        (Lift, (settings.lift, settings.source.path, settings.dataset)),
        *([(MeshGate, (settings.mesh_gate, settings.dataset))] if settings.mesh_gate.enabled else []),
        (Film, (settings.turntable, settings.dataset)),
        (Describe, (settings.describe, settings.seed)),
        (Questions, ()),
    ]
    return [(makers, settings.lift.pool)]


def run_stages(
    rows: Sequence[Mapping[str, Any]], stages: Sequence[tuple[list[Maker], PoolSettings]], name: str
) -> list[dict[str, Any]]:
    """Every row through every pool, in any order; as many come out as went in."""
    if not rows:
        return []
    _quiet()
    num_blocks = math.ceil(len(rows) / min(pool.batch_size for _, pool in stages))
    dataset = ray.data.from_items(list(rows), override_num_blocks=num_blocks)
    for makers, pool in stages:
        dataset = dataset.map_batches(
            Chain,
            fn_constructor_args=(makers,),
            compute=ray.data.ActorPoolStrategy(size=min(pool.num_workers, num_blocks)),
            batch_size=pool.batch_size,
            batch_format="numpy",
            num_cpus=pool.num_cpus,
            num_gpus=pool.num_gpus or None,
            # without it Ray Data restarts for ever: a photograph that kills its worker would do so for ever
            max_restarts=0,
            runtime_env={"env_vars": WORKER_THREADS},
        )
    finished: list[dict[str, Any]] = []
    with Progress(name, len(rows)) as progress:
        for batch in dataset.iter_batches(batch_size=None, batch_format="numpy"):
            done = rows_of(cast(Batch, batch))
            finished += done
            progress.advance(len(done))
    assert len(finished) == len(rows), f"{len(rows)} rows went into {name}, {len(finished)} came out"
    return finished


def _quiet() -> None:
    """One progress line of ours instead of Ray Data's bars, logs and notes on arguments that we mean to give."""
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="`ray_remote_args` is deprecated", module="actors.curate")


def manifest_rows(rows: Sequence[Mapping[str, Any]], settings: CurateSettings) -> list[dict[str, Any]]:
    """Rows with the columns of the manifest: scores gathered, the split drawn over the vases that came through."""
    kept = [row["vase_id"] for row in rows if not row["rejected_by"]]
    splits = split_vases(kept, settings.split, settings.seed)
    manifest = []
    for row in rows:
        full = {**_NOT_REACHED, **row}
        scores = {name: value for name, value in row.items() if isinstance(value, float) and not math.isnan(value)}
        scores.pop(FALLBACK, None)
        manifest.append(
            full
            | {
                "record": json.loads(row["record"]),
                "questions": json.loads(full["questions"]),
                "scores": scores,
                "split": "" if row["rejected_by"] else splits[row["vase_id"]],
            }
        )
    return manifest
