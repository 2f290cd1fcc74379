"""Recognises outlines that a vase from the side rarely has: one ellipse with at most handles beside it, or a ball.

Views from above, into the mouth or onto a lid have such outlines, and so have round jars from the side. Most vases from
the side depart from an ellipse at the foot, the neck or the lip.
"""

import numpy as np
from scipy import ndimage
from skimage.morphology import convex_hull_image

from vaserl.meshes.masks import components, depth
from vaserl.meshes.reduce import reduced_mask
from vaserl.meshes.silhouette import intersection_over_union

OUTLINE_SIDE = 448
"""Longer side in pixels to which larger masks are reduced for measuring."""
MIN_ELLIPSE = 0.965
"""Smallest intersection over union of the outline without handles and an ellipse, for a view from above."""
HANDLE_SHARE = 0.6
"""Radius of the disc that removes handles from the outline by opening, as a share of the largest inscribed disc's."""
MIN_FLATNESS = 0.6
"""Smallest ratio of the ellipse's axes for a view from above; flatter ellipses are plates seen from the side."""
MIN_NECK = 0.015
"""Smallest area of a part on the axis beyond the ellipse, as a share of the ellipse's, that counts as a neck, a lip or
a foot."""
BALL_CONVEXITY, BALL_FOOT_WIDTH = 0.985, 0.42
"""Convexity from which, and foot width up to which, an outline is a ball's. Round pots have a wider foot."""
_FOOT_ROWS = 0.04
"""Distance of the row in which the foot is measured from the mask's lowest row, as a share of the mask's rows."""


def outline_fault(mask: np.ndarray) -> str:
    """Returns why the outline in a mask, bool [H, W], may not be that of a vase from the side, or ""."""
    small = reduced_mask(mask, OUTLINE_SIDE)
    if is_ellipse(small):
        return "seen from above: the outline is an ellipse without foot and neck; use a photograph from the side"
    if _is_ball(small):
        return "round like a ball: it has no foot, or was seen from above; use a photograph from the side"
    return ""


def is_ellipse(mask: np.ndarray) -> bool:
    """Returns whether the outline in a mask, bool [H, W], is an ellipse with at most handles beside it."""
    likeness, flatness = ellipse_likeness(mask)
    if likeness < MIN_ELLIPSE or flatness < MIN_FLATNESS:
        return False
    filled = np.asarray(ndimage.binary_fill_holes(mask), bool)
    round_part = _opened(filled)
    labels, areas = components(filled & ~round_part)
    rows, columns = np.nonzero(round_part)
    middle, half = columns.mean(), np.ptp(columns) / 2
    for label in np.nonzero(areas > MIN_NECK * round_part.sum())[0]:
        where = np.nonzero(labels == label)
        at_an_end = abs(where[0].mean() - rows.mean()) > 0.7 * np.ptp(rows) / 2
        if abs(where[1].mean() - middle) < 0.35 * half and at_an_end:
            return False
    return True


def ellipse_likeness(mask: np.ndarray) -> tuple[float, float]:
    """Returns how well an ellipse fits the outline in a mask, bool [H, W], without handles: their intersection over
    union, and the ratio of the ellipse's axes.

    The ellipse has the moments of the area.
    """
    body = _opened(np.asarray(ndimage.binary_fill_holes(mask), bool))
    rows, columns = np.nonzero(body)
    if len(rows) < 3:
        return 0.0, 0.0
    centre = np.array([rows.mean(), columns.mean()])
    spread = np.cov(np.stack([rows, columns]))
    if np.linalg.det(spread) < 1e-6:
        return 0.0, 0.0
    offset = np.moveaxis(np.indices(mask.shape), 0, -1) - centre
    # a uniform ellipse has variances of a quarter of its squared half-axes
    inside = np.einsum("...i,ij,...j->...", offset, np.linalg.inv(spread), offset) <= 4.0
    small, large = np.sqrt(np.linalg.eigvalsh(spread))
    return intersection_over_union(np.asarray(inside, bool), body), float(small / large)


def convexity(mask: np.ndarray) -> float:
    """Returns the area of the mask, bool [H, W], gaps filled, relative to its convex hull."""
    if not mask.any():
        return 0.0
    filled = np.asarray(ndimage.binary_fill_holes(mask), bool)
    return float(filled.sum() / max(int(convex_hull_image(filled).sum()), 1))


def _is_ball(mask: np.ndarray) -> bool:
    widths = mask.sum(axis=1)
    rows = np.flatnonzero(widths)
    if not len(rows):
        return False
    foot = widths[max(rows[-1] - round(_FOOT_ROWS * len(rows)), rows[0])]
    return foot <= BALL_FOOT_WIDTH * widths.max() and convexity(mask) >= BALL_CONVEXITY


def _opened(filled: np.ndarray) -> np.ndarray:
    """Returns the mask without parts that are narrow compared with its largest inscribed disc."""
    inner = depth(np.pad(filled, 1))
    radius = HANDLE_SHARE * float(inner.max())
    return (depth(~(inner > radius)) <= radius)[1:-1, 1:-1] & filled
