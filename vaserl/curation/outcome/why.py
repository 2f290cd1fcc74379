"""Explains what each stage of curation did with a photograph or with the photographs of a vase, from the manifest."""

from collections.abc import Iterator, Sequence

from rapidfuzz import fuzz, process

from vaserl.curation.pipeline import PIPELINE, Pipeline
from vaserl.curation.settings import CurateSettings
from vaserl.curation.stage import KeptPhotograph, Stage
from vaserl.curation.stages.describe import INVENTS, KEYWORDS, LOSES
from vaserl.dataset import DataSet, Row
from vaserl.errors import UserError


def why(dataset: DataSet, name: str, pipeline: Pipeline = PIPELINE) -> str:
    """Returns a text that explains what each stage of curation did with every photograph that matches `name`. `name` is
    the id of a vase; the path, file name or content hash of a photograph; or the content hash of a turntable video. The
    first 8 digits of a hash are enough.

    Raises: UserError when nothing matches `name`. The message contains the most similar names.
    """
    rows = list(dataset.rows)
    chosen = [row for row in rows if row.vase_id == name] or [row for row in rows if _is_named(name, row)]
    if not chosen:
        raise UserError(f"{dataset.path}: no vase or photograph matches {name!r}{_nearest(rows, name)}")
    settings = dataset.settings(CurateSettings)
    lines = []
    for vase_id in sorted({row.vase_id for row in chosen}):
        views = [row for row in rows if row.vase_id == vase_id] if vase_id else chosen
        lines += [*([""] if lines else []), _summary(vase_id, views, pipeline)]
        for row in (row for row in chosen if row.vase_id == vase_id):
            told = story(row, views, settings, pipeline)
            lines += ["", _title(row), *(f"  {stage:10} {words}" for stage, words in told)]
    return "\n".join(lines)


def story(
    row: Row, views: Sequence[Row], settings: CurateSettings | None, pipeline: Pipeline = PIPELINE
) -> Iterator[tuple[str, str]]:
    """Yields (name of the stage, what the stage did with the photograph) for each stage up to the one that rejected the
    photograph, or for all stages if none did. Then yields pairs (title, text) about the result.

    row: the row of the photograph in the manifest.
    views: the rows of all photographs of the same vase.
    settings: the settings with which the data set was curated, or None if they are unknown.
    """
    for stage in pipeline.stages:
        if row.rejected_by == stage.name:
            yield stage.name, _rejected(stage, row, settings)
            return
        if settings is not None and not stage.is_needed(settings):
            continue
        is_off = settings is not None and not stage.is_enabled(settings)
        yield stage.name, "was switched off" if is_off else _passed(stage, row, views, settings, pipeline)
    if row.rejected_by:
        yield row.rejected_by, f"rejected it: {row.reason}"
        return
    shown = {measure.name for stage in pipeline.stages for measure in stage.measures}
    shown |= {INVENTS.name, LOSES.name, KEYWORDS.name}
    others = ", ".join(f"{name} {value:.3g}" for name, value in sorted(row.scores.items()) if name not in shown)
    if others:
        yield "scores", others
    if row.reference != row.caption:
        yield "reference", f"“{row.reference}”"
    yield "split", row.split


def _summary(vase_id: str, views: Sequence[Row], pipeline: Pipeline) -> str:
    through = [row for row in views if row.kept]
    if not vase_id:
        return "of no known vase:"
    photographs = f"{len(views)} photographs" if len(views) != 1 else "1 photograph"
    if through:
        return f"vase {vase_id}: {photographs}; {_name(through[0])} came through, into {through[0].split}"
    last = max(views, key=lambda row: _order(row.rejected_by, pipeline, unknown=-1))
    return f"vase {vase_id}: {photographs}, none came through; {_name(last)} came farthest, to {last.rejected_by}"


def _title(row: Row) -> str:
    rights = ", ".join(filter(None, (row.rights, row.credit)))
    return row.photo + (f"  [{rights}]" if rights else "") + (f"  labelled {row.kind}" if row.kind else "")


def _passed(stage: Stage, row: Row, views: Sequence[Row], settings: CurateSettings | None, pipeline: Pipeline) -> str:
    order = pipeline.names.index(stage.name)
    rivals = [
        other
        for other in views
        if other.photo != row.photo and _order(other.rejected_by, pipeline, unknown=len(pipeline.names)) >= order
    ]
    return stage.tell(KeptPhotograph(row=row, rivals=rivals, measured=_measured(stage, row, settings)))


def _rejected(stage: Stage, row: Row, settings: CurateSettings | None) -> str:
    """Returns a text with the reason for which the stage rejected the photograph. Scores that the stage computed are
    added unless the reason already contains them."""
    scores = [row.scores[measure.name] for measure in stage.measures if measure.name in row.scores]
    stated = any(f"{score:.3f}" in row.reason for score in scores)
    measured = f" ({_measured(stage, row, settings)})" if scores and not stated else ""
    return f"rejected it: {row.reason}{measured}"


def _measured(stage: Stage, row: Row, settings: CurateSettings | None) -> str:
    parts = []
    for measure in stage.measures:
        if measure.name in row.scores:
            value = stage.limit_of(measure, settings) if settings is not None else None
            limit = f" (at {'least' if measure.is_least else 'most'} {value:g})" if value is not None else ""
            parts.append(f"{measure.name} {row.scores[measure.name]:.3f}{limit}")
    return ", ".join(parts)


def _order(stage: str, pipeline: Pipeline, unknown: int) -> int:
    """Returns the index of the stage with this name in the pipeline, or `unknown` if the pipeline has no such stage."""
    return pipeline.names.index(stage) if stage in pipeline.names else unknown


def _name(row: Row) -> str:
    return f"view {row.view}" if row.view else _file(row)


def _file(row: Row) -> str:
    return row.photo.rsplit("/", 1)[-1]


def _is_named(name: str, row: Row) -> bool:
    if name in (row.photo, _file(row), _file(row).rpartition(".")[0]):
        return True
    return len(name) >= 8 and any(digest.startswith(name) for digest in (row.photo_sha256, row.clip))


def _nearest(rows: Sequence[Row], name: str) -> str:
    known = sorted(({row.vase_id for row in rows} | {_file(row) for row in rows}) - {""})
    near = [found for found, _, _ in process.extract(name, known, scorer=fuzz.ratio, limit=3, score_cutoff=50)]
    # `name` may be part of a long number
    near = near or [found for found in known if name.casefold() in found.casefold()][:3]
    return f"; nearest: {', '.join(near)}" if near else ""
