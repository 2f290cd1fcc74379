"""The profile as publications print vases: section on the left, outside on the right, centre line between.

One photograph doesn't show how thick the wall is, so the section is dotted and says so. Drawn in millimetres at the
scale that is asked for, as SVG whose groups are layers: section, exterior, centre-line, scale-bar, caption.
"""

import numpy as np

from vaserl.curation.lathe.lathe import LatheResult
from vaserl.curation.lathe.revolve import inside_of

MARGIN_MM = 12.0
"""Paper around the drawing."""
UNSCALED_MM = 120.0
"""Height on paper of a vase whose real height isn't known."""
LINE_MM = 0.35
"""Width of the outline, as in print."""
MIN_CORNER_DEG = 35.0
"""The outside's profile turns by at least this where a horizontal line marks a lip, a neck or a foot."""


def profile_drawing(result: LatheResult, *, height_mm: float | None = None, scale: float = 0.5) -> str:
    """An SVG document of a vase `height_mm` high, drawn at `scale` (0.5 prints 1:2).

    Without `height_mm`, which no photograph tells, the vase is drawn `UNSCALED_MM` high and the bar is a quarter of
    its height. Coordinates inside the document are millimetres of paper.

    Raises: ValueError for a size that isn't positive.
    """
    if scale <= 0 or (height_mm is not None and height_mm <= 0):
        raise ValueError(f"height_mm = {height_mm} and scale = {scale} must be positive")
    profile = result.profile
    if height_mm is None:
        paper, bar, said, size = UNSCALED_MM, UNSCALED_MM / 4, "1/4 of the height", "height not known, not to scale"
    else:
        length = _round_length(height_mm / 4)
        paper, bar, said = height_mm * scale, length * scale, f"{length:g} mm"
        size = f"H. {height_mm:g} mm, {_ratio(scale)}"
    radius = float(profile[:, 0].max()) * paper
    width = 2 * max(radius, bar, 20.0) + 2 * MARGIN_MM
    height = paper + 2 * MARGIN_MM + 10
    centre, foot = width / 2, MARGIN_MM + paper

    def at(points: np.ndarray, side: int) -> np.ndarray:
        return np.stack([centre + side * points[:, 0] * paper, foot - points[:, 1] * paper], axis=1)

    outside_right, outside_left = at(profile, 1), at(profile, -1)
    lip, base = outside_right[-1], outside_right[0]
    exterior = [
        _path(outside_right, "outline"),
        *(_line(centre, y, x, y, "edge") for x, y in [lip, base, *outside_right[_corners(profile)]]),
    ]
    section = [_path(outside_left, "outline"), _path(at(inside_of(profile), -1), "unknown")]
    section += [_line(x, y, centre, y, "unknown") for x, y in outside_left[[0, -1]]]
    bar_y, bar_ends = foot + 7, (centre - bar / 2, centre + bar / 2)
    scale_bar = [
        _line(bar_ends[0], bar_y, bar_ends[1], bar_y, "outline"),
        *(_line(x, bar_y - 1, x, bar_y + 1, "outline") for x in bar_ends),
        _text(centre, bar_y + 4, said),
    ]
    layers = {
        "section": section,
        "exterior": exterior,
        "centre-line": [_line(centre, MARGIN_MM - 3, centre, foot + 3, "centre")],
        "scale-bar": scale_bar,
        "caption": [
            _text(centre, MARGIN_MM - 7.5, size),
            _text(centre, MARGIN_MM - 4.5, "outside from one photograph, wall not seen"),
        ],
    }
    body = "\n".join(f'<g id="{name}">\n' + "\n".join(shapes) + "\n</g>" for name, shapes in layers.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.2f}mm" height="{height:.2f}mm" '
        f'viewBox="0 0 {width:.2f} {height:.2f}">\n<style>\n'
        f"path, line {{ fill: none; stroke: black; stroke-width: {LINE_MM} }}\n"
        f".edge, .centre {{ stroke-width: {LINE_MM / 2} }}\n"
        f".centre {{ stroke-dasharray: 4 1 0.5 1 }}\n"
        f".unknown {{ stroke-width: {LINE_MM / 2}; stroke-dasharray: 0.4 0.8 }}\n"
        "text { font: 2.6px sans-serif; text-anchor: middle }\n</style>\n"
        f"{body}\n</svg>\n"
    )


def _corners(profile: np.ndarray) -> np.ndarray:
    """Indices where the profile turns sharply, one for each corner: of neighbours the sharpest."""
    step = np.diff(profile, axis=0)
    angle = np.unwrap(np.arctan2(step[:, 1], step[:, 0]))
    # over two steps, because resampling cuts a corner into two halves
    turn = np.abs(angle[2:] - angle[:-2])
    sharp = np.nonzero(turn > np.radians(MIN_CORNER_DEG))[0]
    groups = np.split(sharp, np.nonzero(np.diff(sharp) > 1)[0] + 1)
    return np.array([group[np.argmax(turn[group])] + 1 for group in groups if len(group)], int)


def _round_length(length: float) -> float:
    """The largest of 1, 2 and 5 times a power of ten that isn't longer."""
    power = 10.0 ** np.floor(np.log10(length))
    return float(max(step * power for step in (1, 2, 5) if step * power <= length * (1 + 1e-9)))


def _ratio(scale: float) -> str:
    return f"{scale:g}:1" if scale > 1 else f"1:{1 / scale:g}"


def _path(points: np.ndarray, kind: str) -> str:
    return f'<path class="{kind}" d="M ' + " L ".join(f"{x:.3f} {y:.3f}" for x, y in points) + '"/>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.3f}" y1="{y1:.3f}" x2="{x2:.3f}" y2="{y2:.3f}"/>'


def _text(x: float, y: float, words: str) -> str:
    return f'<text x="{x:.3f}" y="{y:.3f}">{words}</text>'
