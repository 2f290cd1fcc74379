"""How steeply the camera looks down, read off the curves of foot and lip.

A horizontal circle of radius r appears as an ellipse, r wide and s r high: s is the sine of the angle at which its
plane is seen. A camera at a finite distance sees the foot more steeply than the lip, so s is measured at both ends
and taken as linear in between; apart from that the projection is orthographic.
"""

from dataclasses import dataclass

import numpy as np

MAX_FLATNESS = 0.52
"""Steepest view that is believed: 31 degrees."""
LEAST_FLATNESS = 0.03
"""Circles seen flatter than this are treated as if seen so: pixels can't tell."""
USUAL_DIFFERENCE = 0.25
"""By how much s usually differs between foot and lip: a photograph from four heights away."""
MAX_END = 0.25
"""How far from the end of the silhouette its last circle's centre may lie, as a share of the rows."""
ARC_SHARE = 0.85
"""The part of the arc's radius that is fitted; further out a rounded lip or foot bends away from the ellipse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraView:
    """The near-orthographic camera, in an upright frame.

    A point at azimuth a (0: towards the camera) of the circle of radius r whose centre appears in row c lies
    r sin(a) beside the axis in row c + s(c) r cos(a).
    """

    mouth_row: float
    """Row in which the centre of the mouth's circle appears, counted from the body's first."""
    foot_row: float
    """Row in which the centre of the foot's circle appears, below (greater than) the mouth's."""
    mouth_flatness: float
    """s at the mouth; negative when the camera is below the lip and sees its underside."""
    foot_flatness: float
    """s at the foot, always positive."""

    def flatness(self, row: np.ndarray) -> np.ndarray:
        """s for circles whose centres appear in these rows."""
        share = (row - self.mouth_row) / (self.foot_row - self.mouth_row)
        return self.mouth_flatness + np.clip(share, 0.0, 1.0) * (self.foot_flatness - self.mouth_flatness)

    @property
    def foreshortening(self) -> float:
        """How much shorter heights appear than they are: the cosine of the mean angle of view."""
        return float(np.cos((np.arcsin(self.mouth_flatness) + np.arcsin(self.foot_flatness)) / 2))


def find_view(half_width: np.ndarray) -> CameraView:
    """The view of a body with these half widths, float64 [N] in pixels, top row first.

    Whether the camera stands above or below the lip leaves the silhouette unchanged; of the two, the one is taken
    that agrees better with a photograph from the usual distance.
    """
    mouth, mouth_flatness = _arc(half_width)
    foot, foot_flatness = _arc(half_width[::-1])
    above, below = foot_flatness - mouth_flatness, foot_flatness + mouth_flatness
    if abs(below - USUAL_DIFFERENCE) < abs(above - USUAL_DIFFERENCE):
        mouth_flatness = -mouth_flatness
    return CameraView(
        mouth_row=mouth,
        foot_row=len(half_width) - 1 - foot,
        mouth_flatness=mouth_flatness,
        foot_flatness=foot_flatness,
    )


def _arc(half_width: np.ndarray) -> tuple[float, float]:
    """Row of the centre of the silhouette's first circle, and the flatness of that circle.

    On the circle's near or far half, row and half width obey row = c - s sqrt(R^2 - w^2): a line whose c and s follow
    by least squares for a given R, which is the half width in row c. The two are found in turn. Rows are exact and
    widths nearly so, where the height of the flat end of an arc is not: it weighs little.
    """
    farthest = max(4, round(MAX_END * len(half_width)))
    outermost = np.maximum.accumulate(half_width[:farthest])
    centre, flatness = 0.06 * len(half_width), LEAST_FLATNESS
    for _ in range(20):
        radius = float(np.interp(centre, np.arange(farthest), outermost))
        num_rows = int(np.argmax(outermost >= ARC_SHARE * radius))
        # the silhouette ends half a row before its first, give or take as much
        row = np.concatenate([[-0.5], np.arange(num_rows + 1)])
        width = np.concatenate([[0.0], np.minimum(outermost[: num_rows + 1], radius)])
        weight = np.concatenate([[0.3], np.ones(num_rows), [0.3]])
        height = np.sqrt(radius**2 - width**2)
        slope, base = np.polyfit(height, row, 1, w=weight) if np.ptp(height) > 1e-6 else (0.0, 0.0)
        flatness = max(LEAST_FLATNESS, -float(slope))
        previous, centre = centre, 0.5 * (centre + float(np.clip(base, 0.0, farthest - 1.0)))
        if abs(centre - previous) < 0.01:
            break
    if flatness <= MAX_FLATNESS:
        # no higher than where the circle itself would reach beyond the silhouette's end
        return max(centre, flatness * float(np.interp(centre, np.arange(farthest), outermost)) - 0.5), flatness
    # a round bottom or dome rather than a circle seen from above: say where a plane at the usual angle would cut it
    return float(np.argmax(np.arange(farthest) >= USUAL_DIFFERENCE * outermost)), USUAL_DIFFERENCE
