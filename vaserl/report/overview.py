"""Draws the pipeline's results for one vase as one picture: photograph, profile, turntable, captions."""

import io
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from vaserl.files.clip import read_mp4
from vaserl.files.photograph import read_photograph
from vaserl.meshes.cutout.cutout import CutoutError
from vaserl.meshes.cutout.method import NETWORK, cut_out_whole_vase, load_method
from vaserl.meshes.lathe import LatheError, lathe
from vaserl.report import drawing
from vaserl.report.contents import ReportContents

NUM_FRAMES_SHOWN = 4
CAPTION_WIDTH = 46
"""Largest number of characters in a line of a caption."""
LINE_HEIGHT = 0.062
"""Distance between two lines of the captions, as a share of the height of the captions' panel."""


def vase_overview(contents: ReportContents, vase_id: str) -> bytes | None:
    """Returns the overview picture of a held-out vase as a PNG file.

    Returns None if the vase's photograph, video or captions are missing, or if the photograph has no usable profile.
    """
    row = next((row for row in contents.photographs if row.kept and row.vase_id == vase_id), None)
    vase = next((vase for vase in contents.captions if vase.id == vase_id), None)
    if row is None or vase is None:
        return None
    photograph, clip = contents.photograph(row.photo), contents.clip(row.clip)
    if photograph is None or clip is None:
        return None
    try:
        cutout = cut_out_whole_vase(read_photograph(photograph, keep_alpha=True), load_method(NETWORK))
        profile = lathe(np.asarray(cutout.photo), cutout.mask).profile
    except (CutoutError, LatheError):
        return None
    captions = [
        ("after fine-tuning", vase.captions["sft"]),
        ("after GRPO", vase.captions["rl"]),
        ("the record, as a caption", vase.reference),
    ]
    return overview_png(np.asarray(cutout.photo), profile, read_mp4(clip).frames, captions)


def overview_png(
    photograph: np.ndarray, profile: np.ndarray, frames: np.ndarray, captions: Sequence[tuple[str, str]]
) -> bytes:
    """Draws photograph, profile, turntable and captions side by side. Returns: a PNG file.

    photograph: uint8 [H, W, 3 or 4]. profile: float [N, 2] (radius, height) from foot to lip, in any unit.
    frames: uint8 [F, h, w, 3], the F frames of one turn. captions: (heading, text) pairs, printed one below the other.
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
    """Draws the vase's profile on both sides of its axis of rotation (dash-dotted, as in archaeological drawings)."""
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
        lines += [(heading, drawing.FAINT), *((line, drawing.INK) for line in textwrap.wrap(text, CAPTION_WIDTH))]
        lines.append(("", drawing.INK))
    for number, (line, colour) in enumerate(lines):
        axes.text(0, 0.97 - LINE_HEIGHT * number, line, color=colour, fontsize=9, transform=axes.transAxes, va="top")
