"""From a published data set to a manifest, so that everything here trains and evaluates on it."""

import hashlib
import logging
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ImageOps

from vaserl.curation.job.batch import batch_of, rows_of
from vaserl.curation.outcome.retention import STAGES
from vaserl.curation.outcome.split import split_vases, stratum_of
from vaserl.curation.published.annotations import OTHER, TOPICS
from vaserl.curation.published.layout import PUBLISHED_VIEWS, PublishedVase, read_layout
from vaserl.curation.published.words import record_from_caption, record_from_questions
from vaserl.curation.settings import CardSettings, SplitSettings, TurntableSettings
from vaserl.curation.source.problem import SourceProblem
from vaserl.curation.source.records import states_something
from vaserl.curation.stages.lift import MODELS, model_path
from vaserl.curation.stages.questions import questions_about
from vaserl.dataset.dataset import write_manifest
from vaserl.errors import UserError
from vaserl.files.clip import Clip, ClipStore
from vaserl.files.glb import check_glb
from vaserl.files.photograph import UnreadablePhotograph, read_photograph
from vaserl.rewards.vase import reference_caption

STAGE = "source"
AROUND = ("front", "left", "back", "right")
"""Views in the order in which a turntable shows them."""
STILLS_FPS = 2.0
_SHOWN_PROBLEMS = 5

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What was written."""

    num_vases: Mapping[str, int]
    """Vases that came through, by split."""
    rejected: Mapping[str, str]
    """Reason by name of the vase."""
    num_questions_left_out: int
    """Questions about something that is none of the six dimensions, nor provenance."""
    num_records_from_texts: int
    """Vases without metadata, whose record was read from their questions or caption."""


def import_published(
    source: Path, dataset: Path, *, turntable: TurntableSettings | None = None, resolution: int = 224, seed: int = 0
) -> Imported:
    """Writes manifest.parquet, models/, clips/ and the card of a published data set; its layouts: `layout`.

    With `turntable` each GLB is filmed; without, the four views around the vase make a clip of four frames,
    resolution x resolution. A vase whose files are missing or damaged is a rejected row. Splits are the data set's own;
    where it names none at all, they are drawn by `seed`, and a vase that it forgets goes into train.

    Raises: UserError for annotations that can't be used, with every file, entry and field that is to blame.
    """
    from vaserl.curation.outcome.card import (  # torch, which those who only look at a folder do without
        Findings,
        write_card,
    )

    problems: list[SourceProblem] = []
    vases = read_layout(source, problems.append)
    _refuse(problems)
    (dataset / MODELS).mkdir(parents=True, exist_ok=True)
    drawn = {} if any(vase.split for vase in vases) else _drawn(vases, seed)
    unnamed = sum(not vase.split for vase in vases) - len(drawn)
    if unnamed:
        _logger.warning("of %s vases %s are named in no split and go into train", f"{len(vases):,}", f"{unnamed:,}")
    rows = [_row(vase, dataset, drawn.get(vase.name) or vase.split or "train") for vase in vases]
    if turntable is not None:
        rows = _filmed(rows, dataset, turntable)
    else:
        store = ClipStore(dataset / "clips", num_cached=0)
        for row, vase in zip(rows, vases, strict=True):
            if not row["rejected_by"]:
                row["clip"] = store.add(clip_of_views(vase, resolution))
    for row in rows:
        if row["rejected_by"]:
            row["split"] = ""
    write_manifest(dataset, rows)
    off = [stage for stage in STAGES[1:] if stage != "turntable" or turntable is None]
    write_card(dataset, rows, CardSettings(title=source.resolve().name), Findings(off=off))
    left_out = sum(question["dimension"] == OTHER for vase in vases for question in vase.questions)
    if left_out:
        _logger.warning("%s questions ask for none of %s and were left out", f"{left_out:,}", ", ".join(TOPICS))
    return Imported(
        num_vases=dict(sorted(Counter(row["split"] for row in rows if row["split"]).items())),
        rejected={row["vase_id"]: row["reason"] for row in rows if row["rejected_by"]},
        num_questions_left_out=left_out,
        num_records_from_texts=sum(not states_something(vase.record) for vase in vases),
    )


def _refuse(problems: Sequence[SourceProblem]) -> None:
    """Raises: UserError naming the first few problems of each kind, if there are any."""
    kinds: dict[str, list[SourceProblem]] = {}
    for problem in problems:
        kinds.setdefault(problem.kind, []).append(problem)
    lines = []
    for found in kinds.values():
        lines += [f"{problem.where}: {problem.message}" for problem in found[:_SHOWN_PROBLEMS]]
        if len(found) > _SHOWN_PROBLEMS:
            lines.append(f"… and {len(found) - _SHOWN_PROBLEMS:,} more like it")
    if lines:
        raise UserError("\n".join(lines))


def problem_of(vase: PublishedVase) -> str:
    """Why the vase can't be used, naming the file and the way out, or ""."""
    for view in PUBLISHED_VIEWS:
        if view not in vase.views:
            return f"view {view!r} is missing; add it to the other views of {vase.name!r}"
        try:
            read_photograph(vase.views[view])
        except UnreadablePhotograph as error:
            return f"{vase.views[view]} {error}; replace it"
    if vase.model is not None:
        try:
            check_glb(vase.model)
        except UserError as error:
            return str(error)
    if not vase.caption:
        return "no caption; add one to captions.json"
    if not published_record(vase):
        return "neither metadata, nor questions, nor caption state one of the six dimensions; add a record"
    return ""


def published_record(vase: PublishedVase) -> Mapping[str, str]:
    """The museum's, or else what its questions answer, or else what its caption states."""
    if states_something(vase.record):
        return vase.record
    said = record_from_questions(vase.questions) or record_from_caption(vase.caption)
    return {**vase.record, **said} if said else {}


def clip_of_views(vase: PublishedVase, resolution: int) -> Clip:
    """uint8 [4, resolution, resolution, 3]: the views around the vase, whole, on white."""
    frames = [
        ImageOps.pad(read_photograph(vase.views[view]), (resolution, resolution), color=(255, 255, 255))
        for view in AROUND
    ]
    return Clip(
        frames=np.stack([np.asarray(frame, dtype=np.uint8) for frame in frames]),
        fps=STILLS_FPS,
        frame_indices=tuple(range(len(frames))),
        num_source_frames=len(frames),
    )


def _row(vase: PublishedVase, dataset: Path, split: str) -> dict[str, Any]:
    problem = problem_of(vase)
    photo = vase.views.get("front") or vase.model
    record = dict(published_record(vase))
    rights = {name: record.pop(name, "") for name in ("rights", "credit")}
    mesh = ""
    if not problem and vase.model is not None:
        mesh = model_path(vase.name)
        shutil.copyfile(vase.model, dataset / mesh)
    questions = [dict(question) for question in vase.questions if question["dimension"] != OTHER]
    return {
        "photo": str(photo.absolute()) if photo is not None else vase.name,
        "photo_sha256": hashlib.sha256(vase.views["front"].read_bytes()).hexdigest() if "front" in vase.views else "",
        "vase_id": vase.name,
        "view": "front",
        **rights,
        "record": record,
        "rejected_by": STAGE if problem else "",
        "reason": problem,
        "scores": {},
        "mesh": mesh,
        "clip": "",
        "caption": vase.caption,
        "reference": reference_caption(record) if states_something(record) else vase.caption,
        "questions": questions or [asdict(question) for question in questions_about(record)],
        "split": split,
    }


def _filmed(rows: Sequence[dict[str, Any]], dataset: Path, settings: TurntableSettings) -> list[dict[str, Any]]:
    from vaserl.curation.stages.turntable import Film  # a graphics context, which stills don't need

    for row in rows:
        if not row["rejected_by"] and not row["mesh"]:
            row |= {"rejected_by": STAGE, "reason": "no model to film; leave turntables out to use its views"}
    names = ("photo", "vase_id", "mesh", "rejected_by", "reason")
    filmed = rows_of(Film(settings, dataset)(batch_of(rows, names)))
    by_vase = {row["vase_id"]: row for row in filmed}
    return [row | {name: by_vase[row["vase_id"]][name] for name in ("clip", "rejected_by", "reason")} for row in rows]


def _drawn(vases: Sequence[PublishedVase], seed: int) -> dict[str, str]:
    return split_vases({vase.name: stratum_of(published_record(vase)) for vase in vases}, SplitSettings(), seed)
