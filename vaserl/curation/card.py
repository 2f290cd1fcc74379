"""DATASET.md: what a data set holds, where it came from and what became of every photograph, beside its pictures."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaserl.curation.contact_sheet import contact_sheet
from vaserl.curation.describe import INVENTS, LOSES
from vaserl.curation.retention import PAPER_RETENTION, STAGES, BestViewReport, FilterReport, reasons, retention
from vaserl.curation.settings import CardSettings
from vaserl.curation.thresholds import Threshold
from vaserl.dataset import MANIFEST, PROVENANCE
from vaserl.evaluation.statistics import wilson_interval
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION

CARD = "DATASET.md"
SHEET = "contact_sheet.png"
SPLITS = ("train", "val", "test")
NUM_VALUES = 12
"""Commonest values of a dimension that are listed."""
NUM_CREDITS = 8

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the run found out besides the rows."""

    filters: Sequence[FilterReport] = ()
    """The filters against the truth, where photographs are labelled."""
    best_view: BestViewReport | None = None
    """The choice of views against the truth, where photographs are labelled."""
    thresholds: Sequence[Threshold] = ()
    """What each filter asked for."""


def write_card(folder: Path, rows: Collection[Row], settings: CardSettings, findings: Findings) -> None:
    """Writes DATASET.md and contact_sheet.png beside the manifest; `rows` are the manifest's."""
    kept = sorted((row for row in rows if not row["rejected_by"]), key=lambda row: row["vase_id"])
    sheet = contact_sheet(folder, kept, settings.num_pictured)
    if sheet is not None:
        sheet.save(folder / SHEET, optimize=True)
    (folder / CARD).write_text(dataset_card(rows, settings, findings, pictured=sheet is not None))


def dataset_card(rows: Collection[Row], settings: CardSettings, findings: Findings, *, pictured: bool = False) -> str:
    """The card's text; `pictured` says that the contact sheet lies beside it."""
    kept = [row for row in rows if not row["rejected_by"]]
    splits = Counter(row["split"] for row in kept)
    lines = [
        f"# {settings.title}",
        "",
        f"{len(kept)} vases from {len(rows)} photographs: "
        + (", ".join(f"{splits[name]} {name}" for name in SPLITS if splits[name]) or "none")
        + ".",
        "",
        f"License: {settings.license}." if settings.license else "License: none was stated (`card.license`).",
        "",
    ]
    if pictured:
        lines += [f"![photographs and turntables]({SHEET})", "", "Photographs, and beside each its turntable.", ""]
    lines += _retention(rows, len(kept))
    if findings.thresholds:
        lines += ["", "## Thresholds", "", "| stage | least score | from |", "|---|---:|---|"]
        lines += [f"| {t.stage} | {t.value:.4f} | {t.origin} |" for t in findings.thresholds]
    lines += _truth(findings)
    lines += _texts(kept)
    lines += _rights(kept)
    for dimension in DIMENSIONS:
        lines += ["", f"## {dimension.capitalize()}", "", *_histogram(kept, FIELD_OF_DIMENSION[dimension])]
    return "\n".join(lines) + "\n"


def _retention(rows: Collection[Row], num_kept: int) -> list[str]:
    lines = [
        "## Retention",
        "",
        "| stage | in | out | kept | VaseVQA-3D in | out | kept |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for entry in retention(rows):
        paper = PAPER_RETENTION.get(entry["stage"])
        theirs = f"{paper[0]:,} | {paper[1]:,} | {paper[1] / paper[0]:.1%}" if paper else "| |"
        share = f"{entry['out'] / entry['in']:.1%}" if entry["in"] else ""
        lines.append(f"| {entry['stage']} | {entry['in']:,} | {entry['out']:,} | {share} | {theirs} |")
    lines += [
        "",
        f"{len(rows):,} in = {num_kept:,} out + {len(rows) - num_kept:,} rejected, as a query:",
        f"`SELECT rejected_by, COUNT(*) FROM '{MANIFEST}' GROUP BY rejected_by`.",
        "",
        "## Why photographs were rejected",
        "",
        "| stage | reason | photographs |",
        "|---|---|---:|",
    ]
    lines += [
        f"| {stage} | {_cell(kind)} | {count:,} |"
        for (stage, kind), count in sorted(
            reasons(rows).items(), key=lambda item: (STAGES.index(item[0][0]), -item[1], item[0][1])
        )
    ]
    return lines


def _truth(findings: Findings) -> list[str]:
    lines: list[str] = []
    if findings.filters:
        lines += ["", "## Filters against the truth", ""]
        lines += ["| filter | photographs | precision | recall | F1 |", "|---|---:|---:|---:|---:|"]
    for report in findings.filters:
        total = report.true_positives + report.false_positives + report.false_negatives + report.true_negatives
        lines.append(f"| {report.stage} | {total:,} | {report.precision:.3f} | {report.recall:.3f} | {report.f1:.3f} |")
    best = findings.best_view
    if best is None or not best.num_vases:
        return lines
    lines += [
        "",
        "A vase's view is right if the photograph that was kept shows it whole, sharp and from the front. Vases that "
        "have no such photograph don't count.",
        "",
        "| best view | vases | right | share, with 95 % interval |",
        "|---|---:|---:|---|",
        _share_row("of all vases with a right view", best.num_right, best.num_vases),
    ]
    if best.num_choices:
        name = "where right and wrong views were left to choose from"
        lines.append(_share_row(name, best.num_choices_right, best.num_choices))
    return lines


def _share_row(name: str, part: int, whole: int) -> str:
    interval = wilson_interval(part, whole)
    return f"| {name} | {whole:,} | {part:,} | {interval.mean:.3f} ({interval.low:.3f} to {interval.high:.3f}) |"


def _texts(kept: Sequence[Row]) -> list[str]:
    """Questions by what they ask for, and captions whose first wording did not agree with the record."""
    asked = Counter(question["dimension"] for row in kept for question in row.get("questions", ()))
    refused = [[row.get("scores", {}).get(name, 0.0) > 0 for name in (INVENTS, LOSES)] for row in kept]
    lines = ["", "## Texts", ""]
    lines.append(
        f"{len(kept):,} captions; {sum(map(any, refused)):,} were first worded in a way that did not agree with the "
        f"record: {sum(i for i, _ in refused):,} stated what it does not, {sum(n for _, n in refused):,} left out what "
        "it does."
    )
    if asked:
        lines += ["", f"{sum(asked.values()):,} questions:", "", "| asks for | questions |", "|---|---:|"]
        lines += [f"| {topic} | {asked[topic]:,} |" for topic in (*DIMENSIONS, PROVENANCE) if asked[topic]]
    return lines


def _rights(kept: Sequence[Row]) -> list[str]:
    """Licenses and credit lines of the photographs that the vases were lifted from."""
    lines = ["", "## Rights", ""]
    if not any(row.get("rights") or row.get("credit") for row in kept):
        return [*lines, "None of the photographs states rights or a credit line."]
    lines += [
        "| rights | photographs |",
        "|---|---:|",
        *_counted([row.get("rights") or "" for row in kept], NUM_VALUES),
    ]
    lines += ["", "| credit | photographs |", "|---|---:|"]
    return [*lines, *_counted([row.get("credit") or "" for row in kept], NUM_CREDITS)]


def _counted(values: Sequence[str], num_shown: int) -> list[str]:
    counts = Counter(values)
    absent = counts.pop("", 0)
    shown = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    lines = [f"| {_cell(value)} | {count:,} |" for value, count in shown[:num_shown]]
    if len(shown) > num_shown:
        rest = sum(count for _, count in shown[num_shown:])
        lines.append(f"| {len(shown) - num_shown} others | {rest:,} |")
    return [*lines, f"| *not stated* | {absent:,} |"] if absent else lines


def _histogram(kept: Sequence[Row], field: str, width: int = 30) -> list[str]:
    """The commonest values as a table with bars, the longest of `width` characters, and how the splits share them."""
    splits = [name for name in SPLITS if any(row["split"] == name for row in kept)]
    values = Counter(row["record"].get(field, "") for row in kept)
    by_split = Counter((row["record"].get(field, ""), row["split"]) for row in kept)
    absent = values.pop("", 0)
    shown = sorted(values.items(), key=lambda item: (-item[1], item[0]))[:NUM_VALUES]

    def cells(value: str) -> str:
        return "".join(f" {by_split[value, name]:,} |" for name in splits)

    lines = [
        f"| value | vases |{''.join(f' {name} |' for name in splits)} |",
        f"|---|---:|{'---:|' * len(splits)}---|",
        *(
            f"| {_cell(value)} | {count:,} |{cells(value)} {'█' * max(1, width * count // shown[0][1])} |"
            for value, count in shown
        ),
    ]
    if len(values) > NUM_VALUES:
        rest = sum(values.values()) - sum(count for _, count in shown)
        lines.append(f"| {len(values) - NUM_VALUES} other values | {rest:,} |{' |' * len(splits)} |")
    if absent:
        lines.append(f"| *not stated* | {absent:,} |{cells('')} |")
    return lines


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
