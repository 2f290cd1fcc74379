"""Prepares the vase's mask: of its parts the largest, with the gaps between handles and body and no other holes."""

import numpy as np
from scipy import ndimage

from vaserl.meshes.lathe.failure import LatheError
from vaserl.meshes.masks import components, depth

MIN_SHARE = 0.01
"""Smallest area of the vase, as a share of the image's area."""
MAX_CONTACT = 0.10
"""Largest length over which the vase may touch a side of the image, as a share of the vase's extent along this side;
beyond it, the image's border cuts the vase, unless the outline closes at the top or the bottom."""
CLOSING_SHARE = 0.022
"""Distance from the border over which the outline must close, as a share of the image's longer side."""
MAX_CLOSING_CONTACT, MAX_CLOSING_RATIO = 0.6, 0.85
"""Largest length over which a lip or a foot may touch the border, as a share of the vase's largest width, and of its
width at `CLOSING_SHARE` from the border: an ellipse closes there, a wall goes on."""
MIN_HOLE_SHARE = 2.5e-3
"""Smallest area of a gap between handle and body, as a share of the vase's area; smaller holes are taken for faults of
the mask."""
MIN_RING_SHARE = 8e-4
"""Smallest area of the gap in a ring, a handle that stands off the body as a whole, as a share of the vase's area."""
RING_RADIUS = 0.35
"""Radius of the disc that removes such handles from the silhouette by opening, as a share of the largest inscribed
disc's."""
MAX_IN_MIDDLE = 0.2
"""Largest share of a gap's pixels in the body's middle: the gap beside a thin neck may reach into it."""


def vase_mask(mask: np.ndarray) -> np.ndarray:
    """Returns the vase in a mask, bool [H, W], without the gaps between handles and body.

    Raises: LatheError when the image is too small, there is no vase or the image's border cuts it.
    """
    if min(mask.shape) < 32:
        raise LatheError(f"the photograph has only {mask.shape[1]} x {mask.shape[0]} pixels")
    mask = _largest_component(np.asarray(ndimage.binary_opening(mask), bool))
    if mask.mean() < MIN_SHARE:
        raise LatheError("no vase found: the mask is nearly empty")
    mask = _without_false_gaps(mask)
    refuse_cut(mask)
    return mask


def refuse_cut(mask: np.ndarray) -> None:
    """Checks that the vase lies within the image; contact with a side up to `MAX_CONTACT` is allowed, and that of a lip
    at the top or a foot at the bottom, where the outline closes.

    Raises: LatheError with the side at which the vase is cut.
    """
    width = max(int(mask.any(axis=0).sum()), 1)
    height = max(int(mask.any(axis=1).sum()), 1)
    sides = {"top": (mask[0], width), "bottom": (mask[-1], width), "left": (mask[:, 0], height)}
    sides["right"] = (mask[:, -1], height)
    cut = [name for name, (line, extent) in sides.items() if line.sum() > MAX_CONTACT * extent]
    cut = [name for name in cut if not (name in ("top", "bottom") and _closes(mask if name == "top" else mask[::-1]))]
    if cut:
        raise LatheError(f"the frame cuts the vase at the {' and '.join(cut)}")


def _closes(mask: np.ndarray) -> bool:
    """Returns whether the outline closes at the mask's first row like a lip or a foot."""
    widths = mask.sum(axis=1)
    inner = widths[min(max(2, round(CLOSING_SHARE * max(mask.shape))), len(mask) - 1)]
    return bool(widths[0] <= MAX_CLOSING_CONTACT * widths.max() and widths[0] <= MAX_CLOSING_RATIO * inner)


def _largest_component(mask: np.ndarray) -> np.ndarray:
    labels, areas = components(mask)
    return labels == max(1, int(areas.argmax()))


def _without_false_gaps(mask: np.ndarray) -> np.ndarray:
    """Returns the mask after filling the holes that can't be gaps under handles: small holes, unless they are in a part
    that stands off the body, and holes in the body's middle.

    The middle is a vertical band around the centre of the largest disc in the filled silhouette.
    """
    filled = np.asarray(ndimage.binary_fill_holes(mask), bool)
    inside = depth(filled)
    deepest = inside.max(axis=0)
    middle = int(np.argmax(deepest))
    band = max(1, round(0.2 * float(deepest.max())))
    labels, areas = components(filled & ~mask)
    radius = RING_RADIUS * float(deepest.max())
    body = depth(~(inside > radius)) <= radius
    on_body, in_middle = (
        np.bincount(labels[where].ravel(), minlength=len(areas)) / np.maximum(areas, 1)
        for where in (body, np.s_[:, max(middle - band, 0) : middle + band + 1])
    )
    least = np.where(on_body < 0.5, MIN_RING_SHARE, MIN_HOLE_SHARE) * mask.sum()
    fill = (areas < np.maximum(least, 6)) | (in_middle > MAX_IN_MIDDLE)
    fill[np.unique(labels[:, middle])] = True
    fill[0] = False
    return mask | fill[labels]
