"""Style and helper functions shared by all figures of the report.

Each figure is an SVG in a data URI, so that the page loads no other file.

Figures are narrow, because a phone shows them at a width of about 340 pixels, where their labels must stay legible. The
colours are those of Okabe and Ito, which colour-blind readers can distinguish. SFT and RL each have one colour and one
marker.
"""

import io
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vaserl.report.pictures import data_uri

INK, FAINT, GRID = "#2b2723", "#8b857c", "#e7e2d8"
SFT, RL, PERFECT, GUESS = "#0072b2", "#d55e00", "#009e73", "#8b857c"

MAX_POINTS = 300
"""Largest number of points in a curve. Longer curves are averaged in bins: more points would overlap on the page."""

STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "vaserl",
    "font.family": "sans-serif",
    "font.sans-serif": ["Helvetica Neue", "Arial", "Liberation Sans", "DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 10.5,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
}


def style() -> AbstractContextManager[None]:
    """Returns a context manager within which Matplotlib uses `STYLE`."""
    return matplotlib.rc_context(STYLE)


def canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """Returns an empty, transparent figure and its axes. width, height: in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.add_subplot()
    axes.patch.set_alpha(0)
    return figure, axes


def svg(figure: Figure) -> str:
    """Returns the figure as an SVG in a data URI."""
    return data_uri("image/svg+xml", svg_file(figure))


def svg_file(figure: Figure) -> bytes:
    """Returns the bytes of an SVG file of the figure. Equal figures give equal bytes."""
    file = io.BytesIO()
    # the metadata contain links and the time, which would make the files of equal figures differ
    figure.savefig(file, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return file.getvalue()


def curve(rows: Sequence[Mapping[str, Any]], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the steps at which the metric `name` is a finite number, and the metric's values at these steps.

    More than `MAX_POINTS` points are averaged in bins.
    """
    known = [(row["step"], row[name]) for row in rows if row.get(name) is not None and np.isfinite(row[name])]
    steps, values = np.array([pair[0] for pair in known], float), np.array([pair[1] for pair in known], float)
    width = max(1, -(-len(known) // MAX_POINTS))
    return binned(steps, width), binned(values, width)


def binned(values: np.ndarray, width: int) -> np.ndarray:
    """Returns the mean of each bin of `width` consecutive values; the last bin may be smaller."""
    return np.array([values[start : start + width].mean() for start in range(0, len(values), width)])


def level(axes: Axes, value: float, label: str, colour: str) -> None:
    """Draws a labelled horizontal line at `value`."""
    axes.axhline(value, color=colour, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.annotate(
        label,
        (1, value),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 3),
        textcoords="offset points",
        ha="right",
        va="bottom",
        color=colour,
        fontsize=9.5,
    )
