"""A table of texts, and its forms: Markdown, LaTeX and HTML."""

import html
from collections.abc import Sequence
from dataclasses import dataclass

_LATEX = {"&": r"\&", "%": r"\%", "_": r"\_", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}"}
_LATEX |= {"^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "−": "$-$", "–": "--", "“": "``", "”": "''"}
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:90rem;padding:0 1rem;color:#222}"
    "table{border-collapse:collapse;margin:1rem 0;font-variant-numeric:tabular-nums}.scroll{overflow-x:auto}"
    "th,td{padding:.25rem .8rem;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}"
    "th:first-child,td:first-child{text-align:left}thead th{border-bottom:2px solid #444}p{color:#555}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table with a title above and a note below."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    """Rows of as many cells as `head`."""
    note: str = ""


def to_markdown(tables: Sequence[Table]) -> str:
    """Returns the tables as Markdown that is aligned to be read in a terminal too."""
    parts = []
    for table in tables:
        rows = [tuple(cell.replace("|", "\\|") for cell in row) for row in (table.head, *table.rows)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        parts.append("\n".join([f"## {table.title}", "", *lines, *(["", table.note] if table.note else [])]))
    return "\n\n".join(parts) + "\n"


def to_latex(tables: Sequence[Table]) -> str:
    r"""Returns the tables as LaTeX `table` environments; they need \usepackage{booktabs}."""
    parts = []
    for table in tables:
        body = [" & ".join(map(_latex, row)) + r" \\" for row in table.rows]
        parts.append(
            "\n".join(
                [
                    r"\begin{table}",
                    rf"\caption{{{_latex(' '.join(filter(None, (table.title + '.', table.note))))}}}",
                    rf"\begin{{tabular}}{{l{'r' * (len(table.head) - 1)}}}",
                    r"\toprule",
                    " & ".join(map(_latex, table.head)) + r" \\",
                    r"\midrule",
                    *body,
                    r"\bottomrule",
                    r"\end{tabular}",
                    r"\end{table}",
                ]
            )
        )
    return "\n\n".join(parts) + "\n"


def to_html(title: str, tables: Sequence[Table]) -> str:
    """Returns a page with the tables; it has no scripts and loads no other file."""
    parts = []
    for table in tables:
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in table.head)
        rows = "\n".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows
        )
        parts.append(
            f"<h2>{html.escape(table.title)}</h2>\n"
            f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div>\n'
            f"<p>{html.escape(table.note)}</p>"
        )
    escaped = html.escape(title)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escaped}</title>'
        f"<style>{_STYLE}</style></head>\n<body><h1>{escaped}</h1>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)
