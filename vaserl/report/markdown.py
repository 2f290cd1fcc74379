"""Formats the result of an evaluation as a Markdown table."""

from collections.abc import Mapping
from typing import Any

from vaserl.report import tables

_HEAD = ("metric", "before GRPO", "after GRPO", "difference")


def evaluation_markdown(summary: Mapping[str, Any]) -> str:
    """Returns a table of the metrics of both models with their differences, as Markdown text that is aligned to be
    read in a terminal too.

    A difference whose interval excludes zero is marked with "*". summary: content of evaluation.json.
    """
    rows = [
        _HEAD,
        *((row.name, row.sft, row.rl, row.difference + " *" * bool(row.decided)) for row in tables.evaluation(summary)),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    note = (
        f"{summary['num_vases']} vases. In brackets: 95 % interval over the vases. The difference is paired vase by "
        "vase; * marks one whose interval excludes 0."
    )
    return "\n".join([*lines, "", note, ""])
