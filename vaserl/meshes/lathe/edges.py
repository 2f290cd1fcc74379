"""Upright mask -> how far the body reaches left and right of the axis in each row, the handles taken off.

A handle shows in two ways. Where daylight lies between it and the body, the body's edge is seen; above and below the
gap the handle grows together with the body, and there the edge is bridged by the smoothest curve that stays within
the silhouette. A handle seen end-on shows no gap: it is a spike far longer than thick, and is bridged likewise.
Lips and feet end at the top or bottom row and are never taken for spikes.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vaserl.meshes.lathe.failure import LatheError

MAX_ROOT = 0.24
"""How far a handle may run along the body before it has left it, as a share of the height."""
END_SHARE = 0.1
"""The curves of lip and foot end the outline within this share of the height."""
MAX_ARCH = 2.5
"""How far a handle's arch may reach above the daylight under it, in thicknesses of the handle."""
MAX_SPIKE = 0.13
"""Thickest handle seen end-on, as a share of the height."""
EASE_SHARE = 0.02
"""Over so much of the height the joint between a bridge and the wall is smoothed."""
MIN_SPIKE_REACH = 0.05
"""Shortest such handle, as a share of the height, and also the least that its length must exceed its thickness by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyEdges:
    """The body's silhouette without handles, in an upright frame."""

    top: int
    """First row of the frame in which the axis runs through the body."""
    half_width: np.ndarray
    """float64 [N] distance of the body's edge from the axis in rows top … top + N - 1, in pixels."""
    asymmetry: float
    """Mean difference of the two sides as a share of their mean, 0 for a perfect silhouette of revolution; the worst
    fifth of the rows is left out, for a handle may have stayed on one side."""


def body_edges(upright: np.ndarray) -> BodyEdges:
    """The body in an upright frame float32 [D, 2 R + 1] whose middle column is the axis.

    Raises: LatheError when nothing lies on the axis.
    """
    top, bottom = _rows_on_axis(upright)
    middle = upright.shape[1] // 2
    rows = upright[top:bottom]
    (left, left_bridged), (right, right_bridged) = _side(rows[:, middle::-1]), _side(rows[:, middle:])
    apart = np.abs(left - right)
    tolerance = max(1.0, 0.012 * len(rows))
    # a side on which the body is seen is worth more than one that was bridged; else the narrower is the body
    half_width = np.where(apart <= tolerance, (left + right) / 2, np.minimum(left, right))
    half_width = np.where(left_bridged & ~right_bridged, right, half_width)
    half_width = np.where(right_bridged & ~left_bridged, left, half_width)
    half_width = _eased(half_width, left_bridged | right_bridged)
    usual = np.sort(apart)[: max(1, round(0.8 * len(apart)))]
    asymmetry = float(2 * usual.mean() / (left + right).mean())
    return BodyEdges(top=top, half_width=half_width, asymmetry=asymmetry)


def _rows_on_axis(upright: np.ndarray) -> tuple[int, int]:
    """First row and one past the last of the largest stretch of rows in which the axis is inside the mask."""
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
    """The body's edge on one side, float64 [N], and where it was bridged, bool [N].

    `rows` is that side of the frame, float32 [N, R + 1] from the axis outwards.
    """
    seen, thickness = _edge_and_thickness(rows)
    edge = seen
    least_step = max(1.5, 0.01 * len(edge))
    longest = round(MAX_ROOT * len(edge))
    for start, stop in _runs(thickness >= 2):
        if stop - start < 3:
            continue
        # Outwards from the gap's ends, and inside it wherever the handle's foot stands on the body as a step. Upwards
        # the handle is crossed, which is short; downwards it may run along the body before it melts into it.
        arch = min(longest, round(MAX_ARCH * float(np.median(thickness[start:stop]))) + 2)
        for row in range(start, stop):
            if edge[row : row + 4].max() - edge[row] > least_step:
                edge = _without_root(edge, row, 1, longest)
            if edge[max(row - 3, 0) : row + 1].max() - edge[row] > least_step:
                edge = _without_root(edge, row, -1, arch)
    edge = _without_spikes(edge)
    return edge, edge < seen - 1.0


def _eased(half_width: np.ndarray, bridged: np.ndarray) -> np.ndarray:
    """Smoothed where a handle was bridged: bridge and wall meet in value and slope, but a wall that was thrown has no
    sudden change of curvature either. The ends of the outline stay sharp."""
    num_rows = len(half_width)
    reach = max(1, round(EASE_SHARE * num_rows))
    weight = ndimage.binary_dilation(bridged, iterations=reach).astype(np.float64)
    weight[: 2 * reach] = weight[num_rows - 2 * reach :] = 0.0
    weight = ndimage.gaussian_filter1d(weight, reach / 2, mode="nearest")
    smooth = ndimage.gaussian_filter1d(half_width, reach, mode="nearest")
    return half_width + weight * (smooth - half_width)


def _edge_and_thickness(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the run that begins at the axis ends, between pixels; and how many pixels of vase follow after a gap."""
    inside = rows > 0.5
    length = np.where(inside.all(axis=1), rows.shape[1] - 1, np.argmin(inside, axis=1))
    index = np.arange(len(rows))
    last, following = rows[index, np.maximum(length - 1, 0)], rows[index, length]
    edge = length - 1 + (last - 0.5) / np.maximum(last - following, 1e-6)
    beyond = inside & (np.arange(rows.shape[1]) > length[:, None])
    return edge.astype(np.float64), beyond.sum(axis=1)


def _without_root(edge: np.ndarray, row: int, step: int, longest: int) -> np.ndarray:
    """Bridges the rows above (step -1) or below (1) `row` in which a handle widens the edge, at most `longest`."""
    num_rows = len(edge)
    fit = max(3, round(0.02 * num_rows))
    ahead = edge[row::step]  # ahead[0] is the last row that shows the body
    if len(ahead) < 3:
        return edge
    # where the outline closes over the lip or under the foot, its narrowing is the mouth's curve and not the wall's
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
    # the nearest row from which the curve runs on about as smoothly as anywhere
    curve = curves[int(np.argmax(turning <= 1.25 * turning.min() + 0.2))]
    bridged = edge.copy()
    bridged[row::step][: len(curve)] = np.minimum(curve, ahead[: len(curve)])
    return bridged


def _without_spikes(edge: np.ndarray) -> np.ndarray:
    """Bridges stretches that stick out of the body much further than they are thick."""
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
    """Value at the first of these points and slope, of the straight line through all of them."""
    if len(values) < 2:
        return float(values[0]), 0.0
    at = np.arange(len(values)) - (len(values) - 1) / 2
    slope = float(at @ values / (at @ at))
    return float(values.mean()) + slope * float(at[0]), slope


def _cubic(length: int, start: float, start_slope: float, end: float, end_slope: float) -> np.ndarray:
    """float64 [length + 1] the cubic with these values and slopes at 0 and `length`.

    Slopes towards the other end are limited to three times the chord's, which keeps the cubic from overshooting
    (Fritsch and Carlson, 1980).
    """
    t = np.arange(length + 1) / length
    limit = 3 * abs(end - start) / length
    limit = max(limit, 0.3)  # a straight chord may still bulge a little
    start_slope, end_slope = np.clip(start_slope, -limit, limit), np.clip(end_slope, -limit, limit)
    return (
        start * (1 + 2 * t) * (1 - t) ** 2
        + end * t * t * (3 - 2 * t)
        + length * (start_slope * t * (1 - t) ** 2 - end_slope * t * t * (1 - t))
    )


def _turning(curve: np.ndarray) -> float:
    """A curve's length times the integral of its squared curvature: free of units, 0 for a straight line."""
    rise = np.diff(curve)
    length = np.hypot(rise, 1.0)
    turn = np.diff(np.arctan(rise))
    return float(length.sum() * (turn**2 / ((length[1:] + length[:-1]) / 2)).sum())


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """(start, stop) of each stretch of true flags."""
    change = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    return list(zip(np.nonzero(change == 1)[0].tolist(), np.nonzero(change == -1)[0].tolist(), strict=True))
