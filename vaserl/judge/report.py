"""The report of a judge's run, as HTML and as Markdown; equal contents give equal bytes.

A report with a failed gate is void: its heading, its banner and its numbers say so.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from vaserl.judge.gates import CheckedGate, failed_gates
from vaserl.judge.store import StoreBinding
from vaserl.statistics.intervals import ConfidenceInterval


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTable:
    """A table of a report."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""
    """Sentence below the table, "" for none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownVerdict:
    """A pair with its verdict and montages."""

    pair_id: str
    outcome: str
    """What the verdict is: "a", "b", "flip", "unparsable" or "unusable", with what else there is to say."""
    answers: str
    """The judge's answers in both orders, as it gave them."""
    montages: Sequence[str]
    """Paths of the montages of a and b, relative to the report; empty for an unusable pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeReport:
    """Everything that a report shows."""

    title: str
    bindings: Sequence[StoreBinding]
    """The judges, with prompt and render."""
    gates: Sequence[CheckedGate]
    tables: Sequence[ReportTable]
    verdicts: Sequence[ShownVerdict]

    @property
    def is_void(self) -> bool:
        """True if a gate failed."""
        return bool(failed_gates(self.gates))


def report_markdown(report: JudgeReport) -> str:
    """Returns the report as Markdown, with links to the montages."""
    lines = [f"# {_heading(report)}", "", *_banner(report)]
    for table in _tables(report):
        lines += [f"## {table.title}", "", _row(table.head), "|" + "---|" * len(table.head)]
        lines += [*map(_row, table.rows), ""]
        lines += [table.note, ""] if table.note else []
    lines += ["## Verdicts", ""]
    for shown in report.verdicts:
        lines += [f"### {shown.pair_id}", "", f"{shown.outcome}. {shown.answers}".strip(), ""]
        if shown.montages:
            lines += [" ".join(f"![{side}]({path})" for side, path in zip("ab", shown.montages, strict=True)), ""]
    return "\n".join(lines)


def report_html(report: JudgeReport) -> str:
    """Returns the report as one HTML page without scripts; it loads the montages that lie beside it."""
    parts = [
        "<!doctype html>",
        f'<html lang="en"><head><meta charset="utf-8"><title>{escape(_heading(report))}</title><style>{_STYLE}</style>',
        f'</head><body class="{"void" if report.is_void else ""}"><h1>{escape(_heading(report))}</h1>',
        *(f'<p class="banner">{escape(line)}</p>' for line in _banner(report) if line),
    ]
    for table in _tables(report):
        parts += [f"<h2>{escape(table.title)}</h2>", "<table><tr>"]
        parts += [*(f"<th>{escape(cell)}</th>" for cell in table.head), "</tr>"]
        parts += ["<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows]
        parts += ["</table>", f"<p>{escape(table.note)}</p>" * bool(table.note)]
    parts.append("<h2>Verdicts</h2>")
    for shown in report.verdicts:
        parts.append(f"<section><h3>{escape(shown.pair_id)}</h3>")
        parts.append(f"<p><b>{escape(shown.outcome)}</b> {escape(shown.answers)}</p>")
        for side, path in zip("ab" if shown.montages else "", shown.montages, strict=True):
            parts.append(
                f'<figure><img loading="lazy" src="{escape(path)}" alt="montage of {side}">'
                f"<figcaption>{side}</figcaption></figure>"
            )
        parts.append("</section>")
    return "\n".join([*parts, "</body></html>", ""])


def interval_words(interval: ConfidenceInterval | None) -> str:
    """Returns "0.62 [0.51, 0.72]", or "–" for None."""
    return "–" if interval is None else f"{interval.mean:.3f} [{interval.low:.3f}, {interval.high:.3f}]"


def _heading(report: JudgeReport) -> str:
    return f"VOID: {report.title}" if report.is_void else report.title


def _banner(report: JudgeReport) -> list[str]:
    if not report.is_void:
        return []
    names = ", ".join(gate.name for gate in failed_gates(report.gates))
    return [f"This report is void: the judge failed the gates {names}. None of its numbers may be used.", ""]


def _tables(report: JudgeReport) -> list[ReportTable]:
    judges = [
        [
            binding.judge.name,
            binding.judge.family,
            binding.judge.role,
            binding.mode,
            *(digest[:12] for digest in (binding.judge.sha256, binding.prompt_sha256, binding.render_sha256)),
        ]
        for binding in report.bindings
    ]
    gates = [
        [
            gate.name,
            "passed" if gate.is_passed else "FAILED",
            "–" if gate.value is None else f"{gate.value:.3f}",
            gate.need,
        ]
        for gate in report.gates
    ]
    return [
        ReportTable(
            title="Judges",
            head=("name", "family", "role", "mode", "judge hash", "prompt hash", "render hash"),
            rows=judges,
        ),
        ReportTable(title="Gates", head=("gate", "result", "value", "demanded"), rows=gates),
        *report.tables,
    ]


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


_STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;max-width:1100px;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:.5em 0}td,th{border:1px solid #ccc;padding:.25em .6em;text-align:left}"
    "section{border-top:1px solid #ddd;margin-top:1em}figure{display:inline-block;margin:0 1em 0 0}"
    "figure img{width:480px;max-width:100%}figcaption{text-align:center;color:#666}"
    ".banner{background:#b00020;color:#fff;padding:.6em 1em;font-weight:bold}.void h1{color:#b00020}"
    ".void table,.void section{opacity:.55}"
)
