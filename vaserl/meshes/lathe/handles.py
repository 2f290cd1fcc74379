"""Finds handles in the part of the silhouette beside the body: the centre line and the thickness of each handle.

A handle that joins the body at two heights is an upright handle in the image plane. A handle that joins the body at one
height, like a bar, is a horizontal loop seen end-on. A loop's width isn't visible and is assumed to equal its length.
A handle that ends under the lip is that of a column-krater: two columns, one behind the other, that carry a plate at
the lip. Handles in front of or behind the body aren't visible in a silhouette.
"""

from dataclasses import replace
from itertools import pairwise

import numpy as np
from scipy import ndimage
from skimage.graph import route_through_array

from vaserl.meshes.lathe.columns import columns_of
from vaserl.meshes.lathe.edges import MIN_RISE, BodyEdges
from vaserl.meshes.lathe.handle_outline import HandleOutline
from vaserl.meshes.masks import components, depth

MIN_AREA = 0.003
"""Smallest area of a handle, as a share of the body's area in the mask."""
MIN_REACH = 0.04
"""Smallest distance between the body and the tip of a handle, as a share of the body's rows."""
TOP_SHARE = 0.5
"""Part of a handle above the lip, from its top, in which the middle of its arch is sought, as a share of its rise."""
MIN_SPAN = 6
"""Smallest distance of a broken root from the other one, in halves of the handle's thickness."""
MIN_COMMON = 0.6
"""Smallest intersection over union of two handles' areas with their gaps, mirrored, for one to be like the other."""
FOOT_SHARE = 0.85
"""Row below whose start no handle lies, as a share of the body's rows: feet, stands and shadows do."""
MIN_RING_AREA = 0.04
"""Smallest area of the gap in a small handle, as a share of the handle's, for its centre line to run around it."""
MAX_HANDLES = 4
"""Largest number of handles: Greek vases have no more, and further pieces of the silhouette are noise."""


def find_handles(upright: np.ndarray, edges: BodyEdges) -> list[HandleOutline]:
    """Returns the handles beside the body `edges` in `upright`, the vase's mask rotated so that its axis is vertical,
    largest first."""
    top, half_width = edges.top, edges.half_width
    vase = upright > 0.5
    middle = vase.shape[1] // 2
    across = np.abs(np.arange(vase.shape[1]) - middle)
    reach = np.zeros(len(vase))
    reach[top : top + len(half_width)] = half_width
    body = (across[None] <= reach[:, None]) & (reach > 0)[:, None]
    grown = np.asarray(ndimage.binary_dilation(body), bool)
    labels, areas = components(np.asarray(ndimage.binary_opening(vase & ~grown), bool), corners=True)
    from_body = depth(~body)
    found: list[HandleOutline] = []
    pieces: list[np.ndarray] = []
    num_found = 0
    for label in 1 + np.argsort(-areas[1:], kind="stable"):
        piece = labels == label
        if areas[label] < MIN_AREA * body.sum() or num_found == MAX_HANDLES:
            break
        if from_body[piece].max() < MIN_REACH * len(half_width):
            continue
        if np.nonzero(piece)[0].mean() - top > FOOT_SHARE * len(half_width):
            continue
        gap = edges.under_lip[int(np.nonzero(piece)[1].mean() > middle)]
        if gap is not None and piece[top + gap[0] : top + gap[1]].any():
            found += columns_of(piece, gap, (top, middle), len(half_width), num_found)
        else:
            found.append(_handle(piece, from_body, (top, middle), len(half_width), num_found))
        pieces.append(np.asarray(ndimage.binary_fill_holes(piece | body), bool) & ~body)
        num_found += 1
    return [_with_gap(outline, found, pieces, middle) for outline in found]


def _with_gap(
    outline: HandleOutline, found: list[HandleOutline], pieces: list[np.ndarray], middle: int
) -> HandleOutline:
    """Returns a handle, or the mirror image of the one on the other side, if the two cover the same area and only the
    other has a gap: then the mask fills this one's gap.

    `pieces` are the areas of the handles with their gaps, bool [H, W] each, by number; `middle` is the axis' column.
    """
    if outline.kind != "loop":
        return outline
    here = _about(pieces[outline.handle], middle)
    for other in found:
        if other.kind == "upright" and np.sign(other.across.mean()) != np.sign(outline.across.mean()):
            there = _about(pieces[other.handle], middle)[:, ::-1]
            if (here & there).sum() >= MIN_COMMON * (here | there).sum():
                return replace(other, handle=outline.handle, across=-other.across)
    return outline


def _about(area: np.ndarray, middle: int) -> np.ndarray:
    """Returns the columns of an area, bool [H, W], that the column `middle` has on both sides."""
    reach = min(middle, area.shape[1] - 1 - middle)
    return area[:, middle - reach : middle + reach + 1]


def _handle(
    piece: np.ndarray, from_body: np.ndarray, origin: tuple[int, int], num_rows: int, number: int
) -> HandleOutline:
    rows, columns = np.nonzero(piece)
    low_row, low_column = max(rows.min() - 2, 0), max(columns.min() - 2, 0)
    window = np.s_[low_row : rows.max() + 3, low_column : columns.max() + 3]
    piece, from_body = piece[window], from_body[window]
    inner = depth(piece)
    touching = piece & (from_body <= max(3.0, from_body[piece].min() + 1.5))
    contacts, sizes = components(touching, corners=True)
    roots = [_highest(inner, contacts == index) for index in range(1, len(sizes))]
    if len(roots) == 1:
        roots += _broken_root(roots[0], piece, inner, from_body)
    ends = _farthest_pair(roots)
    is_upright = ends is not None and _apart(*ends) > 3 * float(inner.max())
    blocked = np.zeros(piece.shape, bool)
    if not is_upright and (ring := _ring(piece, from_body, low_column > origin[1], float(inner.max()))) is not None:
        *ends, blocked = ring
        is_upright = True
    if ends is None or not is_upright:
        ends = (roots[0] if roots else _highest(inner, piece), _highest(from_body, piece))
    cost = np.where(piece & ~blocked, 1.0 / np.maximum(inner, 0.5) ** 2, 1e6)
    stops = [*ends]
    rise = float(origin[0] - rows.min())
    if is_upright and rise > MIN_RISE * num_rows:
        # a volute: up over its highest point, and down to where it meets the lip nearest to the axis
        lower = max(ends)
        in_upper_half = touching & (np.arange(len(piece))[:, None] < (lower[0] + rows.min() - low_row) / 2)
        if in_upper_half.any():
            to_axis = -np.abs(np.arange(piece.shape[1]) + low_column - origin[1]) + 1e4
            inwards = _highest(np.broadcast_to(to_axis, piece.shape), in_upper_half)
            stops = [lower, _highest(inner, piece & (np.arange(len(piece))[:, None] < TOP_SHARE * rise + 2)), inwards]
    legs = [
        route_through_array(cost, start, stop, fully_connected=True, geometric=True)[0]
        for start, stop in pairwise(stops)
    ]
    points = np.array([legs[0][0], *(point for leg in legs for point in leg[1:])])
    radius = inner[points[:, 0], points[:, 1]]
    smooth = max(1.5, 0.03 * len(points))
    usual = float(np.median(radius[len(radius) // 5 : max(4 * len(radius) // 5, 1 + len(radius) // 5)]))
    return HandleOutline(
        kind="upright" if is_upright else "loop",
        handle=number,
        across=ndimage.gaussian_filter1d(points[:, 1] + float(low_column - origin[1]), smooth, mode="nearest"),
        row=ndimage.gaussian_filter1d(points[:, 0] + float(low_row - origin[0]), smooth, mode="nearest"),
        radius=ndimage.gaussian_filter1d(np.clip(radius, 0.7 * usual, 1.3 * usual), 2 * smooth, mode="nearest"),
    )


def _ring(
    piece: np.ndarray, from_body: np.ndarray, is_right: bool, thickness: float
) -> tuple[tuple[int, int], tuple[int, int], np.ndarray] | None:
    """Returns the upper and the lower root of a small handle around a gap, and the part of it between gap and body,
    bool [H, W], through which its centre line doesn't run; None if it has no gap or doesn't surround it.

    `is_right` tells on which side of the body the handle is; `thickness` is the largest half thickness.
    """
    closed = np.asarray(ndimage.binary_fill_holes(piece | (from_body < 2)), bool)
    labels, areas = components(closed & ~piece & (from_body >= 2))
    areas[0] = 0
    if areas.max() < MIN_RING_AREA * piece.sum():
        return None
    gap = labels == int(areas.argmax())
    row, column = (round(float(index.mean())) for index in np.nonzero(gap))
    rows, columns = np.indices(piece.shape)
    towards_body = columns <= column if is_right else columns >= column
    blocked = towards_body & (rows == row)
    inner = depth(piece)
    near = piece & towards_body & (from_body <= from_body[piece & towards_body].min() + 2 * thickness)
    above, below = near & (rows < row), near & (rows > row)
    if not above.any() or not below.any():
        return None
    upper, lower = _highest(inner, above), _highest(inner, below)
    parts, _ = components(piece & ~blocked, corners=True)
    return (upper, lower, blocked) if parts[upper] == parts[lower] else None


def _broken_root(
    root: tuple[int, int], piece: np.ndarray, inner: np.ndarray, from_body: np.ndarray
) -> list[tuple[int, int]]:
    """Returns the end of a handle whose other root is `root`, if it comes as near to the body as it is thick: a
    reflection beside the root is taken for backdrop at times."""
    rows, columns = np.indices(piece.shape)
    away = np.hypot(rows - root[0], columns - root[1]) > MIN_SPAN * float(inner.max())
    near = piece & away & (from_body <= 2 * float(inner.max()))
    # between the two, the handle stands off
    if not near.any() or from_body[piece].max() < 3 * float(inner.max()):
        return []
    return [_highest(-from_body, near)]


def _highest(values: np.ndarray, where: np.ndarray) -> tuple[int, int]:
    """Returns the (row, column) of the largest element of `values` where `where` is True."""
    row, column = np.unravel_index(int(np.argmax(np.where(where, values, -np.inf))), values.shape)
    return int(row), int(column)


def _farthest_pair(points: list[tuple[int, int]]) -> tuple[tuple[int, int], tuple[int, int]] | None:
    pairs = [(a, b) for index, a in enumerate(points) for b in points[index + 1 :]]
    return max(pairs, key=lambda pair: _apart(*pair), default=None)


def _apart(a: tuple[int, int], b: tuple[int, int]) -> float:
    return float(np.hypot(a[0] - b[0], a[1] - b[1]))
