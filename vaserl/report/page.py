"""The report page: the results of a quick start in one HTML file that has no scripts and loads no other file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from vaserl.dataset import Row
from vaserl.errors import UserError
from vaserl.files import write_atomic
from vaserl.report import figures, pictures, story, tables, timeline
from vaserl.report.contents import ReportContents, read_contents
from vaserl.report.examples import CaptionExample, choose
from vaserl.report.overview import vase_overview
from vaserl.report.words import count, dig, duration, number, signed
from vaserl.runs.quickstart_folder import QuickstartFolder
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


def write_report(folder: QuickstartFolder) -> Path:
    """Writes the report of a quick start into the quick start's folder. Returns: the report's path.

    If the folder lacks a file, the report states which file is missing.

    Raises: UserError if summary.json is missing, or if a file can't be read.
    """
    write_atomic(folder.report_file, render(read_contents(folder)).encode())
    return folder.report_file


def render(contents: ReportContents) -> str:
    """Returns the report as HTML. Text from captions and museum records is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, signed=signed, grouped=count, duration=duration)
    summary = contents.summary
    evaluation = summary.get("eval") or {}
    chosen = choose(contents.captions, evaluation.get("tau", DEFAULT_TAU)) if contents.captions else {}
    return environment.get_template("page.html.j2").render(
        name=contents.folder.path.resolve().name,
        summary=summary,
        absent=contents.absent,
        dimensions=DIMENSIONS,
        headline=story.headline(summary),
        overview=_overview(contents, chosen.get("typical", [])),
        verdict=story.verdict(summary),
        claims=story.claims(summary),
        stories=[story.dimension_story(d, evaluation) for d in DIMENSIONS] if _has_dimensions(evaluation) else [],
        accuracy_figure=figures.accuracy_dots(evaluation) if _has_dimensions(evaluation) else None,
        metric_rows=tables.evaluation(evaluation),
        num_vases=evaluation.get("num_vases"),
        examples=[(EXAMPLE_TITLES[kind], examples) for kind, examples in chosen.items() if examples],
        clips=_clips(contents, [example for examples in chosen.values() for example in examples]),
        training=_training(contents),
        retention=tables.retention_rows(summary.get("retention") or []),
        turntables=_turntables(contents),
        rejected=_rejected(contents),
        seconds=tables.seconds(summary.get("seconds") or {}, summary.get("seconds_total")),
    )


def _overview(contents: ReportContents, typical: Sequence[CaptionExample]) -> str | None:
    """Returns the overview picture of the first vase in `typical` that has one, as a data URI."""
    pictured = (vase_overview(contents, example.id) for example in typical)
    png = next((png for png in pictured if png is not None), None)
    return None if png is None else pictures.data_uri("image/png", png)


def _has_dimensions(evaluation: Mapping[str, Any]) -> bool:
    return all("dimensions" in (dig(evaluation, *part) or {}) for part in tables.COMPARED_KEYS)


def _training(contents: ReportContents) -> dict[str, Any]:
    """Returns the template's values for the training section: figures of SFT, of GRPO and of the timeline.

    A figure is None, and a group of figures is empty, if the run did not record the metric.
    """
    rewarded = any(row.get("reward/mean") is not None for row in contents.grpo)
    return {
        "reward": figures.reward_curve(contents.grpo, contents.summary) if rewarded else None,
        "validation": figures.validation_curve(contents.validations, contents.validation_metric, contents.grpo)
        if contents.validations
        else None,
        "validated": story.validated(contents.validations, contents.validation_metric),
        "dimensions": figures.dimension_curves(contents.grpo, contents.summary),
        "has_constant": bool(contents.summary.get("constant_answer")),
        "health": figures.health_curves(contents.grpo),
        "health_titles": {name: title for name, (title, _) in figures.HEALTH.items()},
        "health_absent": [
            t for n, (t, _) in figures.HEALTH.items() if all(row.get(n) is None for row in contents.grpo)
        ],
        "sft": figures.supervised_loss(contents.sft)
        if any(row.get("loss") is not None for row in contents.sft)
        else None,
        "gantt": timeline.step_gantt(timeline.middle_steps(contents.timeline, NUM_GANTT_STEPS))
        if contents.timeline
        else None,
        "phases": timeline.seconds_per_step(contents.timeline) if contents.timeline else None,
    }


def _clips(contents: ReportContents, examples: Sequence[CaptionExample]) -> dict[str, pictures.TurntableFrames]:
    paths = {example.clip: contents.clip(example.clip) for example in examples}
    return {digest: pictures.turntable(path, THUMBNAIL_SIDE) for digest, path in paths.items() if path is not None}


def _turntables(contents: ReportContents) -> list[dict[str, Any]]:
    """Returns `NUM_TURNTABLES` vases or fewer, each with its photograph, turntable and reference caption.

    If there are enough held-out vases, only these are used. The vases are evenly spaced in the order of their ids.
    """
    rows = [row for row in contents.photographs if row.kept and contents.clip(row.clip)]
    rows.sort(key=lambda row: (row.split != "test", row.vase_id))
    held_out = [row for row in rows if row.split == "test"]
    pool = held_out if len(held_out) >= NUM_TURNTABLES else rows
    shown = []
    for row in _spread(pool, NUM_TURNTABLES):
        clip, photo = contents.clip(row.clip), contents.photograph(row.photo)
        if clip is None:
            raise UserError(f"clip {row.clip} disappeared while the report was written; write the report again")
        shown.append(
            {
                "id": row.vase_id,
                "photograph": pictures.photograph_uri(photo, PHOTOGRAPH_SIDE) if photo else None,
                "photograph_name": Path(row.photo).name,
                "turntable": pictures.turntable(clip, TURNTABLE_SIDE),
                "reference": row.reference,
            }
        )
    return shown


def _rejected(contents: ReportContents) -> list[dict[str, Any]]:
    """Returns, for each stage that rejected photographs, the number of rejected photographs and a few examples.

    Each example is a rejected photograph with the reason for the rejection.
    """
    by_stage: dict[str, list[Row]] = {}
    for row in contents.photographs:
        if row.rejected_by:
            by_stage.setdefault(row.rejected_by, []).append(row)
    order = [str(stage["stage"]) for stage in contents.summary.get("retention") or []]
    stages = sorted(by_stage, key=lambda stage: (order.index(stage) if stage in order else len(order), stage))
    shown = []
    for stage in stages:
        examples = []
        for row in _spread(by_stage[stage], NUM_REJECTED_EACH):
            path = contents.photograph(row.photo)
            picture = pictures.photograph_uri(path, THUMBNAIL_SIDE) if path else None
            examples.append({"picture": picture, "name": Path(row.photo).name, "reason": row.reason})
        shown.append({"stage": stage.replace("_", " "), "num": len(by_stage[stage]), "examples": examples})
    return shown


def _spread(rows: Sequence[Row], num: int) -> list[Row]:
    """Returns at most `num` of the rows, evenly spaced in `rows`."""
    num = min(num, len(rows))
    return [rows[k * len(rows) // num] for k in range(num)]
