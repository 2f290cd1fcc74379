"""The curation job: photographs and records through the stages of `vaserl.curation`, on pools of Ray Data.

Two passes with the choice of the best view between them, because that choice needs all the views of a vase: first
every photograph through the filters, then the survivors through lift, mesh gate, turntable and texts. Photographs
travel as paths and are decoded where they are looked at; finished rows stay in files, so that the same command goes on
where a killed one was, and writes the very manifest that it would have written.
"""

import contextlib
import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import ray

from actors.cluster import connect
from actors.curate_pass import PassSummary, Pool, run_pass
from actors.describe import DescribeByModel, check_writer, read_prompt
from vaserl.curation.job.journal import Journal, key_after
from vaserl.curation.job.shards import INPUT, Shard, lift_shards, source_shards
from vaserl.curation.job.stage import Stage, file_stamps, stage_of
from vaserl.curation.job.thresholds import Threshold, check_thresholds, resolve_thresholds
from vaserl.curation.job.views import choose_views
from vaserl.curation.outcome.card import Findings, write_card
from vaserl.curation.outcome.outcomes import Outcomes
from vaserl.curation.outcome.retention import best_view_report, emptied, filter_report, retention_counts
from vaserl.curation.outcome.split import split_vases, stratum_of
from vaserl.curation.outcome.summary import CurationSummary
from vaserl.curation.outcome.why import stages_off
from vaserl.curation.settings import CurateSettings
from vaserl.curation.source import Source, check_apart, folder_of, read_photograph_source
from vaserl.curation.stages.best_view import BestView
from vaserl.curation.stages.describe import Describe
from vaserl.curation.stages.intact import Intact
from vaserl.curation.stages.lift import Lift, check_generator, place_of_given, weights_of
from vaserl.curation.stages.mesh_gate import MeshGate
from vaserl.curation.stages.quality import Quality, load_resnet
from vaserl.curation.stages.questions import Questions
from vaserl.curation.stages.turntable import Film
from vaserl.dataset import DataSet
from vaserl.encoders.open_clip import load_open_clip
from vaserl.errors import UserError
from vaserl.files import locked
from vaserl.files.storage import versions_below
from vaserl.meshes import file_of_judge, find_judge

_logger = logging.getLogger(__name__)


def curate(settings: CurateSettings) -> CurationSummary:
    """Runs the job and writes the data set: manifest.parquet, models/, clips/, DATASET.md with its picture, the
    settings with every threshold worked out, and curation.json.

    What a run under the same settings has finished is not done again, however it ended.

    Raises: UserError for an input, a model or a program that can't be used, before anything is started, and when
    another process is at work on the data set.
    """
    photographs = read_photograph_source(settings.source)
    check_apart(settings.source, settings.dataset)
    check_stages(settings)
    settings, thresholds = resolve_thresholds(settings, photographs)
    return curate_table(photographs, filter_pools(settings), lift_pools(settings), settings, thresholds)


def curate_table(
    photographs: pa.Table,
    filters: Sequence[Pool],
    lift: Sequence[Pool],
    settings: CurateSettings,
    thresholds: Sequence[Threshold] = (),
) -> CurationSummary:
    """The job over photographs that `read_source` has given and pools that are made already; `thresholds` are what the
    settings ask for, for the card."""
    dataset = DataSet(settings.dataset)
    with locked(dataset.work), contextlib.ExitStack() as running:

        def start_cluster() -> None:
            running.enter_context(connect(settings.cluster))
            check_resources({"the filters": filters, "lift": lift})

        journal = Journal(settings.dataset)
        litter = dataset.sweep()
        if litter:
            _logger.warning("%s: removed %d half-written files of a killed run", settings.dataset, litter)
        source = folder_of(settings.source)
        versions = versions_below(source)
        shards = source_shards(photographs, journal, settings.journal.num_rows, versions)
        kinds = _kinds(photographs)
        del photographs
        filtered = run_pass("filters", shards, filters, settings.dataset, start_cluster)
        losers = choose_views(filtered.shards, journal, BestView(settings.best_view))
        given = place_of_given(settings.lift, source)
        survivors = lift_shards(filtered.shards, losers, journal, settings.journal.num_rows_lift, given, versions)
        lifted = run_pass("lift", survivors, lift, settings.dataset, start_cluster)
        outcomes = Outcomes(filtered.shards, losers, lifted.shards, journal)
        strata = {r["vase_id"]: stratum_of(json.loads(r["record"])) for r in outcomes.survivors("vase_id", "record")}
        splits = split_vases(strata, settings.split, settings.seed)
        dataset.rows.write(outcomes.manifest_rows(splits))
        used = _files(shards, filters, journal) | _files(survivors, lift, journal)
        num_stale = _tidy(settings, journal.stale(used))
        passes = {"filters": filtered, "lift": lifted}
        summary = _summary(settings, kinds, thresholds, outcomes, passes, num_stale)
        findings = Findings(
            filters=summary.filters, best_view=summary.best_view, thresholds=thresholds, off=stages_off(settings)
        )
        dataset.write_settings(settings)
        write_card(dataset, dataset.rows, settings.card, findings)
        dataset.write_summary(summary.as_dict())
        if warning := emptied(dataset.rows):
            _logger.warning("%s: %s", settings.dataset, warning)
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
        load_open_clip(settings.clip)
    check_thresholds(settings)
    check_writer(settings.describe)
    check_generator(settings.lift, folder_of(settings.source))
    if settings.mesh_gate.enabled and settings.mesh_gate.judge:
        find_judge(settings.mesh_gate.judge)


def check_resources(passes: Mapping[str, Sequence[Pool]]) -> None:
    """Raises: UserError when the cluster is too small for one of the passes, which would wait for ever."""
    has = ray.cluster_resources()
    for name, pools in passes.items():
        for resource, key in (("CPU", "num_cpus"), ("GPU", "num_gpus")):
            asked = sum(pool.settings.num_workers * getattr(pool.settings, key) for pool in pools)
            if asked > has.get(resource, 0) + 1e-6:
                raise UserError(
                    f"{name} asks for {asked:g} {resource}, the cluster has {has.get(resource, 0):g}; lower "
                    f"num_workers or {key} of the stages' pools, or raise cluster.{key}"
                )


def filter_pools(settings: CurateSettings) -> list[Pool]:
    """The pools of the first pass, a pool for each stage."""
    stages = [(stage_of("source", Source), settings.source.pool)]
    if settings.quality.enabled:
        weights = file_stamps(settings.quality.path)
        stages.append((stage_of("quality", Quality, (settings.quality,), weights=weights), settings.quality.pool))
    if settings.intact.enabled:
        weights = file_stamps(settings.clip.path)
        arguments = (settings.intact, settings.clip)
        stages.append((stage_of("intact", Intact, arguments, weights=weights), settings.intact.pool))
    return [Pool(stages=[stage], settings=pool) for stage, pool in stages]


def lift_pools(settings: CurateSettings) -> list[Pool]:
    """The pool of the second pass: each process makes, judges, films and describes the models of its own vases; a
    language model that describes them has a pool of its own."""
    dataset, source, describe, seed = settings.dataset, folder_of(settings.source), settings.describe, settings.seed
    weights = [file_stamps(folder) for folder in weights_of(settings.lift)]
    stages: list[Stage] = [
        stage_of("lift", Lift, (settings.lift, source, dataset), source=str(source), weights=weights)
    ]
    if settings.mesh_gate.enabled:
        judge = file_stamps(file_of_judge(settings.mesh_gate.judge) if settings.mesh_gate.judge else None)
        stages.append(stage_of("mesh_gate", MeshGate, (settings.mesh_gate, dataset), judge=judge))
    stages.append(stage_of("turntable", Film, (settings.turntable, dataset)))
    questions = stage_of("questions", Questions)
    if describe.writer == "rules":
        stages += [stage_of("describe", Describe, (describe, seed), seed=seed), questions]
        return [Pool(stages=stages, settings=settings.lift.pool)]
    assert describe.llm is not None, "checked by the settings"
    depends = {"seed": seed, "prompt": read_prompt(describe.llm.prompt), "weights": file_stamps(describe.llm.path)}
    texts = [stage_of("describe", DescribeByModel, (describe, seed), **depends), questions]
    return [Pool(stages=stages, settings=settings.lift.pool), Pool(stages=texts, settings=describe.llm.pool)]


def _summary(
    settings: CurateSettings,
    kinds: Mapping[str, str],
    thresholds: Sequence[Threshold],
    outcomes: Outcomes,
    passes: Mapping[str, PassSummary],
    num_stale_shards: int,
) -> CurationSummary:
    rows = DataSet(settings.dataset).rows
    enabled = [stage for stage in ("quality", "intact") if kinds and getattr(settings, stage).enabled]
    efforts = {name: effort for done in passes.values() for name, effort in done.efforts.items()}
    return CurationSummary(
        num_photographs=len(rows),
        num_vases=dict(sorted(Counter(row.split for row in rows if row.split).items())),
        retention=retention_counts(rows),
        filters=[filter_report(rows, kinds, stage) for stage in enabled],
        best_view=best_view_report(rows, kinds) if kinds else None,
        thresholds=thresholds,
        num_fallbacks=outcomes.num_fallbacks(),
        stages={
            name: {**asdict(effort), "rows_per_s": effort.rows / effort.seconds if effort.seconds else 0.0}
            for name, effort in efforts.items()
        },
        reused_rows={name: done.num_reused for name, done in passes.items()},
        num_stale_shards=num_stale_shards,
        seconds={name: done.seconds for name, done in passes.items()},
    )


def _files(shards: Sequence[Shard], pools: Sequence[Pool], journal: Journal) -> set[Path]:
    """Every file of the journal that a pass reads or writes."""
    files = {journal.path(INPUT, shard.key) for shard in shards}
    for shard in shards:
        key = shard.key
        for stage in (stage for pool in pools for stage in pool.stages):
            key = key_after(key, [stage])
            files.add(journal.path(stage.name, key))
    return files


def _tidy(settings: CurateSettings, stale: Sequence[Path]) -> int:
    """Says what is left of other settings, and removes it if that is asked for. Returns: how many files it found."""
    remove = settings.journal.stale == "remove"
    for path in stale if remove else ():
        path.unlink(missing_ok=True)
    if stale:
        what = "removed" if remove else 'kept; journal.stale = "remove" clears them'
        _logger.warning("%s: %d finished shards of other settings: %s", settings.dataset, len(stale), what)
    return len(stale)


def _kinds(photographs: pa.Table) -> dict[str, str]:
    """By photograph, what it really is, where someone labelled it."""
    labelled = photographs.select(["photo", "kind"]).to_pylist()
    return {row["photo"]: row["kind"] for row in labelled if row["kind"]}
