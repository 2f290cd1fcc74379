"""Computes the thresholds that the settings give as a quantile of scores, once, before the filters apply them.

The scores are those of a sample of the photographs. The sample is drawn by hash, so it is the same in every run over
the same photographs, in whatever folder they are.
"""

import contextlib
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from vaserl.curation.job.batch import batch_of, rows_of
from vaserl.curation.job.isolated import Effort, Isolated, Limits
from vaserl.curation.pipeline import PIPELINE, Pipeline
from vaserl.curation.settings import CurateSettings, ThresholdSettings
from vaserl.curation.stage import Stage, StageContext
from vaserl.errors import UserError

GIVEN = "the config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """The least score with which a photograph passes a stage, and where this value came from.

    Example: Threshold(stage="…", value=0.021, origin="quantile 0.25 of 500 photographs")
    """

    stage: str
    """Name of the stage."""
    value: float
    """Least score that passes, in the units of the stage's score."""
    origin: str
    """Where the value came from, as a text for the data card."""


def check_thresholds(settings: CurateSettings, pipeline: Pipeline = PIPELINE) -> None:
    """Checks that an enabled stage computes the score of each threshold. Raises: UserError that states the setting."""
    for stage in pipeline.stages:
        section = stage.settings_in(settings)
        if not isinstance(section, ThresholdSettings):
            continue
        asked = "quantile" if section.quantile is not None else "threshold" if section.threshold is not None else ""
        (measure,) = stage.measures
        source = _source_of(measure.name, pipeline)
        if asked and not source.is_enabled(settings) and (asked == "quantile" or source is not stage):
            raise UserError(
                f"{stage.section}.{asked} applies to the score {measure.name!r}, which is not computed because "
                f"{source.section}.enabled = false"
            )


def resolve_thresholds(
    settings: CurateSettings, photographs: pa.Table, pipeline: Pipeline = PIPELINE
) -> tuple[CurateSettings, tuple[Threshold, ...]]:
    """Returns the settings with a number for every threshold of an enabled filter, and where each number came from.

    A quantile is computed from a sample: the first photographs, ordered by hash, that pass the earlier filters. They
    are scored on this machine, in a child process, so that a crash doesn't end the job. The result depends only on the
    settings and on the table of photographs.

    Raises: UserError when no photograph of a sample can be scored.
    """
    found: list[Threshold] = []
    sampled: list[tuple[Stage, ThresholdSettings]] = []
    for stage in pipeline.stages:
        section = stage.settings_in(settings)
        if isinstance(section, ThresholdSettings) and _is_scored(stage, settings, pipeline):
            sampled.append((stage, section))
        elif stage.default_threshold is not None and stage.is_enabled(settings):
            origin = "" if section.threshold is None else GIVEN
            section, default = stage.default_threshold(section)
            found.append(Threshold(stage=stage.name, value=section.threshold, origin=origin or default))
            settings = settings.model_copy(update={stage.section: section})
    sizes = [section.sample for _, section in sampled if section.quantile is not None]
    rows = _scored(settings, photographs, max(sizes), pipeline) if sizes else []
    passed: list[tuple[str, float]] = []
    for stage, section in sampled:
        (measure,) = stage.measures
        reached = (row for row in rows[: section.sample] if all(row[name] >= least for name, least in passed))
        threshold = _resolved(stage, section, [row[measure.name] for row in reached])
        if threshold is None:
            continue
        found.append(threshold)
        passed.append((measure.name, threshold.value))
        resolved = section.model_copy(update={"threshold": threshold.value, "quantile": None})
        settings = settings.model_copy(update={stage.section: resolved})
    return settings, tuple(found)


def _source_of(measure: str, pipeline: Pipeline) -> Stage:
    """Returns the stage that adds the column named `measure`."""
    return next(stage for stage in pipeline.stages if any(column.name == measure for column in stage.columns))


def _is_scored(stage: Stage, settings: CurateSettings, pipeline: Pipeline) -> bool:
    return all(_source_of(measure.name, pipeline).is_enabled(settings) for measure in stage.measures)


def sample_order(vase_ids: Sequence[str], views: Sequence[str], photos: Sequence[str], seed: int) -> list[int]:
    """Returns the photographs' indices ordered by a hash of seed, vase, view and file name.

    A sample is the first photographs in this order. The folder is not part of the hash, so that the order remains the
    same when the photographs are moved.
    """

    def position(index: int) -> bytes:
        name = photos[index].rsplit("/", 1)[-1]
        return hashlib.sha256(f"sample/{seed}/{vase_ids[index]}/{views[index]}/{name}".encode()).digest()

    return sorted(range(len(photos)), key=lambda index: (position(index), photos[index]))


def _scored(
    settings: CurateSettings, photographs: pa.Table, num_needed: int, pipeline: Pipeline
) -> list[Mapping[str, Any]]:
    """Returns the rows of the first `num_needed` photographs that could be scored, with their scores."""
    rows: list[Mapping[str, Any]] = []
    for batch in _batches(settings, photographs, pipeline):
        rows += [row for row in batch if not row["rejected_by"]]
        if len(rows) >= num_needed:
            break
    return rows[:num_needed]


def _batches(settings: CurateSettings, photographs: pa.Table, pipeline: Pipeline) -> Iterator[list[dict[str, Any]]]:
    """Yields batches of photographs in the sample's order, scored by all filters.

    Filters with a threshold score the photographs here but reject none.
    """
    filters = [stage for group in pipeline.filters for stage in group if stage.is_enabled(settings)]
    for stage in filters:
        if isinstance(section := stage.settings_in(settings), ThresholdSettings):
            let_all_pass = section.model_copy(update={"threshold": -math.inf, "quantile": None})
            settings = settings.model_copy(update={stage.section: let_all_pass})
    stages = [pipeline.prepared(stage, StageContext(settings=settings)) for stage in filters]
    columns = [photographs.column(name).to_pylist() for name in ("vase_id", "view", "photo")]
    order = sample_order(*columns, seed=settings.seed)
    limits = Limits.of(settings.pool.of(filters[-1].name, filters[-1].pool))
    with contextlib.closing(Isolated(stages, limits)) as isolated:
        for start in range(0, len(order), limits.batch_size):
            batch = batch_of(photographs.take(order[start : start + limits.batch_size]).to_pylist())
            for index in range(len(stages)):
                batch = isolated.run(index, batch, Effort())
            yield rows_of(batch)


def _resolved(stage: Stage, asked: ThresholdSettings, scores: Sequence[float]) -> Threshold | None:
    if asked.quantile is None:
        if asked.threshold is not None:
            return Threshold(stage=stage.name, value=asked.threshold, origin=GIVEN)
        if stage.default_threshold is None:
            return None
        section, origin = stage.default_threshold(asked)
        return Threshold(stage=stage.name, value=section.threshold, origin=origin)
    if not scores:
        raise UserError(
            f"{stage.section}.quantile can't be computed: no photograph passed the earlier filters; "
            f"set {stage.section}.threshold instead"
        )
    origin = f"quantile {asked.quantile:g} of {len(scores):,} photographs"
    return Threshold(stage=stage.name, value=quantile_of(scores, asked.quantile), origin=origin)


def quantile_of(scores: Sequence[float], quantile: float) -> float:
    """Returns a threshold such that the share `quantile` of the scores, rounded up to a whole number, lies below it.

    The threshold is about half-way between the highest score below it and the next score above, because the last digit
    of a score depends on its batch and must not decide a verdict. The threshold is rounded to as few digits as keep it
    between these two scores, because the last digits of scores differ between machines. The threshold becomes part of
    the settings, so such digits would invalidate finished work on other machines.
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    number = min(math.ceil(quantile * len(ordered) - 1e-9), len(ordered) - 1)
    if number == 0:
        return float(ordered[0])
    below, above = float(ordered[number - 1]), float(ordered[number])
    middle, reach = (below + above) / 2, (above - below) / 4
    rounded = (float(f"{middle:.{digits}g}") for digits in range(1, 17))
    return next((value for value in rounded if abs(value - middle) < reach), above)
