"""What became of a vase or a photograph, told from the manifest that curation left."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence

from rapidfuzz import fuzz, process

from vaserl.curation.outcome.retention import STAGES
from vaserl.curation.settings import CurateSettings
from vaserl.curation.stages.describe import INVENTS, LOSES
from vaserl.dataset import DataSet, Row, clip_name
from vaserl.errors import UserError

MEASURES: Mapping[str, tuple[str, ...]] = {
    "quality": ("quality",),
    "intact": ("intact",),
    "best_view": ("front",),
    "lift": (),
    "mesh_gate": ("silhouette_iou", "symmetry", "open_edges"),
}
"""What each stage measures, by its name in the manifest's scores."""

LIMITS: Mapping[str, tuple[str, str, str]] = {
    "quality": ("quality", "threshold", "at least"),
    "intact": ("intact", "threshold", "at least"),
    "front": ("best_view", "threshold", "at least"),
    "silhouette_iou": ("mesh_gate", "min_iou", "at least"),
    "symmetry": ("mesh_gate", "min_symmetry", "at least"),
    "open_edges": ("mesh_gate", "max_open_edges", "at most"),
}
"""The section and key of each measure's threshold in the settings, and its direction."""

SWITCHED = ("quality", "intact", "mesh_gate")
"""Stages that settings can switch off."""

WRONG: Mapping[str, str] = {INVENTS: "invented", LOSES: "lost"}
"""What the check of a caption's facts counts, and the word for it."""


def why(dataset: DataSet, name: str) -> str:
    """Returns the story of every photograph that `name` denotes: a vase's id, a photograph's path, file name or content
    hash, or a clip's hash. A hash may be cut to its first 8 digits.

    Raises: UserError with the nearest names when `name` denotes nothing.
    """
    rows = list(dataset.rows)
    chosen = [row for row in rows if row.vase_id == name] or [row for row in rows if _is_named(name, row)]
    if not chosen:
        raise UserError(f"{dataset.path} has no vase and no photograph {name!r}{_nearest(rows, name)}")
    settings = dataset.settings(CurateSettings)
    limits = limits_of(settings) if settings else {}
    off = stages_off(settings) if settings else []
    lines = []
    for vase_id in sorted({row.vase_id for row in chosen}):
        views = [row for row in rows if row.vase_id == vase_id] if vase_id else chosen
        lines += [*([""] if lines else []), _summary(vase_id, views)]
        for row in (row for row in chosen if row.vase_id == vase_id):
            lines += ["", _title(row), *(f"  {stage:10} {words}" for stage, words in story(row, views, limits, off))]
    return "\n".join(lines)


def story(
    row: Row, views: Sequence[Row], limits: Mapping[str, float], off: Collection[str] = ()
) -> Iterator[tuple[str, str]]:
    """Yields (stage, what it did) for each stage that the photograph reached.

    views: all photographs of its vase.
    off: stages that did not run.
    """
    for stage in STAGES:
        if row.rejected_by == stage:
            yield stage, _rejected(stage, row, limits)
            return
        yield stage, "was switched off" if stage in off else _passed(stage, row, views, limits)
    if row.rejected_by:
        yield row.rejected_by, f"rejected it: {row.reason}"
        return
    shown = {measure for measures in MEASURES.values() for measure in measures} | set(WRONG)
    others = ", ".join(f"{name} {value:.3g}" for name, value in sorted(row.scores.items()) if name not in shown)
    if others:
        yield "scores", others
    if row.reference != row.caption:
        yield "reference", f"“{row.reference}”"
    yield "split", row.split


def limits_of(settings: CurateSettings) -> dict[str, float]:
    """Returns the threshold of each measure that has one."""
    values = {measure: getattr(getattr(settings, section), key) for measure, (section, key, _) in LIMITS.items()}
    return {measure: value for measure, value in values.items() if value is not None}


def stages_off(settings: CurateSettings) -> list[str]:
    """Returns the stages that the settings switch off."""
    return [stage for stage in SWITCHED if not getattr(settings, stage).enabled]


def _summary(vase_id: str, views: Sequence[Row]) -> str:
    through = [row for row in views if row.kept]
    if not vase_id:
        return "of no known vase:"
    photographs = f"{len(views)} photographs" if len(views) != 1 else "1 photograph"
    if through:
        return f"vase {vase_id}: {photographs}; {_name(through[0])} came through, into {through[0].split}"
    last = max(views, key=lambda row: STAGES.index(row.rejected_by) if row.rejected_by in STAGES else -1)
    return f"vase {vase_id}: {photographs}, none came through; {_name(last)} came farthest, to {last.rejected_by}"


def _title(row: Row) -> str:
    rights = ", ".join(filter(None, (row.rights, row.credit)))
    return row.photo + (f"  [{rights}]" if rights else "") + (f"  labelled {row.kind}" if row.kind else "")


def _passed(stage: str, row: Row, views: Sequence[Row], limits: Mapping[str, float]) -> str:
    if stage == "source":
        return f"read it: sha256 {row.photo_sha256[:12]}…, a record of {len(row.record)} fields"
    if stage == "best_view":
        return _preferred(row, views, limits)
    if stage == "lift":
        return f"made {row.mesh}" if row.mesh else "made its model"
    if stage == "turntable":
        return f"filmed it: {clip_name(row.clip)}" if row.clip else "filmed it"
    if stage == "describe":
        return _worded(row)
    if stage == "questions":
        return f"asked for {', '.join(question.dimension for question in row.questions) or 'nothing'}"
    measured = _measured(stage, row, limits)
    return f"passed: {measured}" if measured else "measured nothing"


def _rejected(stage: str, row: Row, limits: Mapping[str, float]) -> str:
    """The reason, and what was measured unless the reason states it already."""
    scores = [row.scores[measure] for measure in MEASURES.get(stage, ()) if measure in row.scores]
    stated = any(f"{score:.3f}" in row.reason for score in scores)
    return f"rejected it: {row.reason}" + (f" ({_measured(stage, row, limits)})" if scores and not stated else "")


def _worded(row: Row) -> str:
    """The caption, and what the check of facts found wrong with its first wording."""
    found = {word: row.scores.get(name, 0.0) for name, word in WRONG.items()}
    wrong = ", ".join(f"{number:.0f} {word}" for word, number in found.items() if number > 0)
    return f"“{row.caption}”" + (f"; dimensions of the first wording: {wrong}" if wrong else "")


def _preferred(row: Row, views: Sequence[Row], limits: Mapping[str, float]) -> str:
    order = STAGES.index("best_view")
    rivals = [
        other
        for other in views
        if other.photo != row.photo and (other.rejected_by not in STAGES or STAGES.index(other.rejected_by) >= order)
    ]
    own = _measured("best_view", row, limits)
    if not rivals:
        return "kept it: the only view left" + (f" ({own})" if own else "")
    against = ", ".join(
        f"{_name(other)} {_front(other):.3f}" if not math.isnan(_front(other)) else _name(other) for other in rivals
    )
    if math.isnan(_front(row)):
        return f"preferred it to {against}: none of them has a score, so the first view counts"
    return f"preferred it: {own} against {against}"


def _front(row: Row) -> float:
    return float(row.scores.get("front", math.nan))


def _measured(stage: str, row: Row, limits: Mapping[str, float]) -> str:
    parts = []
    for measure in MEASURES.get(stage, ()):
        if measure in row.scores:
            limit = f" ({LIMITS[measure][2]} {limits[measure]:g})" if measure in limits else ""
            parts.append(f"{measure} {row.scores[measure]:.3f}{limit}")
    return ", ".join(parts)


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
    near = near or [found for found in known if name.casefold() in found.casefold()][:3]  # a part of a long number
    return f"; nearest: {', '.join(near)}" if near else ""
