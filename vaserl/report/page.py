"""The report page: everything a finished run has to show, in one file that needs no network and no script."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from vaserl.errors import UserError
from vaserl.files import write_atomic
from vaserl.report import figures, pictures, story, tables, timeline
from vaserl.report.examples import CaptionExample, choose
from vaserl.report.words import count, duration, number, signed
from vaserl.runs.folder import RunFolder, read_run
from vaserl.types import DIMENSIONS

NUM_TURNTABLES = 6
NUM_REJECTED_EACH = 4
TURNTABLE_SIDE = 144
PHOTOGRAPH_SIDE = 200
THUMBNAIL_SIDE = 96
DEFAULT_TAU = 0.7
NUM_GANTT_STEPS = 3

EXAMPLE_TITLES = {
    "best": "Where RL gained most",
    "typical": "Typical vases",
    "worst": "Where RL gained least or lost",
}


def write_report(run_dir: Path) -> Path:
    """Reads a finished run folder and writes `report.html` into it.

    A part that the run lacks is named on the page in its place. UserError if there is no summary.json, or if a file
    can't be read.
    """
    run = read_run(run_dir)
    path = run.path / "report.html"
    write_atomic(path, render(run).encode())
    return path


def render(run: RunFolder) -> str:
    """The page's HTML. Whatever a model or a museum wrote is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, signed=signed, grouped=count, duration=duration)
    summary = run.summary
    evaluation = summary.get("eval") or {}
    chosen = choose(run.captions, evaluation.get("tau", DEFAULT_TAU)) if run.captions else {}
    return environment.get_template("page.html.j2").render(
        name=run.path.resolve().name,
        summary=summary,
        absent=run.absent,
        dimensions=DIMENSIONS,
        headline=story.headline(summary),
        verdict=story.verdict(summary),
        claims=story.claims(summary),
        stories=[story.dimension_story(d, evaluation) for d in DIMENSIONS] if _has_dimensions(evaluation) else [],
        accuracy_figure=figures.accuracy_dots(evaluation) if _has_dimensions(evaluation) else None,
        metric_rows=tables.evaluation(evaluation),
        num_vases=evaluation.get("num_vases"),
        examples=[(EXAMPLE_TITLES[kind], examples) for kind, examples in chosen.items() if examples],
        clips=_clips(run, [example for examples in chosen.values() for example in examples]),
        training=_training(run),
        retention=tables.retention_rows(summary.get("retention") or []),
        turntables=_turntables(run),
        rejected=_rejected(run),
        seconds=tables.seconds(summary.get("seconds") or {}, summary.get("seconds_total")),
    )


def _has_dimensions(evaluation: Mapping[str, Any]) -> bool:
    return all("dimensions" in (evaluation.get(part) or {}) for part in ("sft", "rl", "difference"))


def _training(run: RunFolder) -> dict[str, Any]:
    """Figures of SFT, GRPO and the timeline; None or empty where the run has no such metric."""
    rewarded = any(row.get("reward/mean") is not None for row in run.grpo)
    return {
        "reward": figures.reward_curve(run.grpo, run.summary) if rewarded else None,
        "dimensions": figures.dimension_curves(run.grpo, run.summary),
        "has_constant": bool(run.summary.get("constant_answer")),
        "health": figures.health_curves(run.grpo),
        "health_titles": {name: title for name, (title, _) in figures.HEALTH.items()},
        "health_absent": [t for n, (t, _) in figures.HEALTH.items() if all(row.get(n) is None for row in run.grpo)],
        "sft": figures.supervised_loss(run.sft) if any(row.get("loss") is not None for row in run.sft) else None,
        "gantt": timeline.step_gantt(timeline.middle_steps(run.timeline, NUM_GANTT_STEPS)) if run.timeline else None,
        "phases": timeline.seconds_per_step(run.timeline) if run.timeline else None,
    }


def _clips(run: RunFolder, examples: Sequence[CaptionExample]) -> dict[str, pictures.TurntableFrames]:
    paths = {example.clip: run.clip(example.clip) for example in examples}
    return {digest: pictures.turntable(path, THUMBNAIL_SIDE) for digest, path in paths.items() if path is not None}


def _turntables(run: RunFolder) -> list[dict[str, Any]]:
    """Held-out vases first, spread evenly over the list; each with its photograph."""
    rows = [row for row in run.photographs if not row["rejected_by"] and run.clip(row["clip"])]
    rows.sort(key=lambda row: (row["split"] != "test", str(row["vase_id"])))
    held_out = [row for row in rows if row["split"] == "test"]
    pool = held_out if len(held_out) >= NUM_TURNTABLES else rows
    shown = []
    for row in _spread(pool, NUM_TURNTABLES):
        clip, photo = run.clip(row["clip"]), run.photograph(row["photo"])
        if clip is None:
            raise UserError(f"clip {row['clip']} went away while the report was written")
        shown.append(
            {
                "id": row["vase_id"],
                "photograph": pictures.photograph_uri(photo, PHOTOGRAPH_SIDE) if photo else None,
                "photograph_name": Path(row["photo"]).name,
                "turntable": pictures.turntable(clip, TURNTABLE_SIDE),
                "reference": row["reference"],
            }
        )
    return shown


def _rejected(run: RunFolder) -> list[dict[str, Any]]:
    """For each stage that rejected something: how much, and a few of the photographs with the reason."""
    by_stage: dict[str, list[dict[str, Any]]] = {}
    for row in run.photographs:
        if row["rejected_by"]:
            by_stage.setdefault(row["rejected_by"], []).append(row)
    order = [str(stage["stage"]) for stage in run.summary.get("retention") or []]
    stages = sorted(by_stage, key=lambda stage: (order.index(stage) if stage in order else len(order), stage))
    shown = []
    for stage in stages:
        examples = []
        for row in _spread(by_stage[stage], NUM_REJECTED_EACH):
            path = run.photograph(row["photo"])
            picture = pictures.photograph_uri(path, THUMBNAIL_SIDE) if path else None
            examples.append({"picture": picture, "name": Path(row["photo"]).name, "reason": row["reason"]})
        shown.append({"stage": stage.replace("_", " "), "num": len(by_stage[stage]), "examples": examples})
    return shown


def _spread(rows: Sequence[dict[str, Any]], num: int) -> list[dict[str, Any]]:
    """Up to `num` rows, evenly spaced."""
    num = min(num, len(rows))
    return [rows[k * len(rows) // num] for k in range(num)]
