"""Computes a vase's radius at each height from the half widths of its silhouette, for a camera that looks down on it.

The vase's horizontal circles appear as ellipses, and the silhouette is their union. The radius of the circle whose
centre appears in row c is that of the largest ellipse that is centred in row c and lies within the silhouette:

    r(c)^2 = min over rows y of  w(y)^2 + ((y - c) / s)^2

Here w is the silhouette's half width and s the flatness, the ratio of an ellipse's half-axes. The result is the visual
hull of a solid of revolution, a lower envelope of parabolas. It restores the flat ends of foot and lip, which appear as
arcs in the silhouette. Concavities steeper than the line of sight don't appear in a silhouette and stay filled.
"""

import numpy as np
from scipy import ndimage

from vaserl.meshes.lathe.camera import LEAST_FLATNESS, CameraView

SUBROWS = 4
"""Number of interpolated rows for each row of the image."""


def radius_by_row(half_width: np.ndarray, view: CameraView) -> tuple[np.ndarray, np.ndarray]:
    """Returns the vase as M horizontal circles, ordered from foot to mouth: the image row of each circle's centre and
    each circle's radius, both in pixels, float64 [M]."""
    num_rows = len(half_width)
    # the silhouette ends half a row beyond its first and its last row
    ends = np.concatenate([[-0.5], np.arange(num_rows), [num_rows - 0.5]])
    rows = np.linspace(-0.5, num_rows - 0.5, SUBROWS * num_rows + 1)
    width = np.interp(rows, ends, np.concatenate([[0.0], half_width, [0.0]]))
    num_centres = max(8, round(view.foot_row - view.mouth_row))
    centres = np.linspace(view.foot_row, view.mouth_row, num_centres + 1)
    flatness = np.maximum(np.abs(view.flatness(centres)), LEAST_FLATNESS)
    squared = width**2 + ((rows - centres[:, None]) / flatness[:, None]) ** 2
    radius = np.sqrt(squared.min(axis=1))
    return centres, ndimage.gaussian_filter1d(ndimage.median_filter(radius, 3, mode="nearest"), 0.7, mode="nearest")


def profile_of(half_width: np.ndarray, view: CameraView, num_sections: int) -> np.ndarray:
    """Returns the profile, float64 [num_sections, 2]: (radius, height) in body heights from foot to lip.

    The points are equally spaced along the curve.
    """
    centres, radius = radius_by_row(half_width, view)
    pixels = (view.foot_row - view.mouth_row) / view.foreshortening
    height = (view.foot_row - centres) / (view.foot_row - view.mouth_row)
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(radius / pixels), np.diff(height)))])
    at = np.linspace(0.0, along[-1], num_sections)
    return np.stack([np.interp(at, along, radius / pixels), np.interp(at, along, height)], axis=1)
