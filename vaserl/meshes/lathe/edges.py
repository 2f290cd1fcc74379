"""Finds the edge of the vase's body in the upright mask (rotated so that the vase's axis is vertical), without the
handles.

The edge is found row by row. Where there is a gap between a handle and the body, the body's edge is visible. Above and
below the gap, the handle joins the body and hides its edge. There, the edge is replaced by a bridge: the smoothest
curve that stays within the silhouette and lies no deeper in it than the handle is thick, since a handle can't hide
more. A handle that ends under the lip hides the lip's edge, which is then assumed above the handle's middle. A handle
seen end-on has no gap. It appears as a spike that is much longer than thick, and is replaced by a bridge too. A spike
at the top or bottom row belongs to the lip or foot and is kept.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vaserl.meshes.lathe.bridge import cubic, end_of_line, without_root
from vaserl.meshes.lathe.failure import LatheError
from vaserl.meshes.masks import depth

MAX_ROOT = 0.24
"""Largest height of the joint between a handle and the body, as a share of the body's height."""
MAX_ARCH = 2.5
"""Largest height of a handle's arch above the gap between handle and body, as a multiple of the handle's thickness."""
MAX_SPIKE = 0.13
"""Largest thickness of a handle seen end-on, as a share of the body's height."""
FILLET_SHARE = 0.6
"""Largest height of the fillet between a handle and the body at a gap's end, as a share of the handle's thickness. In
the rest of the gap, the edge that is seen is the body's, even where it widens like a shoulder."""
MAX_LIP_SHARE = 0.2
"""Largest height of the lip and what lies above a gap, as a share of the body's height, for the handle to end under the
lip."""
MIN_LIP_WIDTH = 0.8
"""Smallest width of that lip, as a share of the body's largest: a column-krater's. Jugs have such handles too, but each
is one bar."""
MIN_COLUMN_SHARE = 0.05
"""Smallest height of the gap beside such a handle, as a share of the body's height: those of column-kraters stand on
the shoulder. Between a horizontal handle and the lip is less."""
MIN_RISE = 0.04
"""Smallest height by which a handle rises above the lip, as a share of the body's height, to be no column-krater's."""
HIDING = 1.3
"""Largest depth in the silhouette at which a handle may still hide the body, as a multiple of the handle's
thickness."""
CORNER_SHARE = 0.03
"""Length over which the direction of the outline is measured on both sides of a corner, as a share of the body's
height."""
MIN_CORNER_TURN = 0.2
"""Smallest change of the outline's slope at the corner between a handle and the body."""
MAX_CLOSING = 0.4
"""Largest share of the rows above the gap of a handle that ends under the lip, in which the mouth's ellipse closes."""
EASE_SHARE = 0.02
"""Length over which the transition from the wall to a bridge (the curve that replaces a handle) is smoothed, as a share
of the body's height."""
MIN_SPIKE_REACH = 0.05
"""Smallest difference between the length and the thickness of a handle seen end-on, as a share of the body's height."""


SHARED_ROWS = (0.06, 0.94)
"""First and last row in which the two sides' profiles are compared, as shares of the body's rows; the ends of a lip and
of a foot are ellipses."""
MIN_APART = 0.003
"""Smallest difference of the two sides' profiles, as a share of the body's height, that isn't the mask's inaccuracy."""


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
    shared_profile: float
    """Share, 0 to 1, of what the two sides' profiles depart from straight lines that both have in common. A thrown
    wall's is near 1, as both sides have the same neck, shoulder and mouldings; broken edges share nothing. It is 1
    where the sides hardly differ, and where handles hide most of them."""
    under_lip: tuple[tuple[int, int] | None, tuple[int, int] | None]
    """For the left and the right side: first row and last row + 1 of the gap below a handle that ends under the lip,
    counted from the body's first row; None if there is no such handle."""


def body_edges(upright: np.ndarray) -> BodyEdges:
    """Finds the body in the upright mask, which is rotated so that the vase's axis is vertical.

    `upright` is float32 [D, 2 R + 1]: D rows with R columns on both sides of the axis.

    Raises: LatheError when too few rows show the body, or parts of the mask are below the body's foot.
    """
    top, bottom = _rows_on_axis(upright)
    middle = upright.shape[1] // 2
    rows = upright[top:bottom]
    above = upright[: max(top - round(MIN_RISE * len(rows)), 0)]
    sides = rows[:, middle::-1], rows[:, middle:]
    narrower = np.minimum(*(_edge_and_handle(side)[0] for side in sides))
    is_wide = narrower[: round(MAX_LIP_SHARE * len(rows))].max() >= MIN_LIP_WIDTH * narrower.max()
    (left, left_bridged, left_gap), (right, right_bridged, right_gap) = (
        _side(sides[0], is_wide, bool((above[:, :middle] > 0.5).any())),
        _side(sides[1], is_wide, bool((above[:, middle + 1 :] > 0.5).any())),
    )
    apart = np.abs(left - right)
    tolerance = max(1.0, 0.012 * len(rows))
    # a visible side is preferred to a bridged one; otherwise the narrower side is the body
    half_width = np.where(apart <= tolerance, (left + right) / 2, np.minimum(left, right))
    half_width = np.where(left_bridged & ~right_bridged, right, half_width)
    half_width = np.where(right_bridged & ~left_bridged, left, half_width)
    half_width = _eased(half_width, left_bridged | right_bridged)
    usual = np.sort(apart)[: max(1, round(0.8 * len(apart)))]
    asymmetry = float(2 * usual.mean() / (left + right).mean())
    return BodyEdges(
        top=top,
        half_width=half_width,
        asymmetry=asymmetry,
        shared_profile=_shared_profile(left, right, ~(left_bridged | right_bridged)),
        under_lip=(left_gap, right_gap),
    )


def _shared_profile(left: np.ndarray, right: np.ndarray, seen: np.ndarray) -> float:
    """Returns `BodyEdges.shared_profile` of the sides' half widths, float64 [N], in the rows `seen`, bool [N]."""
    first, last = (round(share * len(left)) for share in SHARED_ROWS)
    rows = first + np.flatnonzero(seen[first:last])
    if len(rows) < 0.3 * len(left):
        return 1.0
    # without the straight lines, neither a leaning axis nor a cone counts
    bent = [side[rows] - np.polyval(np.polyfit(rows, side[rows], 1), rows) for side in (left, right)]
    common, apart = float(np.std(bent[0] + bent[1]) / 2), float(np.std(bent[0] - bent[1]) / 2)
    return 1.0 if apart < MIN_APART * len(left) else common**2 / (common**2 + apart**2)


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


def _side(rows: np.ndarray, is_wide: bool, rises: bool) -> tuple[np.ndarray, np.ndarray, tuple[int, int] | None]:
    """Returns the body's edge on one side: its distance from the axis, float64 [N], the bridged rows, bool [N], and the
    rows of the gap below a handle that ends under the lip, see `BodyEdges.under_lip`.

    In a bridged row, a curve (the bridge) replaces the edge that a handle hides. `rows` is one side of the upright
    mask, float32 [N, R + 1]: N rows of R + 1 pixels from the axis outwards. `is_wide` tells whether the lip is as wide
    as a column-krater's, `rises` whether a handle on this side rises above the lip, like a volute.
    """
    under_lip = None
    seen, thickness, outermost = _edge_and_handle(rows)
    edge = seen.copy()
    least_step = max(1.5, 0.01 * len(edge))
    longest = round(MAX_ROOT * len(edge))
    for start, stop in _runs(thickness >= 2):
        if stop - start < 3:
            continue
        # Bridges from the gap's ends, and from the fillets there, where the handle's root is a step on the body.
        # Upwards the bridge crosses the handle, which is short; downwards the handle may run along the body before it
        # joins it.
        usual = float(np.median(thickness[start:stop]))
        arch = min(longest, round(MAX_ARCH * usual) + 2)
        fillet = round(FILLET_SHARE * usual) + 3
        shoulder, deepest = _deeper(rows, usual), _deeper(rows, HIDING * usual)
        middle = outermost[min(start + 3, stop - 1)] - usual / 2
        is_tall = stop - start >= MIN_COLUMN_SHARE * len(edge)
        ends_under_lip = is_wide and is_tall and _ends_under_lip(seen, start, middle)
        for row in range(start, stop):
            # a flat shoulder widens too, but lies deeper than a handle is thick
            unexplained = edge - np.maximum(edge[row], shoulder)
            if row >= stop - fillet and unexplained[row : row + 4].max() > least_step:
                reappears = _end_of_root(outermost, stop, longest)
                edge = without_root(edge, row, 1, min(longest, reappears - row), deepest)
            if not ends_under_lip and edge[max(row - 3, 0) : row + 1].max() - edge[row] > least_step:
                edge = without_root(edge, row, -1, arch, np.zeros(len(edge)))
        if ends_under_lip:
            under_lip = None if rises else (start, stop)
            # The plate that joins handle and lip reaches beyond the lip, whose edge lies above the handle's middle.
            # Beside a handle that rises above the lip, the gap shows the lip's edge.
            lip = float(seen[start : start + 3].max()) if rises else middle
            edge[:start] = np.minimum(edge[:start], lip)
    edge = _without_spikes(edge)
    return edge, edge < seen - 1.0, under_lip


def _deeper(rows: np.ndarray, least: float) -> np.ndarray:
    """Returns how far the pixels extend in each row, float64 [N], that lie deeper than `least` in the silhouette, its
    gaps filled. A handle can't hide the body deeper than it is thick."""
    both = np.concatenate([rows[:, :0:-1], rows], axis=1) > 0.5
    deep = depth(np.asarray(ndimage.binary_fill_holes(both), bool))[:, rows.shape[1] - 1 :] > least
    reach = rows.shape[1] - 1 - np.argmax(deep[:, ::-1], axis=1)
    return np.where(deep.any(axis=1), reach, 0).astype(np.float64)


def _end_of_root(outermost: np.ndarray, stop: int, longest: int) -> int:
    """Returns the last row in which a handle's lower root may hide the body.

    `outermost` are the outermost pixels in each of N rows; the gap between handle and body ends in row `stop`. The body
    reappears in the corner between the handle's outer edge and the body's, where the outline is most concave.
    """
    scale = max(2, round(CORNER_SHARE * len(outermost)))
    rows = np.arange(max(stop, scale), min(stop + longest, len(outermost) - scale))
    smooth = ndimage.gaussian_filter1d(outermost.astype(np.float64), scale / 4, mode="nearest")
    turn = (smooth[rows + scale] - 2 * smooth[rows] + smooth[rows - scale]) / scale if len(rows) else np.zeros(1)
    if turn.max() < MIN_CORNER_TURN:
        return len(outermost)
    return int(rows[int(np.argmax(turn))]) + scale


def _ends_under_lip(seen: np.ndarray, start: int, middle: float) -> bool:
    """Returns whether the handle beside the gap that starts in row `start` ends under the lip.

    Above such a gap, the silhouette is wider than the distance of the handle's `middle` from the axis, except in the
    first rows, in which the mouth's ellipse closes. Above the gap of another handle, the silhouette returns to the
    neck.
    """
    if not 3 <= start <= MAX_LIP_SHARE * len(seen):
        return False
    return bool((seen[round(MAX_CLOSING * start) : start - 2] >= middle).all())


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


def _edge_and_handle(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns, for each of N rows, the body's edge, the thickness of a handle beside the body and the outermost pixel,
    all in pixels.

    The edge, float64 [N], is the end of the run of vase pixels that starts at the axis, with subpixel accuracy. The
    thickness, int [N], is the number of vase pixels outside this run. The outermost pixel, int [N], is that of body and
    handle.
    """
    inside = rows > 0.5
    length = np.where(inside.all(axis=1), rows.shape[1] - 1, np.argmin(inside, axis=1))
    index = np.arange(len(rows))
    last, following = rows[index, np.maximum(length - 1, 0)], rows[index, length]
    edge = length - 1 + (last - 0.5) / np.maximum(last - following, 1e-6)
    beyond = inside & (np.arange(rows.shape[1]) > length[:, None])
    outermost = rows.shape[1] - 1 - np.argmax(inside[:, ::-1], axis=1)
    return edge.astype(np.float64), beyond.sum(axis=1), outermost


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
        value, slope = end_of_line(edge[low::-1][:fit])
        end_value, end_slope = end_of_line(edge[high : high + fit])
        bridge = cubic(high - low, value, -slope, end_value, end_slope)
        bridged[low : high + 1] = np.minimum(bridge, edge[low : high + 1])
    return bridged


def _runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """Returns (first index, last index + 1) of each run of true flags."""
    change = np.diff(np.concatenate([[0], flags.astype(np.int8), [0]]))
    return list(zip(np.nonzero(change == 1)[0].tolist(), np.nonzero(change == -1)[0].tolist(), strict=True))
