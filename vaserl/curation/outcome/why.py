"""What became of a vase or a photograph, in words, from the manifest that curation left."""

import math
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz, process

from vaserl.curation.outcome.retention import STAGES
from vaserl.curation.stages.describe import INVENTS, LOSES
from vaserl.dataset.dataset import read_rows
from vaserl.errors import UserError

CONFIG = "config.toml"
"""The settings that the data set was curated with, as `launch.curate` leaves them beside it."""

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
"""Where each measure's threshold stands in the settings."""

SWITCHED = ("quality", "intact", "mesh_gate")
"""Stages that settings can switch off."""

WRONG: Mapping[str, str] = {INVENTS: "invented", LOSES: "lost"}
"""What the check of a caption's facts counts, and the word for it."""

_Row = Mapping[str, Any]


def why(folder: Path, name: str) -> str:
    """The story of every photograph that `name` means: a vase's id, a photograph's path, file name or content hash, or
    a clip's hash; a hash may be cut to its first 8 digits.

    Raises: UserError when nothing there is called so, naming what is nearest.
    """
    rows = read_rows(folder)
    chosen = [row for row in rows if row["vase_id"] == name] or [row for row in rows if _means(name, row)]
    if not chosen:
        raise UserError(f"{folder} has no vase and no photograph {name!r}{_nearest(rows, name)}")
    settings = read_settings(folder)
    limits, off = limits_of(settings), [name for name in SWITCHED if not settings.get(name, {}).get("enabled", True)]
    lines = []
    for vase_id in sorted({row["vase_id"] for row in chosen}):
        views = [row for row in rows if row["vase_id"] == vase_id] if vase_id else chosen
        lines += [*([""] if lines else []), _summary(vase_id, views)]
        for row in (row for row in chosen if row["vase_id"] == vase_id):
            lines += ["", _title(row), *(f"  {stage:10} {words}" for stage, words in story(row, views, limits, off))]
    return "\n".join(lines)


def story(
    row: _Row, views: Sequence[_Row], limits: Mapping[str, Any], off: Collection[str] = ()
) -> Iterator[tuple[str, str]]:
    """(stage, what it did) for each stage that the photograph reached; `views` are all photographs of its vase, `off`
    the stages that did not run."""
    for stage in STAGES:
        if row["rejected_by"] == stage:
            yield stage, _rejected(stage, row, limits)
            return
        yield stage, "was switched off" if stage in off else _passed(stage, row, views, limits)
    if row["rejected_by"]:
        yield row["rejected_by"], f"rejected it: {row['reason']}"
        return
    told = {measure for measures in MEASURES.values() for measure in measures} | set(WRONG)
    others = ", ".join(f"{name} {value:.3g}" for name, value in sorted(row["scores"].items()) if name not in told)
    if others:
        yield "scores", others
    if row["reference"] != row["caption"]:
        yield "reference", f"“{row['reference']}”"
    yield "split", row["split"]


def read_settings(folder: Path) -> dict[str, Any]:
    """The settings beside the data set; empty if there are none."""
    path = folder / CONFIG
    if not path.is_file():
        return {}
    try:
        return tomllib.loads(path.read_text())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: {error}; remove it to do without thresholds") from error


def limits_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Thresholds by measure, as far as the settings state them."""
    values = {measure: settings.get(section, {}).get(key) for measure, (section, key, _) in LIMITS.items()}
    return {measure: value for measure, value in values.items() if value is not None}


def _summary(vase_id: str, views: Sequence[_Row]) -> str:
    through = [row for row in views if not row["rejected_by"]]
    if not vase_id:
        return "of no known vase:"
    photographs = f"{len(views)} photographs" if len(views) != 1 else "1 photograph"
    if through:
        return f"vase {vase_id}: {photographs}; {_name(through[0])} came through, into {through[0]['split']}"
    last = max(views, key=lambda row: STAGES.index(row["rejected_by"]) if row["rejected_by"] in STAGES else -1)
    return f"vase {vase_id}: {photographs}, none came through; {_name(last)} came farthest, to {last['rejected_by']}"


def _title(row: _Row) -> str:
    rights = ", ".join(row[name] for name in ("rights", "credit") if row[name])
    return (
        f"{row['photo']}" + (f"  [{rights}]" if rights else "") + (f"  labelled {row['kind']}" if row["kind"] else "")
    )


def _passed(stage: str, row: _Row, views: Sequence[_Row], limits: Mapping[str, Any]) -> str:
    if stage == "source":
        return f"read it: sha256 {row['photo_sha256'][:12]}…, a record of {len(row['record'])} fields"
    if stage == "best_view":
        return _preferred(row, views, limits)
    if stage == "lift":
        return f"made {row['mesh']}" if row["mesh"] else "made its model"
    if stage == "turntable":
        return f"filmed it: clips/{row['clip']}.mp4" if row["clip"] else "filmed it"
    if stage == "describe":
        return _worded(row)
    if stage == "questions":
        return f"asked for {', '.join(q['dimension'] for q in row['questions']) or 'nothing'}"
    measured = _measured(stage, row, limits)
    return f"passed: {measured}" if measured else "measured nothing"


def _rejected(stage: str, row: _Row, limits: Mapping[str, Any]) -> str:
    """The reason, and what was measured unless the reason says it already."""
    scores = [row["scores"][measure] for measure in MEASURES.get(stage, ()) if measure in row["scores"]]
    said = any(f"{score:.3f}" in row["reason"] for score in scores)
    return f"rejected it: {row['reason']}" + (f" ({_measured(stage, row, limits)})" if scores and not said else "")


def _worded(row: _Row) -> str:
    """The caption, and what the check of facts found wrong with its first wording."""
    found = {word: row["scores"].get(name, 0.0) for name, word in WRONG.items()}
    wrong = ", ".join(f"{number:.0f} {word}" for word, number in found.items() if number > 0)
    return f"“{row['caption']}”" + (f"; dimensions of the first wording: {wrong}" if wrong else "")


def _preferred(row: _Row, views: Sequence[_Row], limits: Mapping[str, Any]) -> str:
    order = STAGES.index("best_view")
    rivals = [
        other
        for other in views
        if other["photo"] != row["photo"]
        and (other["rejected_by"] not in STAGES or STAGES.index(other["rejected_by"]) >= order)
    ]
    own = _measured("best_view", row, limits)
    if not rivals:
        return "kept it: the only view left" + (f" ({own})" if own else "")
    against = ", ".join(
        f"{_name(other)} {_front(other):.3f}" if not math.isnan(_front(other)) else _name(other) for other in rivals
    )
    if math.isnan(_front(row)):
        return f"preferred it to {against}: nobody has scored them, so the first view counts"
    return f"preferred it: {own} against {against}"


def _front(row: _Row) -> float:
    return float(row["scores"].get("front", math.nan))


def _measured(stage: str, row: _Row, limits: Mapping[str, Any]) -> str:
    parts = []
    for measure in MEASURES.get(stage, ()):
        if measure in row["scores"]:
            limit = f" ({LIMITS[measure][2]} {limits[measure]:g})" if measure in limits else ""
            parts.append(f"{measure} {row['scores'][measure]:.3f}{limit}")
    return ", ".join(parts)


def _name(row: _Row) -> str:
    return f"view {row['view']}" if row["view"] else row["photo"].rsplit("/", 1)[-1]


def _means(name: str, row: _Row) -> bool:
    file = row["photo"].rsplit("/", 1)[-1]
    if name in (row["photo"], file, file.rpartition(".")[0]):
        return True
    return len(name) >= 8 and any(digest.startswith(name) for digest in (row["photo_sha256"], row["clip"]))


def _nearest(rows: Sequence[_Row], name: str) -> str:
    names = {row["vase_id"] for row in rows} | {row["photo"].rsplit("/", 1)[-1] for row in rows}
    known = sorted(names - {""})
    near = [found for found, _, _ in process.extract(name, known, scorer=fuzz.ratio, limit=3, score_cutoff=50)]
    near = near or [found for found in known if name.casefold() in found.casefold()][:3]  # a part of a long number
    return f"; nearest: {', '.join(near)}" if near else ""
