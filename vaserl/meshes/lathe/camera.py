"""Estimates how steeply the camera looks down, from the curves of foot and lip.

A horizontal circle of radius r appears as an ellipse with half-axes r and s r: its flatness s is the sine of the angle
at which its plane is seen. From a camera at a finite distance, the foot is seen at a steeper angle than the lip, so s
is measured at both ends and interpolated linearly; otherwise the projection is treated as orthographic.
"""

from dataclasses import dataclass

import numpy as np

MAX_FLATNESS = 0.52
"""Largest flatness s that is accepted: a view from 31 degrees above."""
LEAST_FLATNESS = 0.03
"""Smallest flatness s that is measured; flatter circles are only a few pixels high and are given this value."""
USUAL_DIFFERENCE = 0.25
"""Usual difference of the flatness s between foot and lip: a photograph from a distance of four heights."""
MAX_END = 0.25
"""Largest distance of the outermost circle's centre from the end of the silhouette, as a share of its rows."""
ARC_SHARE = 0.85
"""Half width up to which the arc is fitted, as a share of the circle's radius; further out, a rounded lip or foot
departs from the ellipse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraView:
    """The nearly orthographic camera, in the upright frame.

    For a circle of radius r whose centre appears in row c, with the flatness s(c), the point at azimuth a (0: towards
    the camera) appears r sin(a) beside the axis in row c + s(c) r cos(a).
    """

    mouth_row: float
    """Row in which the centre of the mouth's circle appears, counted from the body's first row."""
    foot_row: float
    """Row in which the centre of the foot's circle appears, counted likewise; greater than `mouth_row`."""
    mouth_flatness: float
    """Flatness s at the mouth; negative when the camera is below the lip and looks at its underside."""
    foot_flatness: float
    """Flatness s at the foot, always positive."""

    def flatness(self, row: np.ndarray) -> np.ndarray:
        """Returns the flatness s of circles whose centres appear in these rows."""
        share = (row - self.mouth_row) / (self.foot_row - self.mouth_row)
        return self.mouth_flatness + np.clip(share, 0.0, 1.0) * (self.foot_flatness - self.mouth_flatness)

    @property
    def foreshortening(self) -> float:
        """Ratio of apparent to true height: the cosine of the mean angle of view."""
        return float(np.cos((np.arcsin(self.mouth_flatness) + np.arcsin(self.foot_flatness)) / 2))


def find_view(half_width: np.ndarray) -> CameraView:
    """Estimates the camera from the body's half width in each of N rows, float64 [N] in pixels, top row first.

    A camera above the lip and one below it give the same silhouette. Of the two signs of the flatness at the mouth, the
    one is chosen that agrees better with a photograph from the usual distance.
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
    """Returns the row of the centre of the circle at the silhouette's first row, and the circle's flatness s.

    On the circle's near or far half, row and half width w obey row = c - s sqrt(R^2 - w^2). For a given R, c and s
    follow by linear least squares; R is the half width in row c. The two steps alternate until c converges. The flat
    end of the arc is measured less exactly than its sides and has less weight.
    """
    farthest = max(4, round(MAX_END * len(half_width)))
    outermost = np.maximum.accumulate(half_width[:farthest])
    centre, flatness = 0.06 * len(half_width), LEAST_FLATNESS
    for _ in range(20):
        radius = float(np.interp(centre, np.arange(farthest), outermost))
        num_rows = int(np.argmax(outermost >= ARC_SHARE * radius))
        # the silhouette ends half a row before its first row, with an uncertainty of half a row
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
        # the centre stays so far from the end that the circle doesn't exceed the silhouette
        return max(centre, flatness * float(np.interp(centre, np.arange(farthest), outermost)) - 0.5), flatness
    # a round bottom or dome and not a circle seen from above: use a plane at the usual angle that cuts it
    return float(np.argmax(np.arange(farthest) >= USUAL_DIFFERENCE * outermost)), USUAL_DIFFERENCE
