"""Converts a published data set into a curated one, so that models can be trained and evaluated on it."""

import hashlib
import logging
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import ImageOps

from vaserl.curation.outcome.split import split_vases, stratum_of, with_split
from vaserl.curation.pipeline import PIPELINE
from vaserl.curation.published.annotations import TOPICS
from vaserl.curation.published.layout import PUBLISHED_VIEWS, PublishedVase, read_layout
from vaserl.curation.published.words import record_from_caption, record_from_questions
from vaserl.curation.settings import CardSettings, SplitSettings, TurntableSettings
from vaserl.curation.source.records import states_something
from vaserl.curation.stage import Kept, Photograph
from vaserl.curation.stages.lift import MESH
from vaserl.curation.stages.questions import questions_about
from vaserl.curation.stages.source import SOURCE
from vaserl.curation.stages.turntable import CLIP, TURNTABLE
from vaserl.dataset import OTHER, DataSet, Question, Row, mesh_name
from vaserl.errors import Problem, UserError, first_of_each_kind
from vaserl.files.clip import Clip
from vaserl.files.glb import check_glb
from vaserl.files.photograph import UnreadablePhotograph, read_photograph
from vaserl.rewards.vase import reference_caption

AROUND = ("front", "left", "back", "right")
"""Names of the four side views of a vase, in the order in which a turntable video shows these sides."""
STILLS_FPS = 2.0

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """The result of an import: the number of imported vases, the rejected vases and the omitted questions."""

    num_vases: Mapping[str, int]
    """Number of imported vases, by split (train, val, test)."""
    rejected: Mapping[str, str]
    """Reasons why vases were rejected, by the vase's name."""
    num_questions_left_out: int
    """Number of questions left out because of what they ask about. Questions are imported if they ask about the fabric,
    technique, shape, dating, decoration, attribution or provenance."""
    num_records_from_texts: int
    """Number of vases without usable metadata; their records are derived from the answers to their questions or from
    their caption."""


def import_published(
    source: Path,
    dataset: DataSet,
    *,
    turntable: TurntableSettings | None = None,
    resolution: int = 224,
    num_val: int = 0,
    seed: int = 0,
) -> Imported:
    """Converts the published data set in the folder `source` into a curated data set and writes it into `dataset`:
    manifest, 3D models, turntable videos and card. The module `layout` documents the accepted layouts of `source`.

    If `turntable` is given, the video of a vase is rendered from its 3D model with these settings. If it is None, the
    video consists of the four published side views, resolution x resolution pixels each. A vase with missing or damaged
    files becomes a rejected row of the manifest. Published splits are used, and vases without a split become training
    vases. If no vase has a split, all splits are drawn at random with `seed`. `num_val` of the training vases become
    validation vases, drawn with `seed` in proportion to fabrics, techniques and shapes.

    Raises: UserError when annotations can't be used. The message contains file, entry and field of the first few
    problems of each kind. Also when `num_val` is set although vases have the published split "val", or leaves no
    training vase.
    """
    # imported here because it loads matplotlib and torch, which checking a folder does not need
    from vaserl.curation.outcome.card import Findings, write_card

    problems: list[Problem] = []
    vases = read_layout(source, problems.append)
    if problems:
        raise UserError(first_of_each_kind(problems))
    dataset.models.mkdir(parents=True, exist_ok=True)
    at_random = {} if any(vase.split for vase in vases) else _drawn(vases, seed)
    unnamed = sum(not vase.split for vase in vases) - len(at_random)
    if unnamed:
        _logger.warning("of %s vases, %s have no split and go into train", f"{len(vases):,}", f"{unnamed:,}")
    rows = [_row(vase, dataset, at_random.get(vase.name) or vase.split or "train") for vase in vases]
    rows = with_split(rows, "val", num_val, seed)
    if turntable is not None:
        rows = _rendered(rows, dataset, turntable)
    else:
        rows = [
            replace(row, clip=dataset.clips.add(clip_of_views(vase, resolution))) if row.kept else row
            for row, vase in zip(rows, vases, strict=True)
        ]
    rows = [row if row.kept else replace(row, split="") for row in rows]
    dataset.write_rows(rows)
    ran = {SOURCE.name, *([TURNTABLE.name] if turntable is not None else [])}
    off = [stage for stage in PIPELINE.names if stage not in ran]
    write_card(dataset, rows, CardSettings(title=source.resolve().name), Findings(off=off))
    left_out = sum(question["dimension"] == OTHER for vase in vases for question in vase.questions)
    if left_out:
        _logger.warning("%s questions ask for none of %s and were left out", f"{left_out:,}", ", ".join(TOPICS))
    return Imported(
        num_vases=dict(sorted(Counter(row.split for row in rows if row.split).items())),
        rejected={row.vase_id: row.reason for row in rows if not row.kept},
        num_questions_left_out=left_out,
        num_records_from_texts=sum(not states_something(vase.record) for vase in vases),
    )


def problem_of(vase: PublishedVase) -> str:
    """Returns why the vase can't be imported, with the file and the remedy, or "" if it can be imported."""
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
    """Returns the vase's record from the first of these sources that gives a value for at least one dimension (fabric,
    technique, shape, dating, decoration, attribution): the museum's record, the answers to the questions, the caption.
    If none of them does, returns an empty record."""
    if states_something(vase.record):
        return vase.record
    stated = record_from_questions(vase.questions) or record_from_caption(vase.caption)
    return {**vase.record, **stated} if stated else {}


def clip_of_views(vase: PublishedVase, resolution: int) -> Clip:
    """Returns a video with the vase's four side views as its frames. Views that are not square are padded with white.
    Frames: uint8 [4, resolution, resolution, 3], RGB."""
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


def _row(vase: PublishedVase, dataset: DataSet, split: str) -> Row:
    problem = problem_of(vase)
    photo = vase.views.get("front") or vase.model
    record = dict(published_record(vase))
    rights, credit = record.pop("rights", ""), record.pop("credit", "")
    mesh = ""
    if not problem and vase.model is not None:
        mesh = mesh_name(vase.name)
        shutil.copyfile(vase.model, dataset.path / mesh)
    questions = [Question.from_json(question) for question in vase.questions if question["dimension"] != OTHER]
    return Row(
        photo=str(photo.absolute()) if photo is not None else vase.name,
        photo_sha256=hashlib.sha256(vase.views["front"].read_bytes()).hexdigest() if "front" in vase.views else "",
        vase_id=vase.name,
        view="front",
        rights=rights,
        credit=credit,
        record=record,
        rejected_by=SOURCE.name if problem else "",
        reason=problem,
        mesh=mesh,
        caption=vase.caption,
        reference=reference_caption(record) if states_something(record) else vase.caption,
        questions=tuple(questions or questions_about(record)),
        split=split,
    )


def _rendered(rows: Sequence[Row], dataset: DataSet, settings: TurntableSettings) -> list[Row]:
    from vaserl.curation.bodies.turntable import Turntable  # it opens a graphics context, which views don't need

    body = Turntable(settings, dataset.path)
    reason = "no 3D model to render; import without turntables to use the views"
    done = []
    for row in rows:
        if row.kept and not row.mesh:
            row = replace(row, rejected_by=SOURCE.name, reason=reason)
        elif row.kept:
            verdict = body.judge(Photograph(photo=row.photo, columns={MESH.name: row.mesh}))
            if isinstance(verdict, Kept):
                row = replace(row, clip=str(verdict.columns[CLIP.name]))
            else:
                row = replace(row, rejected_by=TURNTABLE.name, reason=verdict.reason)
        done.append(row)
    return done


def _drawn(vases: Sequence[PublishedVase], seed: int) -> dict[str, str]:
    return split_vases({vase.name: stratum_of(published_record(vase)) for vase in vases}, SplitSettings(), seed)
