"""One vase through the whole program in one picture: photograph, profile, turntable, caption."""

import io
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vaserl.report import drawing

NUM_FRAMES_SHOWN = 4
CAPTION_WIDTH = 42
"""Characters of a line of the caption."""


def overview_png(
    photograph: np.ndarray, profile: np.ndarray, frames: np.ndarray, captions: Sequence[tuple[str, str]]
) -> bytes:
    """Returns the strip as a PNG file.

    photograph: uint8 [H, W, 3 or 4]. profile: float [N, 2] (radius, height) from foot to lip, in any one unit.
    frames: uint8 [F, h, w, 3], one turn. captions: (heading, text) pairs, printed below each other.
    """
    with drawing.style():
        figure = Figure(figsize=(13, 3.6), layout="constrained", facecolor="white")
        grid = figure.add_gridspec(2, 5, width_ratios=(1.5, 1.1, 0.75, 0.75, 2.1))
        _picture(figure.add_subplot(grid[:, 0]), photograph, "1  photograph")
        _profile(figure.add_subplot(grid[:, 1]), profile)
        shown = [frames[k * len(frames) // NUM_FRAMES_SHOWN] for k in range(NUM_FRAMES_SHOWN)]
        for index, frame in enumerate(shown):
            title = "3  model, turntable" if index == 0 else ""
            _picture(figure.add_subplot(grid[index // 2, 2 + index % 2]), frame, title)
        _captions(figure.add_subplot(grid[:, 4]), captions)
        file = io.BytesIO()
        figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    return file.getvalue()


def _picture(axes: Axes, image: np.ndarray, title: str) -> None:
    axes.imshow(image)
    axes.set_axis_off()
    axes.set_title(title)


def _profile(axes: Axes, profile: np.ndarray) -> None:
    """Draws the outline on both sides of the axis; the axis itself is dash-dotted, as in archaeological drawings."""
    radius, height = profile[:, 0], profile[:, 1]
    for side in (-1, 1):
        axes.plot(side * radius, height, color=drawing.INK)
    for end in (0, -1):
        axes.plot([-radius[end], radius[end]], [height[end]] * 2, color=drawing.INK, linewidth=1)
    axes.axvline(0, color=drawing.FAINT, linewidth=0.8, linestyle="-.")
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_title("2  profile")


def _captions(axes: Axes, captions: Sequence[tuple[str, str]]) -> None:
    axes.set_axis_off()
    axes.set_title("4  caption")
    lines: list[tuple[str, str]] = []
    for heading, text in captions:
        lines += [
            (heading, drawing.FAINT),
            *((line, drawing.INK) for line in textwrap.wrap(text, CAPTION_WIDTH)),
            ("", ""),
        ]
    for number, (line, colour) in enumerate(lines):
        axes.text(0, 0.95 - 0.085 * number, line, color=colour or drawing.INK, transform=axes.transAxes, va="top")
