"""Writes the card of a data set (DATASET.md), which describes its vases, the rights in its photographs, and why
photographs were rejected."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from vaserl.curation.job.thresholds import Threshold
from vaserl.curation.outcome.contact_sheet import contact_sheet, pictured
from vaserl.curation.outcome.retention import BestViewReport, FilterReport, reasons, retention_counts
from vaserl.curation.pipeline import PIPELINE, Pipeline
from vaserl.curation.settings import CardSettings
from vaserl.curation.stages.describe import INVENTS, KEYWORDS, LOSES
from vaserl.curation.stages.mesh_gate import IS_COMPARED
from vaserl.dataset import MANIFEST, PROVENANCE, SPLITS, DataSet, Row
from vaserl.report.paper import PAPER_RETENTION
from vaserl.statistics.intervals import wilson_interval
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION

NUM_VALUES = 12
"""Maximum number of values that a table of the card lists, the most frequent ones. The other values share one row."""
NUM_CREDITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """Results of a curation run that the card contains in addition to the rows of the manifest."""

    filters: Sequence[FilterReport] = ()
    """Comparison of each filter's decisions with the labels of the photographs; empty if there are no labels."""
    best_view: BestViewReport | None = None
    """Comparison of the chosen views with the labels of the photographs, or None if there are no labels."""
    thresholds: Sequence[Threshold] = ()
    """Score thresholds that the filters used."""
    off: Collection[str] = ()
    """Names of the stages that did not run."""
    pipeline: Pipeline = PIPELINE
    """All stages of curation, in the order in which they run."""


@dataclass(slots=True, kw_only=True)
class _Tally:
    """Counts for the card. They are collected in a single pass over the rows, which may not all fit into memory."""

    num_rows: int = 0
    splits: Counter[str] = field(default_factory=Counter)
    values: dict[str, Counter[tuple[str, str]]] = field(default_factory=lambda: defaultdict(Counter))
    """Number of vases by (value, split), for each field of the vases' records, such as "Fabric"."""
    rights: Counter[str] = field(default_factory=Counter)
    credits: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    num_keywords: int = 0
    num_uncompared: int = 0
    """Number of vases whose 3D model could not be compared with its photograph."""
    num_later_choices: int = 0
    """Number of vases that were made from another photograph than the best one, which gave no good 3D model."""

    spellings: dict[tuple[str, str], str] = field(default_factory=dict)
    """Spelling of each value at its first occurrence, by (field, value in lower case)."""

    def _spelling(self, name: str, value: str) -> str:
        """Returns the first spelling that occurred of a value; values such as "ATHENIAN" and "Athenian", which differ
        only in case, count as one value."""
        return self.spellings.setdefault((name, value.casefold()), value)

    @property
    def num_kept(self) -> int:
        return self.splits.total()

    def add(self, row: Row) -> None:
        self.num_rows += 1
        if not row.kept:
            return
        self.splits[row.split] += 1
        self.num_uncompared += row.scores.get(IS_COMPARED.name) == 0.0
        self.num_later_choices += bool(row.instead_of)
        for dimension in DIMENSIONS:
            name = FIELD_OF_DIMENSION[dimension]
            self.values[name][self._spelling(name, row.record.get(name, "")), row.split] += 1
        self.rights[row.rights] += 1
        self.credits[row.credit] += 1
        self.asked.update(question.dimension for question in row.questions)
        wrong = [name for name in (INVENTS.name, LOSES.name) if row.scores.get(name, 0.0) > 0]
        self.num_keywords += row.scores.get(KEYWORDS.name, 0.0) > 0
        self.refused.update([*wrong, "any"] if wrong else ())


def write_card(dataset: DataSet, rows: Collection[Row], settings: CardSettings, findings: Findings) -> None:
    """Writes the card of a data set and the contact sheet that it shows. `rows` are the rows of the manifest; they are
    iterated several times and are not all in memory at once."""
    sheet = contact_sheet(dataset, pictured(rows, settings.num_pictured))
    picture = dataset.sheet.name if sheet is not None else ""
    dataset.write_card(dataset_card(rows, settings, findings, picture), sheet)


def dataset_card(rows: Collection[Row], settings: CardSettings, findings: Findings, picture: str = "") -> str:
    """Returns the text of the card in Markdown. `picture` is the file name of the contact sheet, which is in the same
    folder as the card, or "" if there is no contact sheet."""
    tally = _Tally()
    for row in rows:
        tally.add(row)
    lines = [
        f"# {settings.title}",
        "",
        f"{tally.num_kept} vases from {tally.num_rows} photographs: "
        + (", ".join(f"{tally.splits[name]} {name}" for name in SPLITS if tally.splits[name]) or "none")
        + ".",
        "",
        f"License: {settings.license}." if settings.license else "License: none was stated (`card.license`).",
        "",
    ]
    if picture:
        lines += [f"![photographs and turntables]({picture})", "", "Photographs, and beside each its turntable.", ""]
    if tally.num_uncompared:
        lines += [
            f"{tally.num_uncompared:,} of the 3D models are uncompared: their photographs can't be cut out, so the "
            f"mesh gate judged them by their shape alone (`{IS_COMPARED.name}` is 0).",
            "",
        ]
    if tally.num_later_choices:
        lines += [
            f"{tally.num_later_choices:,} of the 3D models were made from another photograph than the vase's best one, "
            "which gave no good model (`instead_of` names those tried before).",
            "",
        ]
    lines += _retention(rows, tally, findings)
    if findings.thresholds:
        lines += ["", "## Thresholds", "", "| stage | least score | from |", "|---|---:|---|"]
        lines += [f"| {t.stage} | {t.value:.4f} | {t.origin} |" for t in findings.thresholds]
    lines += [*_truth(findings), *_texts(tally), *_rights(tally)]
    for dimension in DIMENSIONS:
        counts = tally.values[FIELD_OF_DIMENSION[dimension]]
        lines += ["", f"## {dimension.capitalize()}", "", *_histogram(counts)]
    return "\n".join(lines) + "\n"


def _retention(rows: Collection[Row], tally: _Tally, findings: Findings) -> list[str]:
    lines = [
        "## Retention",
        "",
        "| stage | in | out | kept | VaseVQA-3D in | out | kept |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for entry in retention_counts(rows, findings.pipeline):
        paper = PAPER_RETENTION.get(entry["stage"])
        theirs = f"{paper[0]:,} | {paper[1]:,} | {paper[1] / paper[0]:.1%}" if paper else "| |"
        share = "off" if entry["stage"] in findings.off else f"{entry['out'] / entry['in']:.1%}" if entry["in"] else ""
        lines.append(f"| {entry['stage']} | {entry['in']:,} | {entry['out']:,} | {share} | {theirs} |")
    lines += [
        "",
        f"{tally.num_rows:,} in = {tally.num_kept:,} out + {tally.num_rows - tally.num_kept:,} rejected, as a query:",
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
            reasons(rows).items(), key=lambda item: (findings.pipeline.names.index(item[0][0]), -item[1], item[0][1])
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


def _texts(tally: _Tally) -> list[str]:
    """Returns the lines of the card about captions and questions: how many captions did not agree with the record in
    their first wording, and how many questions ask about each property of a vase."""
    refused, asked = tally.refused, tally.asked
    lines = [
        "",
        "## Texts",
        "",
        f"{tally.num_kept:,} captions; {refused['any']:,} were first worded in a way that did not agree with the "
        f"record: {refused[INVENTS.name]:,} stated what it does not, {refused[LOSES.name]:,} left out what it does. "
        f"{tally.num_keywords:,} references list words, because the record's decoration is too long for phrases.",
    ]
    if asked:
        lines += ["", f"{asked.total():,} questions:", "", "| asks for | questions |", "|---|---:|"]
        lines += [f"| {topic} | {asked[topic]:,} |" for topic in (*DIMENSIONS, PROVENANCE) if asked[topic]]
    return lines


def _rights(tally: _Tally) -> list[str]:
    """Returns the lines of the card about rights: how often each license and each credit line occurs among the
    photographs from which the 3D models were generated."""
    lines = ["", "## Rights", ""]
    if not any(value for counts in (tally.rights, tally.credits) for value in counts):
        return [*lines, "None of the photographs states rights or a credit line."]
    lines += ["| rights | photographs |", "|---|---:|", *_counted(tally.rights, NUM_VALUES)]
    return [*lines, "", "| credit | photographs |", "|---|---:|", *_counted(tally.credits, NUM_CREDITS)]


def _counted(counts: Counter[str], num_shown: int) -> list[str]:
    shown = sorted(((v, n) for v, n in counts.items() if v), key=lambda item: (-item[1], item[0]))
    lines = [f"| {_cell(value)} | {count:,} |" for value, count in shown[:num_shown]]
    if len(shown) > num_shown:
        rest = sum(count for _, count in shown[num_shown:])
        lines.append(f"| {len(shown) - num_shown} others | {rest:,} |")
    return [*lines, f"| *not stated* | {counts['']:,} |"] if counts[""] else lines


def _histogram(counts: Counter[tuple[str, str]], width: int = 30) -> list[str]:
    """Returns the lines of a table with the most frequent values of a record's field: their numbers of vases, in total
    and by split, and a bar of at most `width` characters.

    counts: number of vases by (value, split).
    """
    splits = [name for name in SPLITS if any(split == name for _, split in counts)]
    values: Counter[str] = Counter()
    for (value, _), count in counts.items():
        values[value] += count
    absent = values.pop("", 0)
    shown = sorted(values.items(), key=lambda item: (-item[1], item[0]))[:NUM_VALUES]

    def cells(value: str) -> str:
        return "".join(f" {counts[value, name]:,} |" for name in splits)

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
