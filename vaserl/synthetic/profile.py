"""Defines the form of a vase: its profile, its handles, and the bands that are painted.

A profile is a curve in units of the vase's height. It consists of runs, which are tuples of (radius, height) points.
The curve is smooth within a run. Between two runs it has a corner, for example between foot and body, shoulder and
neck, or neck and lip. Heights never decrease along a profile.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

Polyline = tuple[tuple[float, float], ...]
Band = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """A handle: a tube along a curve from one point of the vase's wall to another.

    Example: a handle of a neck-amphora begins at the neck below the lip and ends on the shoulder.
    """

    azimuth_deg: float
    """Position of the handle around the vase in degrees: 0 is the front, 90 the right-hand side, 180 the back."""
    path: tuple[tuple[float, float, float], ...]
    """Points (distance from the vase's axis, offset to the side, height) of the tube's centre line, in units of the
    vase's height. Both ends are inside the wall."""
    thickness: float = 0.026
    """Radius of the tube, in units of the vase's height."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The form of one kind of vase, in units of the vase's height."""

    name: str
    """Name in the records of the Beazley archive, for example "AMPHORA, NECK" for a neck-amphora."""
    runs: tuple[Polyline, ...]
    """Outer profile from the edge of the foot to the top of the lip. A run is a smooth curve through (radius, height)
    points; there is a corner between two runs."""
    handles: tuple[Handle, ...]
    floor: float
    """Height of the floor inside the vase, at the axis."""
    frieze: Band
    """Heights of the lower and the upper edge of the band that contains the figures."""
    ornaments: tuple[Band, ...]
    """Heights of the lower and the upper edge of each band with the painter's ornament, the highest band first."""
    trefoil: float = 0.0
    """Depth of the three lobes of a trefoil lip, as a fraction of the radius of the lip; 0 for a round lip."""

    def outside(self, num_points: int = 64) -> np.ndarray:
        """Returns N points (radius, height) of the outer profile from foot to lip, float64 [N, 2].

        The points are nearly evenly spaced and include all corners of the profile, so N is only approximately
        `num_points`.
        """
        lengths = np.array([np.hypot(*np.diff(np.array(run), axis=0).T).sum() for run in self.runs])
        counts = np.maximum(2, np.round(num_points * lengths / lengths.sum())).astype(int)
        pieces = [_smooth(np.array(run), count) for run, count in zip(self.runs, counts, strict=True)]
        return np.concatenate([pieces[0], *(piece[1:] for piece in pieces[1:])])

    def inside(self, num_points: int = 16, wall: float = 0.022) -> np.ndarray:
        """Returns N = `num_points` points (radius, height) of the inner profile, float64 [N, 2].

        They lead from the lip to the centre of the floor. `wall` is the thickness of the wall.
        """
        outside = self.outside()
        lip = outside[-1]
        heights = np.linspace(lip[1], self.floor + wall, num_points - 1)
        above = outside[outside[:, 1] >= self.floor]
        radii = np.maximum(np.interp(heights, above[:, 1], above[:, 0]) - wall, 0.4 * wall)
        radii[0] = lip[0] - wall
        return np.concatenate([np.stack([radii, heights], axis=1), [[0.0, self.floor]]])


def _smooth(points: np.ndarray, count: int) -> np.ndarray:
    """Returns `count` points of a smooth curve through the given points; between two of them it doesn't overshoot."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    curve = PchipInterpolator(along, points)(np.linspace(0.0, along[-1], count))
    curve[-1] = points[-1]  # exactly the last point, so that consecutive runs join
    return curve
