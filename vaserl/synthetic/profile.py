"""Defines the form of a vase: a profile curve, handles, and the bands for painting.

A profile is given in units of the vase's height, as runs, which are lists of (radius, height) points. A run is smooth,
and two runs meet at a corner, such as between foot and body, shoulder and neck, or neck and lip. Heights never decrease
along a profile.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

Polyline = tuple[tuple[float, float], ...]
Band = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """A tube swept along a curve, in a vertical plane through the axis or bulging sideways out of it.

    Example: a neck-amphora's handle begins at the neck under the lip and ends on the shoulder.
    """

    azimuth_deg: float
    """Position around the vase in degrees: 0 is the front, 90 the right-hand side, 180 the back."""
    path: tuple[tuple[float, float, float], ...]
    """Points (distance from the axis, sideways, height) of the tube's middle line; both ends lie inside the wall."""
    thickness: float = 0.026
    """Radius of the tube, in units of the vase's height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The form of one kind of vase, in units of the vase's height."""

    name: str
    """Name as in a record of the Beazley archive: family, then kind."""
    runs: tuple[Polyline, ...]
    """Profile of the outside, from the edge of the foot to the top of the lip."""
    handles: tuple[Handle, ...]
    floor: float
    """Height of the lowest point of the inside."""
    frieze: Band
    """Lower and upper edge of the band in which the figures stand."""
    ornaments: tuple[Band, ...]
    """Lower and upper edge of each band of the painter's ornament."""
    trefoil: float = 0.0
    """Depth of the lip's three lobes, as a share of the lip's radius; 0 for a round lip."""

    def outside(self, num_points: int = 64) -> np.ndarray:
        """Returns N points (radius, height) of the outside from foot to lip, corners included, float64 [N, 2].

        num_points: approximate number; the points are nearly evenly spaced."""
        lengths = np.array([np.hypot(*np.diff(np.array(run), axis=0).T).sum() for run in self.runs])
        counts = np.maximum(2, np.round(num_points * lengths / lengths.sum())).astype(int)
        pieces = [_smooth(np.array(run), count) for run, count in zip(self.runs, counts, strict=True)]
        return np.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])])

    def inside(self, num_points: int = 16, wall: float = 0.022) -> np.ndarray:
        """Returns N = `num_points` (radius, height) of the inside from lip to the floor's centre, float64 [N, 2]."""
        outside = self.outside()
        lip = outside[-1]
        heights = np.linspace(lip[1], self.floor + wall, num_points - 1)
        above = outside[outside[:, 1] >= self.floor]
        radii = np.maximum(np.interp(heights, above[:, 1], above[:, 0]) - wall, 0.4 * wall)
        radii[0] = lip[0] - wall
        return np.concatenate([np.stack([radii, heights], axis=1), [[0.0, self.floor]]])


def _smooth(points: np.ndarray, count: int) -> np.ndarray:
    """Returns `count` points of a smooth curve through the points, which doesn't leave their range."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    curve = PchipInterpolator(along, points)(np.linspace(0.0, along[-1], count))
    curve[-1] = points[-1]  # exactly the last point, so that consecutive runs join
    return curve
