"""Thresholds that are asked for as a quantile become values, once and before the pass that applies them.

The sample is drawn by hash, so it is the same in every run over the same photographs, wherever their folder lies.
"""

import contextlib
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from vaserl.curation.job.batch import batch_of, rows_of
from vaserl.curation.job.isolated import Effort, Isolated, Limits
from vaserl.curation.job.stage import stage_of
from vaserl.curation.settings import CurateSettings, ThresholdSettings
from vaserl.curation.source import Source
from vaserl.curation.stages.best_view import STAGE as BEST_VIEW
from vaserl.curation.stages.intact import DEFAULT_THRESHOLD, VIEW, Intact
from vaserl.curation.stages.intact import STAGE as INTACT
from vaserl.curation.stages.quality import Quality, decision_of
from vaserl.errors import UserError

GIVEN = "the config"


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """The least score that a stage lets through, and where it came from.

    Example: Threshold(stage="intact", value=0.021, origin="quantile 0.25 of 500 photographs")
    """

    stage: str
    """quality, intact or best_view."""
    value: float
    """In the units of the stage's score."""
    origin: str
    """In words, as the card says it."""


def check_thresholds(settings: CurateSettings) -> None:
    """Raises: UserError for a threshold on a score that nobody gives."""
    best_view = settings.best_view
    asked = best_view.threshold is not None or best_view.quantile is not None or settings.intact.quantile is not None
    if asked and not settings.intact.enabled:
        raise UserError(
            "best_view.threshold and the quantiles are over scores of CLIP, which intact.enabled = false leaves out"
        )


def resolve_thresholds(settings: CurateSettings, photographs: pa.Table) -> tuple[CurateSettings, tuple[Threshold, ...]]:
    """The settings with a value for every threshold of an enabled filter, and where each value came from.

    Quantiles are over the first photographs, in the order of their hashes, that the earlier filters let through; they
    are scored on this machine, in a process that may die of a photograph. A pure function of settings and photographs
    (columns as the source gives them).

    Raises: UserError when no photograph of a sample can be scored.
    """
    quality, intact, best_view = settings.quality, settings.intact, settings.best_view
    found: list[Threshold] = []
    if quality.enabled:
        decision = decision_of(quality)
        chosen = "chosen when the classifier was trained" if decision.trained else "default"
        origin = chosen if quality.threshold is None else GIVEN
        found.append(Threshold(stage="quality", value=decision.threshold, origin=origin))
        resolved = {"threshold": decision.threshold, "temperature": decision.temperature}
        quality = quality.model_copy(update=resolved)
    sizes = [part.sample for part in (intact, best_view) if part.quantile is not None]
    scored = _scores(settings, photographs, max(sizes)) if sizes else []
    if intact.enabled:
        threshold = _resolved(INTACT, intact, [score for score, _ in scored[: intact.sample]])
        threshold = threshold or Threshold(stage=INTACT, value=DEFAULT_THRESHOLD, origin="default")
        intact = intact.model_copy(update={"threshold": threshold.value, "quantile": None})
        found.append(threshold)
        fronts = [front for score, front in scored[: best_view.sample] if score >= threshold.value]
        if threshold := _resolved(BEST_VIEW, best_view, fronts):
            best_view = best_view.model_copy(update={"threshold": threshold.value, "quantile": None})
            found.append(threshold)
    return settings.model_copy(update={"quality": quality, "intact": intact, "best_view": best_view}), tuple(found)


def sample_order(vase_ids: Sequence[str], views: Sequence[str], photos: Sequence[str], seed: int) -> list[int]:
    """Indices in the order in which photographs are drawn: by hash of vase, view and file name, not of the folder."""

    def position(index: int) -> bytes:
        name = photos[index].rsplit("/", 1)[-1]
        return hashlib.sha256(f"sample/{seed}/{vase_ids[index]}/{views[index]}/{name}".encode()).digest()

    return sorted(range(len(photos)), key=lambda index: (position(index), photos[index]))


def _scores(settings: CurateSettings, photographs: pa.Table, num_wanted: int) -> list[tuple[float, float]]:
    """(intact, front) of the first photographs that reach the intact filter, at most `num_wanted`."""
    let_all_pass = settings.intact.model_copy(update={"threshold": -math.inf, "quantile": None})
    stages = [stage_of("source", Source)]
    if settings.quality.enabled:
        stages.append(stage_of("quality", Quality, (settings.quality,)))
    stages.append(stage_of(INTACT, Intact, (let_all_pass, settings.clip)))
    columns = [photographs.column(name).to_pylist() for name in ("vase_id", "view", "photo")]
    order = sample_order(*columns, seed=settings.seed)
    scores: list[tuple[float, float]] = []
    limits = Limits.of(settings.intact.pool)
    with contextlib.closing(Isolated(stages, limits)) as isolated:
        for start in range(0, len(order), limits.batch_size):
            if len(scores) >= num_wanted:
                break
            batch = batch_of(photographs.take(order[start : start + limits.batch_size]).to_pylist())
            for index in range(len(stages)):
                batch = isolated.run(index, batch, Effort())
            scores += [(row[INTACT], row[VIEW]) for row in rows_of(batch) if not row["rejected_by"]]
    return scores[:num_wanted]


def _resolved(stage: str, asked: ThresholdSettings, scores: Sequence[float]) -> Threshold | None:
    if asked.quantile is None:
        return None if asked.threshold is None else Threshold(stage=stage, value=asked.threshold, origin=GIVEN)
    if not scores:
        raise UserError(f"{stage}.quantile: none of the photographs reaches that filter; give a threshold instead")
    origin = f"quantile {asked.quantile:g} of {len(scores):,} photographs"
    return Threshold(stage=stage, value=quantile_of(scores, asked.quantile), origin=origin)


def quantile_of(scores: Sequence[float], quantile: float) -> float:
    """A value that just this share of the scores lies below, rounded up to a whole score: about half-way between the
    highest of those and the next, so that the last digit of a score, which depends on its batch, decides nothing.

    It has as few digits as tell the two apart from half-way: the last digits depend on the machine too, and with the
    value as a part of the settings they would make finished work unfinished elsewhere.
    """
    ordered = np.sort(np.asarray(scores, dtype=np.float64))
    number = min(math.ceil(quantile * len(ordered) - 1e-9), len(ordered) - 1)
    if number == 0:
        return float(ordered[0])
    below, above = float(ordered[number - 1]), float(ordered[number])
    middle, reach = (below + above) / 2, (above - below) / 4
    rounded = (float(f"{middle:.{digits}g}") for digits in range(1, 17))
    return next((value for value in rounded if abs(value - middle) < reach), above)
