"""Formats the report's tables as rows of text: photographs kept, evaluation results, durations of the stages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vaserl.report.paper import PAPER_RETENTION
from vaserl.report.words import count, difference, dig, direction, duration, number, percent, points, with_interval
from vaserl.types import DIMENSIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionRow:
    """Number of photographs before and after a stage of curation, in this run and in the VaseVQA-3D paper."""

    stage: str
    num_in: str
    num_out: str
    kept: str
    """Share of photographs kept: num_out / num_in, or a dash if num_in is 0."""
    paper: str
    """Number of photographs before and after the paper's stage, or the reason why the paper has no such numbers."""
    paper_kept: str
    """Share of photographs that the paper's stage kept; empty if the paper has no such stage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """Values of one metric for both models, SFT and RL, and their difference."""

    name: str
    sft: str
    rl: str
    difference: str
    """RL's value minus SFT's value; empty if the evaluation has no difference for the metric."""
    decided: int
    """1 if the confidence interval of the difference lies above zero, -1 if below, 0 if it contains zero."""


def retention_rows(stages: Sequence[Mapping[str, Any]]) -> list[RetentionRow]:
    """Returns a row for each stage of curation: photographs kept in this run, and those that VaseVQA-3D reports.

    The last row is for all stages together.
    """
    rows, last = [], ""
    for stage in stages:
        name = str(stage["stage"])
        text, share = "not a stage of the paper", ""
        if name in PAPER_RETENTION:
            text, share = _flow(*PAPER_RETENTION[name])
            last = name
        elif last == "lift":  # the paper's last stage goes from photograph to finished turntable
            text = "counted with lift"
        rows.append(_row(name.replace("_", " "), stage["in"], stage["out"], text, share))
    if rows:
        text, share = _flow(PAPER_RETENTION["quality"][0], PAPER_RETENTION["lift"][1])
        rows.append(_row("all together", stages[0]["in"], stages[-1]["out"], text, share))
    return rows


def _row(stage: str, num_in: int, num_out: int, paper: str, paper_kept: str) -> RetentionRow:
    kept = f"{100 * num_out / num_in:.1f} %" if num_in else "–"
    return RetentionRow(
        stage=stage, num_in=count(num_in), num_out=count(num_out), kept=kept, paper=paper, paper_kept=paper_kept
    )


def _flow(num_in: int, num_out: int) -> tuple[str, str]:
    return f"{count(num_in)} → {count(num_out)}", f"{100 * num_out / num_in:.1f} %"


COMPARED_KEYS = (("systems", "sft"), ("systems", "rl"), ("differences", "rl"))
"""Keys in evaluation.json of the two models of a quick start and of their difference."""

METRIC_TITLES = {
    "reward": "reward",
    "failed": "failures",
    "lexical_paper": "lexical similarity, as published",
    "lexical_strict": "lexical similarity, punctuation aside",
    "recall_at_1_paper": "recall@1, as published",
    "recall_at_5_paper": "recall@5, as published",
    "recall_at_10_paper": "recall@10, as published",
    "recall_at_1_strict": "recall@1, equal captions are one",
    "recall_at_5_strict": "recall@5, equal captions are one",
    "recall_at_10_strict": "recall@10, equal captions are one",
    "text_cosine": "text-to-text cosine (“CLIP score”)",
    "text_fid": "text FID, lower is better",
    "text_kernel_distance": "kernel distance, lower is better",
    "overall_paper": "overall, as published",
    "num_words": "words in a caption",
    "unread": "captions in a language that is not read",
}
"""Title of each metric, in the order of the table's rows."""


def evaluation(result: Mapping[str, Any]) -> list[MetricRow]:
    """Returns the rows of the evaluation table: reward, accuracy of each dimension, then the other `METRIC_TITLES`.

    Metrics that the evaluation lacks are left out. result: content of evaluation.json.
    """
    rows = {}
    for name, title in METRIC_TITLES.items():
        sft, rl, change = (dig(result, *part, name) for part in COMPARED_KEYS)
        if sft is not None and rl is not None:
            rows[name] = _metric(title, sft, rl, change, digits=1 if name == "num_words" else 3)
    reward = [rows.pop("reward")] if "reward" in rows else []
    dimensions = []
    for dimension in DIMENSIONS:
        sft, rl = (dig(result, *part, "dimensions", dimension) for part in COMPARED_KEYS[:2])
        change = dig(result, *COMPARED_KEYS[2], "dimensions", dimension, "accuracy")
        if sft and rl and change is not None:
            dimensions.append(
                MetricRow(
                    name=f"{dimension} right, of {sft['num_targets']}",
                    sft=_share(sft["accuracy"]),
                    rl=_share(rl["accuracy"]),
                    difference=points(change),
                    decided=direction(change),
                )
            )
    return [*reward, *dimensions, *rows.values()]


def _metric(name: str, sft: Any, rl: Any, change: Mapping[str, float] | None, digits: int) -> MetricRow:
    shown = [number(value) if isinstance(value, int | float) else with_interval(value, digits) for value in (sft, rl)]
    return MetricRow(
        name=name,
        sft=shown[0],
        rl=shown[1],
        difference=difference(change, digits) if change is not None else "",
        decided=direction(change) if change is not None else 0,
    )


def _share(measured: Mapping[str, float]) -> str:
    return f"{percent(measured['mean'])} [{100 * measured['low']:.0f}, {100 * measured['high']:.0f}]"


def seconds(stages: Mapping[str, float], total: float | None) -> list[tuple[str, str, float]]:
    """Returns a row for each stage: name, formatted duration, and duration divided by that of the longest row.

    The time between the stages gets its own row.
    """
    rows = [(stage.replace("_", " "), float(taken)) for stage, taken in stages.items()]
    if total is not None and total - sum(stages.values()) > 0.5:
        rows.append(("between the stages", total - sum(stages.values())))
    longest = max((taken for _, taken in rows), default=1.0) or 1.0
    return [(stage, duration(taken), taken / longest) for stage, taken in rows]
