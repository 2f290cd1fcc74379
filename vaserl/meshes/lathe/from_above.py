"""Recognises views from above, into the mouth or onto a lid: the outline is one ellipse, with at most handles
beside it.

From the side, a vase's outline departs from an ellipse at the foot, the neck or the lip. An outline can't tell a view
from above from a ball without foot and mouth, which no vase is.
"""

import numpy as np
from scipy import ndimage

from vaserl.meshes.lathe.failure import LatheError
from vaserl.meshes.lathe.masks import components, depth
from vaserl.meshes.silhouette import intersection_over_union

MIN_ELLIPSE = 0.965
"""Smallest intersection over union of the outline without handles and an ellipse, for a view from above."""
HANDLE_SHARE = 0.6
"""Radius of the disc that removes handles from the outline by opening, as a share of the largest inscribed disc's."""
MIN_FLATNESS = 0.6
"""Smallest ratio of the ellipse's axes for a view from above; flatter ellipses are plates seen from the side."""
MIN_NECK = 0.015
"""Smallest area of a part on the axis beyond the ellipse, as a share of the ellipse's, that counts as a neck, a lip or
a foot."""


def refuse_from_above(mask: np.ndarray) -> None:
    """Checks that the outline in a mask, bool [H, W], isn't that of a vase seen from above.

    Raises: LatheError when the outline is an ellipse with at most handles beside it.
    """
    likeness, flatness = ellipse_likeness(mask)
    if likeness < MIN_ELLIPSE or flatness < MIN_FLATNESS:
        return
    filled = np.asarray(ndimage.binary_fill_holes(mask), bool)
    round_part = _opened(filled)
    labels, areas = components(filled & ~round_part)
    rows, columns = np.nonzero(round_part)
    middle, half = columns.mean(), np.ptp(columns) / 2
    for label in np.nonzero(areas > MIN_NECK * round_part.sum())[0]:
        where = np.nonzero(labels == label)
        at_an_end = abs(where[0].mean() - rows.mean()) > 0.7 * np.ptp(rows) / 2
        if abs(where[1].mean() - middle) < 0.35 * half and at_an_end:
            return
    raise LatheError("seen from above: the outline is an ellipse without foot and neck; use a photograph from the side")


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


def _opened(filled: np.ndarray) -> np.ndarray:
    """Returns the mask without parts that are narrow compared with its largest inscribed disc."""
    inner = depth(np.pad(filled, 1))
    radius = HANDLE_SHARE * float(inner.max())
    return (depth(~(inner > radius)) <= radius)[1:-1, 1:-1] & filled
