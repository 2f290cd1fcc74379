"""Finds the axis of rotation in a mask: the line about which the silhouette is its own mirror image.

The axis minimises the mean distance of the mirrored outline from the outline. Distances are capped, so a single handle,
which has no counterpart on the other side, hardly moves the axis.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, optimize

from vaserl.meshes.lathe.failure import LatheError
from vaserl.meshes.masks import depth

MAX_TILT_DEG = 20.0
"""Largest tilt of the axis, in degrees, that the search considers; a vase that tilts more is treated as lying on its
side."""
MAX_OUTLINE = 400
"""Approximate number of outline points that are mirrored."""
MIRROR_CAP = 0.03
"""Upper limit of a mirrored point's distance from the outline, as a share of the vase's size; larger distances are
replaced by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The vase's axis of rotation in the image.

    The upright frame, in which the body is measured, is the image rotated so that the axis is its middle column.

    Example: Axis(x=112.3, y=111.5, tilt_deg=1.2) leans 1.2 degrees to the right.
    """

    x: float
    """Column, in pixels, of the point where the axis crosses the middle row of the image."""
    y: float
    """Row of the point on the axis whose column is `x`: the middle row of the image."""
    tilt_deg: float
    """Angle in degrees between the axis and the image's vertical, positive when the top leans to the right."""

    def to_photo(self, across: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Converts points of the upright frame (the image rotated so that the axis is vertical) to columns and rows of
        the photograph.

        `across` is a point's signed distance from the axis in pixels. `down` is its distance along the axis, downwards
        from the point (`x`, `y`).
        """
        cosine, sine = np.cos(np.radians(self.tilt_deg)), np.sin(np.radians(self.tilt_deg))
        return self.x + across * cosine - down * sine, self.y + across * sine + down * cosine


def find_axis(mask: np.ndarray) -> Axis:
    """Finds the axis of the silhouette in a mask, bool [H, W].

    Raises: LatheError when the vase lies on its side.
    """
    outline = mask & ~np.asarray(ndimage.binary_erosion(mask), bool)
    rows, columns = np.nonzero(outline)
    every = max(1, len(rows) // MAX_OUTLINE)
    size = max(np.ptp(rows), np.ptp(columns))
    mirrored = _Mirror(
        x=columns[::every].astype(np.float64),
        y=rows[::every].astype(np.float64),
        to_outline=np.minimum(depth(~outline), MIRROR_CAP * size),
        cap=MIRROR_CAP * float(size),
        middle_row=(mask.shape[0] - 1) / 2,
    )
    coarse = np.linspace(-MAX_TILT_DEG, MAX_TILT_DEG, 21)
    middle = float(np.average(columns))
    places = middle + np.linspace(-0.2, 0.2, 33) * size
    grid = np.array([[mirrored(place, tilt_deg) for place in places] for tilt_deg in coarse])
    best = np.unravel_index(int(np.argmin(grid)), grid.shape)
    start = np.array([places[best[1]], coarse[best[0]]])
    simplex = start + np.array([[0.0, 0.0], [0.01 * size, 0.0], [0.0, 1.5]])
    found = optimize.minimize(
        lambda at: mirrored(at[0], at[1]),
        start,
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": 0.01, "fatol": 1e-5, "maxiter": 120},
    )
    x, tilt_deg = (float(value) for value in found.x)
    if abs(tilt_deg) > MAX_TILT_DEG - 1:
        raise LatheError(f"the vase leans by more than {MAX_TILT_DEG - 1:g} degrees or isn't symmetric")
    return Axis(x=x, y=mirrored.middle_row, tilt_deg=tilt_deg)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mirror:
    """Callable that returns the mean distance between the outline and its mirror image about a given axis."""

    x: np.ndarray
    """float64 [N] columns of N points on the outline."""
    y: np.ndarray
    """float64 [N] rows of N points on the outline."""
    to_outline: np.ndarray
    """float64 [H, W] distance of each pixel from the outline, at most `cap`."""
    cap: float
    """Upper limit of a point's distance from the outline in pixels; a point that is mirrored to outside the image gets
    this value."""
    middle_row: float
    """Middle row of the image; an axis is defined by its column in this row and its tilt."""

    def __call__(self, x: float, tilt_deg: float) -> float:
        """Mirrors the outline's points in an axis and returns their mean distance from the outline, in pixels.

        The axis crosses `middle_row` in column `x`, tilted by `tilt_deg`. A hundredth of a pixel is added for each
        degree of tilt, so that the upright axis is chosen if the outline is a circle and every tilt is equally good.
        """
        angle = np.radians(tilt_deg)
        normal = np.cos(angle), np.sin(angle)
        beside = (self.x - x) * normal[0] + (self.y - self.middle_row) * normal[1]
        at = [self.y - 2 * beside * normal[1], self.x - 2 * beside * normal[0]]
        distance = ndimage.map_coordinates(self.to_outline, at, order=1, mode="constant", cval=self.cap)
        return float(distance.mean()) + 0.01 * abs(tilt_deg)


def straighten(mask: np.ndarray, axis: Axis) -> np.ndarray:
    """Returns the mask rotated so that the axis is vertical: float32 [D, 2 R + 1] with the axis in column R.

    Each of the D rows has R pixels on both sides of the axis. Row d is d - (D - 1) / 2 pixels below the middle of the
    image, measured along the axis. Values between 0 and 1 occur at edges.
    """
    rows, columns = np.nonzero(mask)
    cosine, sine = np.cos(np.radians(axis.tilt_deg)), np.sin(np.radians(axis.tilt_deg))
    dx, dy = columns - axis.x, rows - axis.y
    across, down = dx * cosine + dy * sine, dy * cosine - dx * sine
    radius = int(np.ceil(np.abs(across).max())) + 3
    reach = int(np.ceil(np.abs(down).max())) + 3
    grid_down, grid_across = np.mgrid[-reach : reach + 1, -radius : radius + 1].astype(np.float64)
    x, y = axis.to_photo(grid_across, grid_down)
    return ndimage.map_coordinates(mask.astype(np.float32), [y, x], order=1)
