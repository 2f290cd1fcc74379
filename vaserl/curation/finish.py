"""Writes the results of a curation run (manifest, data card, settings, summary) from the shards of both passes."""

import json
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from vaserl.curation.job.journal import Journal, key_after
from vaserl.curation.job.passes import PassSummary
from vaserl.curation.job.pool import Pool
from vaserl.curation.job.shards import INPUT, Losers, Shard
from vaserl.curation.job.thresholds import Threshold
from vaserl.curation.outcome.card import Findings, write_card
from vaserl.curation.outcome.outcomes import Outcomes
from vaserl.curation.outcome.retention import best_view_report, emptied, filter_report, retention_counts
from vaserl.curation.outcome.split import split_vases, stratum_of
from vaserl.curation.outcome.summary import CurationSummary
from vaserl.curation.pipeline import Pipeline
from vaserl.curation.settings import CurateSettings
from vaserl.dataset import DataSet

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedPasses:
    """Results of both passes of a curation run, and of the choice of the best view between the passes."""

    filters: PassSummary
    losers: Losers
    lift: PassSummary

    @property
    def by_name(self) -> dict[str, PassSummary]:
        """Summaries of both passes, by the name of the pass in curation.json."""
        return {"filters": self.filters, "lift": self.lift}


def write_results(
    settings: CurateSettings,
    kinds: Mapping[str, str],
    thresholds: Sequence[Threshold],
    passes: FinishedPasses,
    num_stale_shards: int,
    pipeline: Pipeline,
) -> CurationSummary:
    """Writes manifest.parquet, config.toml, DATASET.md with its contact sheet, and curation.json. Returns: the summary.

    `kinds` maps the path or URL of each labelled photograph to its kind, such as "blur".
    """
    journal = Journal(settings.dataset)
    outcomes = Outcomes(passes.filters.shards, passes.losers, passes.lift.shards, journal, pipeline)
    strata = {row["vase_id"]: stratum_of(json.loads(row["record"])) for row in outcomes.survivors("vase_id", "record")}
    splits = split_vases(strata, settings.split, settings.seed)
    dataset = DataSet(settings.dataset)
    rows = dataset.rows
    rows.write(outcomes.manifest_rows(splits))
    judged = [s for s in pipeline.stages if kinds and s.unwanted_kinds and s.is_enabled(settings)]
    efforts = {name: effort for done in passes.by_name.values() for name, effort in done.efforts.items()}
    summary = CurationSummary(
        num_photographs=len(rows),
        num_vases=dict(sorted(Counter(row.split for row in rows if row.split).items())),
        retention=retention_counts(rows, pipeline),
        filters=[filter_report(rows, kinds, stage, pipeline) for stage in judged],
        best_view=best_view_report(rows, kinds, pipeline) if kinds else None,
        thresholds=thresholds,
        num_later_choices=sum(row.kept and bool(row.instead_of) for row in rows),
        num_fallbacks=outcomes.num_fallbacks(),
        stages={
            name: {**asdict(effort), "rows_per_s": effort.rows / effort.seconds if effort.seconds else 0.0}
            for name, effort in efforts.items()
        },
        reused_rows={name: done.num_reused for name, done in passes.by_name.items()},
        num_stale_shards=num_stale_shards,
        seconds={name: done.seconds for name, done in passes.by_name.items()},
    )
    off = [stage.name for stage in pipeline.stages if not stage.is_enabled(settings)]
    findings = Findings(
        filters=summary.filters, best_view=summary.best_view, thresholds=thresholds, off=off, pipeline=pipeline
    )
    dataset.write_settings(settings)
    write_card(dataset, rows, settings.card, findings)
    dataset.write_summary(summary.as_dict())
    if warning := emptied(rows, pipeline):
        _logger.warning("%s: %s", settings.dataset, warning)
    return summary


def files_of_pass(shards: Sequence[Shard], pools: Sequence[Pool], journal: Journal) -> set[Path]:
    """Returns the paths of all journal files that a pass over these shards reads or writes."""
    files = {journal.path(INPUT, shard.key) for shard in shards}
    for shard in shards:
        key = shard.key
        for stage in (stage for pool in pools for stage in pool.stages):
            key = key_after(key, [stage])
            files.add(journal.path(stage.name, key))
    return files


def tidy(settings: CurateSettings, stale: Sequence[Path]) -> int:
    """Warns about journal files of other settings, and deletes them if `journal.stale` is "remove".

    Returns: the number of these files.
    """
    remove = settings.journal.stale == "remove"
    for path in stale if remove else ():
        path.unlink(missing_ok=True)
    if stale:
        what = "removed" if remove else 'kept; journal.stale = "remove" deletes them'
        _logger.warning(
            "%s: %d finished shards in the journal belong to other settings: %s", settings.dataset, len(stale), what
        )
    return len(stale)
