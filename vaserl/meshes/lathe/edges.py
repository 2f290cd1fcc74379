"""Finds the edge of the vase's body in the upright mask (rotated so that the vase's axis is vertical), without the
handles.

The edge is found row by row. Where there is a gap between a handle and the body, the body's edge is visible. Above and
below the gap, the handle joins the body and hides its edge. There, the edge is replaced by a bridge: the smoothest
curve that stays within the silhouette. A handle seen end-on has no gap. It appears as a spike that is much longer than
thick, and is replaced by a bridge too. A spike at the top or bottom row belongs to the lip or foot and is kept.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vaserl.meshes.lathe.failure import LatheError

MAX_ROOT = 0.24
"""Largest height of the joint between a handle and the body, as a share of the body's height."""
END_SHARE = 0.1
"""Height of the zone at the top and at the bottom in which the outline curves inwards over the lip or under the foot,
as a share of the body's height."""
MAX_ARCH = 2.5
"""Largest height of a handle's arch above the gap between handle and body, as a multiple of the handle's thickness."""
MAX_SPIKE = 0.13
"""Largest thickness of a handle seen end-on, as a share of the body's height."""
EASE_SHARE = 0.02
"""Length over which the transition from the wall to a bridge (the curve that replaces a handle) is smoothed, as a share
of the body's height."""
MIN_SPIKE_REACH = 0.05
"""Smallest difference between the length and the thickness of a handle seen end-on, as a share of the body's height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyEdges:
    """The silhouette of the vase's body, without handles, in the upright frame (the image rotated so that the axis is
    vertical)."""

    top: int
    """First row of the body in the upright frame (the image rotated so that the axis is vertical)."""
    half_width: np.ndarray
    """float64 [N] distance of the body's edge from the axis in pixels, in each of N rows; the first is row `top`."""
    asymmetry: float
    """Mean difference between the left and right half widths, relative to their mean; 0 for a perfectly symmetric
    silhouette. The 20 % of the rows with the largest differences are excluded, since a handle may remain there on one
    side."""


def body_edges(upright: np.ndarray) -> BodyEdges:
    """Finds the body in the upright mask, which is rotated so that the vase's axis is vertical.

    `upright` is float32 [D, 2 R + 1]: D rows with R columns on both sides of the axis.

    Raises: LatheError when too few rows show the body, or parts of the mask are below the body's foot.
    """
    top, bottom = _rows_on_axis(upright)
    middle = upright.shape[1] // 2
    rows = upright[top:bottom]
    (left, left_bridged), (right, right_bridged) = _side(rows[:, middle::-1]), _side(rows[:, middle:])
    apart = np.abs(left - right)
    tolerance = max(1.0, 0.012 * len(rows))
    # a visible side is preferred to a bridged one; otherwise the narrower side is the body
    half_width = np.where(apart <= tolerance, (left + right) / 2, np.minimum(left, right))
    half_width = np.where(left_bridged & ~right_bridged, right, half_width)
    half_width = np.where(right_bridged & ~left_bridged, left, half_width)
    half_width = _eased(half_width, left_bridged | right_bridged)
    usual = np.sort(apart)[: max(1, round(0.8 * len(apart)))]
    asymmetry = float(2 * usual.mean() / (left + right).mean())
    return BodyEdges(top=top, half_width=half_width, asymmetry=asymmetry)


def _rows_on_axis(upright: np.ndarray) -> tuple[int, int]:
    """Returns the body's first row and its last row + 1.

    The body is a run of rows in which the mask contains the axis. Of several runs, the one with the largest area is
    used.
    """
    middle = upright.shape[1] // 2
    stretches = _runs(upright[:, middle] > 0.5)
    if not stretches:
        raise LatheError("nothing lies on the axis of symmetry: this is no vessel of revolution")
    first, end = max(stretches, key=lambda stretch: np.count_nonzero(upright[slice(*stretch)] > 0.5))
    if end - first < 16:
        raise LatheError(f"only {end - first} rows of pixels show the body")
    if np.count_nonzero(upright[end + 2 :] > 0.5) > 0.02 * np.count_nonzero(upright > 0.5):
        raise LatheError("no upright vessel: parts of the outline lie below the foot")
    return first, end


def _side(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the body's edge on one side: its distance from the axis, float64 [N], and the bridged rows, bool [N].

    In a bridged row, a curve (the bridge) replaces the edge that a handle hides. `rows` is one side of the upright
    mask, float32 [N, R + 1]: N rows of R + 1 pixels from the axis outwards.
    """
    seen, thickness = _edge_and_thickness(rows)
    edge = seen
    least_step = max(1.5, 0.01 * len(edge))
    longest = round(MAX_ROOT * len(edge))
    for start, stop in _runs(thickness >= 2):
        if stop - start < 3:
            continue
        # Bridges from the gap's ends, and inside the gap where the handle's root is a step on the body. Upwards the
        # bridge crosses the handle, which is short; downwards the handle may run along the body before it joins it.
        arch = min(longest, round(MAX_ARCH * float(np.median(thickness[start:stop]))) + 2)
        for row in range(start, stop):
            if edge[row : row + 4].max() - edge[row] > least_step:
                edge = _without_root(edge, row, 1, longest)
            if edge[max(row - 3, 0) : row + 1].max() - edge[row] > least_step:
                edge = _without_root(edge, row, -1, arch)
    edge = _without_spikes(edge)
    return edge, edge < seen - 1.0


def _eased(half_width: np.ndarray, bridged: np.ndarray) -> np.ndarray:
    """Returns the half widths, smoothed around bridged rows, in which a curve replaces the edge that a handle hides.

    Such a curve continues the wall's slope but not its curvature, whereas the curvature of a wheel-thrown wall doesn't
    change suddenly. The first and last rows aren't smoothed, so lip and foot stay sharp.
    """
    num_rows = len(half_width)
    reach = max(1, round(EASE_SHARE * num_rows))
    weight = ndimage.binary_dilation(bridged, iterations=reach).astype(np.float64)
    weight[: 2 * reach] = weight[num_rows - 2 * reach :] = 0.0
    weight = ndimage.gaussian_filter1d(weight, reach / 2, mode="nearest")
    smooth = ndimage.gaussian_filter1d(half_width, reach, mode="nearest")
    return half_width + weight * (smooth - half_width)


def _edge_and_thickness(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns, for each of N rows, the body's edge and the thickness of a handle beside the body, both in pixels.

    The edge, float64 [N], is the end of the run of vase pixels that starts at the axis, with subpixel accuracy. The
    thickness, int [N], is the number of vase pixels outside this run.
    """
    inside = rows > 0.5
    length = np.where(inside.all(axis=1), rows.shape[1] - 1, np.argmin(inside, axis=1))
    index = np.arange(len(rows))
    last, following = rows[index, np.maximum(length - 1, 0)], rows[index, length]
    edge = length - 1 + (last - 0.5) / np.maximum(last - following, 1e-6)
    beyond = inside & (np.arange(rows.shape[1]) > length[:, None])
    return edge.astype(np.float64), beyond.sum(axis=1)


def _without_root(edge: np.ndarray, row: int, step: int, longest: int) -> np.ndarray:
    """Returns the body's edge after replacing a handle's root by a bridge (a smooth curve).

    The root is where the handle joins the body and widens the silhouette. The bridge starts at `row`, runs upwards
    (`step` -1) or downwards (`step` 1) and has at most `longest` rows.
    """
    num_rows = len(edge)
    fit = max(3, round(0.02 * num_rows))
    ahead = edge[row::step]  # ahead[0] is the last row in which the body is visible
    if len(ahead) < 3:
        return edge
    # the bridge must end before the outline closes over the lip or under the foot
    last = ahead[-max(3, round(END_SHARE * num_rows)) :]
    longest = min(longest, len(ahead) - len(last) + int(np.nonzero(last >= 0.98 * last.max())[0][-1]))
    base, base_slope = _end_of_line(edge[row::-step][:fit])
    candidates = np.arange(2, min(longest, len(ahead) - 1) + 1)
    ends = [_end_of_line(ahead[j : j + fit]) for j in candidates]
    curves = [_cubic(int(j), base, -base_slope, *end) for j, end in zip(candidates, ends, strict=True)]
    turning = np.array([_turning(curve) for curve in curves])
    turning[[bool((curve > ahead[: len(curve)] + 1.5).any()) for curve in curves]] = np.inf
    if not np.isfinite(turning).any():
        return edge
    # the shortest curve that is about as smooth as the smoothest
    curve = curves[int(np.argmax(turning <= 1.25 * turning.min() + 0.2))]
    bridged = edge.copy()
    bridged[row::step][: len(curve)] = np.minimum(curve, ahead[: len(curve)])
    return bridged


def _without_spikes(edge: np.ndarray) -> np.ndarray:
    """Returns the body's edge after replacing spikes by bridges (smooth curves).

    A spike is a run of rows in which the edge protrudes from the body by much more than the number of rows.
    """
    num_rows = len(edge)
    window = 2 * round(MAX_SPIKE * num_rows / 2) + 1
    if window < 3:
        return edge
    opened = ndimage.grey_opening(edge, size=window, mode="nearest")
    excess = edge - opened
    bridged = edge.copy()
    fit = max(3, round(0.02 * num_rows))
    margin = max(2, round(0.02 * num_rows))
    for start, stop in _runs(excess > max(1.0, 0.008 * num_rows)):
        reach = float(excess[start:stop].max())
        thickness = int((excess[start:stop] > reach / 2).sum())
        at_an_end = start < margin or stop > num_rows - margin
        if at_an_end or reach < MIN_SPIKE_REACH * num_rows + thickness:
            continue
        low, high = max(start - 2, 0), min(stop + 1, num_rows - 1)
        value, slope = _end_of_line(edge[low::-1][:fit])
        end_value, end_slope = _end_of_line(edge[high : high + fit])
        bridge = _cubic(high - low, value, -slope, end_value, end_slope)
        bridged[low : high + 1] = np.minimum(bridge, edge[low : high + 1])
    return bridged


def _end_of_line(values: np.ndarray) -> tuple[float, float]:
    """Fits a straight line to equally spaced values; returns its value at the first point and its slope."""
    if len(values) < 2:
        return float(values[0]), 0.0
    at = np.arange(len(values)) - (len(values) - 1) / 2
    slope = float(at @ values / (at @ at))
    return float(values.mean()) + slope * float(at[0]), slope


def _cubic(length: int, start: float, start_slope: float, end: float, end_slope: float) -> np.ndarray:
    """Returns the cubic polynomial with the given values and slopes at 0 and `length`, float64 [length + 1].

    Both slopes are in the direction from 0 to `length`. They are limited to three times the slope of the straight line
    between the ends, so that the polynomial doesn't overshoot (Fritsch and Carlson, 1980).
    """
    t = np.arange(length + 1) / length
    limit = 3 * abs(end - start) / length
    limit = max(limit, 0.3)  # even a straight chord may bulge a little
    start_slope, end_slope = np.clip(start_slope, -limit, limit), np.clip(end_slope, -limit, limit)
    return (
        start * (1 + 2 * t) * (1 - t) ** 2
        + end * t * t * (3 - 2 * t)
        + length * (start_slope * t * (1 - t) ** 2 - end_slope * t * t * (1 - t))
    )


def _turning(curve: np.ndarray) -> float:
    """Returns how much a curve bends: its length times the integral of its squared curvature.

    The value has no unit and is 0 for a straight line.
    """
    rise = np.diff(curve)
    length = np.hypot(rise, 1.0)
    turn = np.diff(np.arctan(rise))
    return float(length.sum() * (turn**2 / ((length[1:] + length[:-1]) / 2)).sum())


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """Returns (first index, last index + 1) of each run of true flags."""
    change = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    return list(zip(np.nonzero(change == 1)[0].tolist(), np.nonzero(change == -1)[0].tolist(), strict=True))
