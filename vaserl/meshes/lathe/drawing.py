"""Profile drawings as in archaeological publications: section on the left, outside on the right, centre line between.

A photograph doesn't show the wall's thickness. Unless the thickness is given, the left half shows only the outline, and
the caption says that the wall isn't known. The drawing is an SVG document in millimetres with a group for each layer:
section, exterior, handles, centre-line, scale-bar, caption.
"""

import numpy as np

from vaserl.meshes.lathe.result import LatheResult
from vaserl.meshes.lathe.revolve import inside_of
from vaserl.meshes.lathe.sweep import Tube

MARGIN_MM = 12.0
"""Margin around the drawing, in millimetres on paper."""
UNSCALED_MM = 120.0
"""Height of the drawing, in millimetres on paper, for a vase whose true height is unknown."""
MIN_HALF_MM = 28.0
"""Smallest half width of the drawing, in millimetres on paper; it leaves room for the caption of a small vase."""
LINE_MM = 0.35
"""Width of the outline, in millimetres on paper."""
CORNER_POINTS = 96
MIN_CORNER_DEG = 35.0
"""Smallest change of direction, in degrees, that counts as a corner of the profile; a corner, as at a lip, a neck or a
foot, is marked by a horizontal line."""


def profile_drawing(
    result: LatheResult, *, height_mm: float | None = None, wall_mm: float | None = None, scale: float = 0.5
) -> str:
    """Returns the profile drawing of a reconstructed vase as an SVG document, in millimetres on paper.

    `height_mm` is the vase's true height. Without it, the vase is drawn `UNSCALED_MM` high and the scale bar is a
    quarter of its height. `scale` is the drawing's scale: 0.5 prints 1:2. `wall_mm` is the measured thickness of the
    wall. If it is given, the section is filled black.

    Raises: ValueError for a height or scale that isn't positive, for a wall thickness without a height, and for a wall
    thickness that isn't between 0 and an eighth of the height.
    """
    if scale <= 0 or (height_mm is not None and height_mm <= 0):
        raise ValueError(f"height_mm and scale must be positive, got {height_mm} and {scale}")
    if wall_mm is not None and (height_mm is None or not 0 < wall_mm < height_mm / 8):
        raise ValueError(
            f"wall_mm needs a height_mm and must be between 0 and an eighth of it, got {wall_mm} and {height_mm}"
        )
    profile = result.profile
    if height_mm is None:
        paper, bar, bar_label = UNSCALED_MM, UNSCALED_MM / 4, "1/4 of the height"
        size = "height not known, not to scale"
    else:
        length = _round_length(height_mm / 4)
        paper, bar, bar_label = height_mm * scale, length * scale, f"{length:g} mm"
        size = f"H. {height_mm:g} mm, {_ratio(scale)}"
    radius = max([float(profile[:, 0].max()), *(float(np.abs(t.curve[:, 0]).max()) for t in result.tubes)]) * paper
    width = 2 * max(radius, bar, MIN_HALF_MM) + 2 * MARGIN_MM
    height = paper + 2 * MARGIN_MM + 10
    centre, foot = width / 2, MARGIN_MM + paper

    def at(points: np.ndarray, side: int) -> np.ndarray:
        return np.stack([centre + side * points[:, 0] * paper, foot - points[:, 1] * paper], axis=1)

    outside_right, outside_left = at(profile, 1), at(profile, -1)
    lip, base = outside_right[-1], outside_right[0]
    exterior = [
        _path(outside_right, "outline"),
        *(_line(centre, y, x, y, "edge") for x, y in [lip, base, *at(_corners(profile), 1)]),
    ]
    section = [_path(outside_left, "outline"), *(_line(x, y, centre, y, "edge") for x, y in outside_left[[0, -1]])]
    if height_mm is not None and wall_mm is not None:
        inside = at(inside_of(profile, wall_mm / height_mm), -1)
        section = [_path(np.concatenate([outside_left, inside, [[centre, base[1]]], outside_left[:1]]), "wall")]
    handles = [_path(at(line, 1), "outline") for tube in result.tubes for line in _handle_lines(tube, profile)]
    bar_y, bar_ends = foot + 7, (centre - bar / 2, centre + bar / 2)
    scale_bar = [
        _line(bar_ends[0], bar_y, bar_ends[1], bar_y, "outline"),
        *(_line(x, bar_y - 1, x, bar_y + 1, "outline") for x in bar_ends),
        _text(centre, bar_y + 4, bar_label),
    ]
    wall = "wall not known" if wall_mm is None else f"wall {wall_mm:g} mm as measured"
    layers = {
        "section": section,
        "exterior": exterior,
        "handles": handles,
        "centre-line": [_line(centre, MARGIN_MM - 3, centre, foot + 3, "centre")],
        "scale-bar": scale_bar,
        "caption": [
            _text(centre, MARGIN_MM - 7.5, size),
            _text(centre, MARGIN_MM - 4.5, f"outside from one photograph, {wall}"),
        ],
    }
    body = "\n".join(f'<g id="{name}">\n' + "\n".join(shapes) + "\n</g>" for name, shapes in layers.items())
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.2f}mm" height="{height:.2f}mm" '
        f'viewBox="0 0 {width:.2f} {height:.2f}">\n<style>\n'
        f"path, line {{ fill: none; stroke: black; stroke-width: {LINE_MM} }}\n"
        f".edge, .centre {{ stroke-width: {LINE_MM / 2} }}\n"
        f".centre {{ stroke-dasharray: 4 1 0.5 1 }}\n"
        ".wall { fill: black }\n"
        "text { font: 2.6px sans-serif; text-anchor: middle }\n</style>\n"
        f"{body}\n</svg>\n"
    )


def _handle_lines(tube: Tube, profile: np.ndarray) -> list[np.ndarray]:
    """Returns the visible parts of a handle's two edges, seen from the front, float64 [M, 2] each.

    A part is a line of M points (distance from the axis, height). Parts behind the body are omitted. The edges of a
    loop, a handle seen end-on, meet at its tip and form one line.
    """
    curve, radius = tube.curve[:, :2], tube.radius
    tip = int(np.argmax(np.abs(curve[:, 0])))
    # a bar that begins farthest from the axis has no tip
    if 0 < tip < len(curve) - 1 and np.ptp(tube.curve[:, 2]) > float(radius.mean()):
        curve, radius = curve[: tip + 1], radius[: tip + 1]
    step = np.gradient(curve, axis=0)
    normal = np.stack([step[:, 1], -step[:, 0]], axis=1) / np.maximum(np.linalg.norm(step, axis=1), 1e-9)[:, None]
    edges = [curve + side * radius[:, None] * normal for side in (1, -1)]
    if len(curve) < len(tube.curve):
        edges = [np.concatenate([edges[0], edges[1][::-1]])]
    lines = []
    for coarse in edges:
        # finely sampled, so that a line ends exactly at the wall
        at = np.linspace(0, len(coarse) - 1, 16 * len(coarse))
        edge = np.stack([np.interp(at, np.arange(len(coarse)), column) for column in coarse.T], axis=1)
        seen = np.abs(edge[:, 0]) >= np.interp(edge[:, 1], profile[:, 1], profile[:, 0])
        parts = np.split(np.arange(len(edge)), np.nonzero(np.diff(seen))[0] + 1)
        lines += [edge[part] for part in parts if len(part) > 1 and seen[part[0]]]
    return lines


def _corners(profile: np.ndarray) -> np.ndarray:
    """Returns the profile's C corners, float64 [C, 2] (radius, height).

    A corner is a point at which the profile turns by more than `MIN_CORNER_DEG`; of several such points in a row, the
    one with the largest turn. The profile is first resampled to `CORNER_POINTS` points, so the corners don't depend on
    its resolution.
    """
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(profile, axis=0).T))])
    at = np.linspace(0.0, along[-1], CORNER_POINTS)
    coarse = np.stack([np.interp(at, along, column) for column in profile.T], axis=1)
    step = np.diff(coarse, axis=0)
    angle = np.unwrap(np.arctan2(step[:, 1], step[:, 0]))
    # the turn over two steps, because resampling splits a corner in two
    turn = np.abs(angle[2:] - angle[:-2])
    sharp = np.nonzero(turn > np.radians(MIN_CORNER_DEG))[0]
    groups = np.split(sharp, np.nonzero(np.diff(sharp) > 1)[0] + 1)
    return coarse[[group[np.argmax(turn[group])] + 1 for group in groups if len(group)]].reshape(-1, 2)


def _round_length(length: float) -> float:
    """Returns the largest number that is at most `length` and is 1, 2 or 5 times a power of ten."""
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
