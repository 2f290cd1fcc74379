"""What curation did, as queries over the manifest: retention, reasons, and how often the filters were right."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION

STAGES = ("source", "quality", "intact", "best_view", "lift", "mesh_gate", "turntable", "describe", "questions")
"""Every stage that may reject a row, in their order."""

PAPER_RETENTION: Mapping[str, tuple[int, int]] = {
    "quality": (30_000, 13_599),
    "intact": (13_599, 6_330),
    "best_view": (6_330, 3_880),
    "lift": (3_880, 664),
}
"""Photographs in and out of the stages that VaseVQA-3D reports; its last one covers the gate and the turntable too."""

LOW_QUALITY = frozenset({"blur", "sketch", "crop"})
"""True kinds of photograph that `quality` is to keep out."""
NOT_INTACT = frozenset({"fragment", "sketch"})
"""True kinds that `intact` is to keep out, of those that reach it; a blur or a crop is of a whole vase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterReport:
    """A filter against the truth; a positive is a photograph that it let through."""

    stage: str
    """quality or intact."""
    true_positives: int
    """Let through, rightly."""
    false_positives: int
    """Let through, wrongly."""
    false_negatives: int
    """Rejected, wrongly."""
    true_negatives: int
    """Rejected, rightly."""

    @property
    def precision(self) -> float:
        """Share of right ones among those let through; 0 if none was."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """Share of those let through among the ones that should be; 0 if there were none."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall."""
        return _share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)


def retention(rows: Collection[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """[{"stage", "in", "out"}, …] for each stage in order; a stage's `in` is the `out` of the one before it."""
    rejected = Counter(row["rejected_by"] for row in rows if row["rejected_by"])
    unknown = set(rejected) - set(STAGES)
    assert not unknown, f"rows rejected by stages that the table doesn't list: {unknown}"
    table, left = [], len(rows)
    for stage in STAGES:
        table.append({"stage": stage, "in": left, "out": left - rejected[stage]})
        left -= rejected[stage]
    return table


def reasons(rows: Iterable[Mapping[str, Any]]) -> Counter[tuple[str, str]]:
    """Rejected rows by stage and kind of reason: the reason without its figures and names."""
    return Counter((row["rejected_by"], _kind_of(row["reason"])) for row in rows if row["rejected_by"])


def filter_report(rows: Iterable[Mapping[str, Any]], kinds: Mapping[str, str], stage: str) -> FilterReport:
    """`quality` or `intact` against the true kinds, by photograph, over the rows that reached the stage."""
    unwanted = {"quality": LOW_QUALITY, "intact": NOT_INTACT}[stage]
    earlier = STAGES[: STAGES.index(stage)]
    counts: Counter[tuple[bool, bool]] = Counter()
    for row in rows:
        kind = kinds.get(row["photo"], "")
        if kind and row["rejected_by"] not in earlier:
            counts[kind not in unwanted, row["rejected_by"] != stage] += 1
    return FilterReport(
        stage=stage,
        true_positives=counts[True, True],
        false_positives=counts[False, True],
        false_negatives=counts[True, False],
        true_negatives=counts[False, False],
    )


def dataset_card(rows: Collection[Mapping[str, Any]], reports: Sequence[FilterReport] = ()) -> str:
    """DATASET.md: retention beside the paper's, splits, reasons, values of each dimension, the filters' figures."""
    kept = [row for row in rows if not row["rejected_by"]]
    splits = Counter(row["split"] for row in kept)
    lines = [
        "# Data set",
        "",
        f"{len(kept)} vases from {len(rows)} photographs: "
        + (", ".join(f"{splits[name]} {name}" for name in ("train", "val", "test") if splits[name]) or "none")
        + ".",
        "",
        "## Retention",
        "",
        "| stage | in | out | kept | VaseVQA-3D in | out | kept |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for entry in retention(rows):
        paper = PAPER_RETENTION.get(entry["stage"])
        theirs = f"{paper[0]:,} | {paper[1]:,} | {paper[1] / paper[0]:.1%}" if paper else "| |"
        share = f"{_share(entry['out'], entry['in']):.1%}" if entry["in"] else ""
        lines.append(f"| {entry['stage']} | {entry['in']:,} | {entry['out']:,} | {share} | {theirs} |")
    lines += ["", "## Why photographs were rejected", "", "| stage | reason | photographs |", "|---|---|---:|"]
    lines += [
        f"| {stage} | {_cell(kind)} | {count:,} |"
        for (stage, kind), count in sorted(
            reasons(rows).items(), key=lambda item: (STAGES.index(item[0][0]), -item[1], item[0][1])
        )
    ]
    if reports:
        lines += ["", "## Filters against the truth", ""]
        lines += ["| filter | photographs | precision | recall | F1 |", "|---|---:|---:|---:|---:|"]
    for report in reports:
        total = report.true_positives + report.false_positives + report.false_negatives + report.true_negatives
        lines.append(f"| {report.stage} | {total:,} | {report.precision:.3f} | {report.recall:.3f} | {report.f1:.3f} |")
    for dimension in DIMENSIONS:
        lines += ["", f"## {dimension.capitalize()}", "", *_histogram(kept, FIELD_OF_DIMENSION[dimension])]
    return "\n".join(lines) + "\n"


def _histogram(rows: Sequence[Mapping[str, Any]], field: str, num_shown: int = 12, width: int = 30) -> list[str]:
    """The commonest values as a table with bars; the longest bar is `width` characters."""
    values = Counter(row["record"].get(field, "") for row in rows)
    absent = values.pop("", 0)
    shown = sorted(values.items(), key=lambda item: (-item[1], item[0]))[:num_shown]
    lines = ["| value | vases | |", "|---|---:|---|"]
    lines += [
        f"| {_cell(value)} | {count:,} | {'█' * max(1, width * count // shown[0][1])} |" for value, count in shown
    ]
    if len(values) > num_shown:
        rest = sum(values.values()) - sum(count for _, count in shown)
        lines.append(f"| {len(values) - num_shown} other values | {rest:,} | |")
    if absent:
        lines.append(f"| *not stated* | {absent:,} | |")
    return lines


def _kind_of(reason: str) -> str:
    """What reasons of one kind share: figures and quoted names become "…", and what follows a colon is detail."""
    return re.sub(r"-?\d+(?:\.\d+)?|'[^']*'", "…", reason.split(": ")[0])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
