"""Half widths of a silhouette -> radius at each height, undoing the camera's look from above.

The silhouette is the union of the ellipses as which the vase's horizontal circles appear. The largest radius at a
height is that of the largest ellipse, centred there, which the silhouette holds:

    r(c)^2 = min over rows y of  w(y)^2 + ((y - c) / s)^2

with w the half width and s the flatness: the visual hull of a solid of revolution, a lower envelope of parabolas. It
gives foot and lip their flat ends back, which the silhouette shows as arcs. What no silhouette can show, hollows
steeper than the line of sight, stays filled.
"""

import numpy as np
from scipy import ndimage

from vaserl.meshes.lathe.camera import LEAST_FLATNESS, CameraView

SUBROWS = 4
"""Half widths are interpolated to this many rows for each of the picture's."""


def radius_by_row(half_width: np.ndarray, view: CameraView) -> tuple[np.ndarray, np.ndarray]:
    """Rows of circle centres, from foot to mouth, and their radii: float64 [M] each, in pixels."""
    num_rows = len(half_width)
    ends = np.concatenate([[-0.5], np.arange(num_rows), [num_rows - 0.5]])  # half a row out, the silhouette ends
    rows = np.linspace(-0.5, num_rows - 0.5, SUBROWS * num_rows + 1)
    width = np.interp(rows, ends, np.concatenate([[0.0], half_width, [0.0]]))
    num_centres = max(8, round(view.foot_row - view.mouth_row))
    centres = np.linspace(view.foot_row, view.mouth_row, num_centres + 1)
    flatness = np.maximum(np.abs(view.flatness(centres)), LEAST_FLATNESS)
    squared = width**2 + ((rows - centres[:, None]) / flatness[:, None]) ** 2
    radius = np.sqrt(squared.min(axis=1))
    return centres, ndimage.gaussian_filter1d(ndimage.median_filter(radius, 3, mode="nearest"), 0.7, mode="nearest")


def profile_of(half_width: np.ndarray, view: CameraView, num_sections: int) -> np.ndarray:
    """float64 [num_sections, 2] (radius, height) from foot to lip in units of the height, evenly along the curve."""
    centres, radius = radius_by_row(half_width, view)
    pixels = (view.foot_row - view.mouth_row) / view.foreshortening
    height = (view.foot_row - centres) / (view.foot_row - view.mouth_row)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(radius / pixels), np.diff(height)))])
    at = np.linspace(0.0, along[-1], num_sections)
    return np.stack([np.interp(at, along, radius / pixels), np.interp(at, along, height)], axis=1)
