"""Estimates how steeply the camera looks down, from the curves of foot and lip in the silhouette.

A horizontal circle of radius r appears as an ellipse with half-axes r and s r. Its flatness s is the sine of the angle
between the line of sight and the circle's plane. From a camera at a finite distance, the foot is seen at a steeper
angle than the lip, so s is measured at foot and lip and interpolated linearly between them. Otherwise, the projection
is treated as orthographic.
"""

from dataclasses import dataclass

import numpy as np

MAX_FLATNESS = 0.52
"""Largest accepted flatness s, the ratio of the half-axes of the ellipse as which a circle appears; 0.52 is a view from
31 degrees above."""
LEAST_FLATNESS = 0.03
"""Smallest measured flatness s, the ratio of an ellipse's half-axes. Flatter ellipses are only a few pixels high and
get this value."""
USUAL_DIFFERENCE = 0.25
"""Usual difference of the flatness s (the ratio of an ellipse's half-axes) between foot and lip, as in a photograph
from a distance of four vase heights."""
MAX_END = 0.25
"""Largest distance between an end of the silhouette and the centre of the circle at this end (the lip or the foot), as
a share of the silhouette's rows."""
ARC_SHARE = 0.85
"""The circle of the lip or the foot appears in a photograph as an ellipse. It is fitted to rows of the silhouette whose
half width is at most this share of the circle's radius: in wider rows, a rounded lip or foot deviates from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraView:
    """The nearly orthographic camera of a photograph, in the upright frame (the image rotated so that the axis is
    vertical).

    A horizontal circle of radius r appears as an ellipse with half-axes r and s r, where s is its flatness. Let the
    circle's centre appear in row c. The circle's point at azimuth a (0: towards the camera) then appears at the
    distance r sin(a) from the axis, in row c + s(c) r cos(a).
    """

    mouth_row: float
    """Row in which the centre of the mouth's circle appears, counted from the body's first row."""
    foot_row: float
    """Row in which the centre of the foot's circle appears, counted from the body's first row; greater than
    `mouth_row`."""
    mouth_flatness: float
    """Flatness s of the mouth, the ratio of the half-axes of its ellipse; negative when the camera is below the lip."""
    foot_flatness: float
    """Flatness s of the foot, the ratio of the half-axes of its ellipse; always positive."""
    is_top_round: bool = False
    """True if the top of the outline is too round for the mouth's ellipse at a possible angle: a lid, or a camera that
    looks down by more than 31 degrees. `mouth_flatness` is a guess then."""

    def flatness(self, row: np.ndarray) -> np.ndarray:
        """Returns the flatness s (the ratio of an ellipse's half-axes) of the circles whose centres appear in the rows
        `row`."""
        share = (row - self.mouth_row) / (self.foot_row - self.mouth_row)
        return self.mouth_flatness + np.clip(share, 0.0, 1.0) * (self.foot_flatness - self.mouth_flatness)

    @property
    def foreshortening(self) -> float:
        """Ratio of the body's apparent height to its true height: the cosine of the mean angle at which the camera
        looks down."""
        return float(np.cos((np.arcsin(self.mouth_flatness) + np.arcsin(self.foot_flatness)) / 2))


def find_view(half_width: np.ndarray) -> CameraView:
    """Estimates the camera from the body's half width in each of N rows, float64 [N] in pixels, top row first.

    A camera above the lip and a camera below the lip give the same silhouette, so the flatness at the mouth may be
    positive or negative. The sign is chosen for which the difference between foot and mouth is nearer to
    `USUAL_DIFFERENCE`.
    """
    mouth, mouth_flatness, is_top_round = _arc(half_width)
    foot, foot_flatness, _ = _arc(half_width[::-1])
    above, below = foot_flatness - mouth_flatness, foot_flatness + mouth_flatness
    if abs(below - USUAL_DIFFERENCE) < abs(above - USUAL_DIFFERENCE):
        mouth_flatness = -mouth_flatness
    return CameraView(
        mouth_row=mouth,
        foot_row=len(half_width) - 1 - foot,
        mouth_flatness=mouth_flatness,
        foot_flatness=foot_flatness,
        is_top_round=is_top_round,
    )


def _arc(half_width: np.ndarray) -> tuple[float, float, bool]:
    """Fits a circle to the first rows of the silhouette; returns the row of the circle's centre, its flatness s, and
    whether the rows are too round for a circle.

    The circle appears as an ellipse with half-axes R and s R. Let c be the row of its centre and w the silhouette's
    half width in a row. The first rows follow row = c - s sqrt(R^2 - w^2). With R fixed, linear least squares gives c
    and s. With c fixed, R is the half width in row c. The two steps alternate until c converges. Rows near the top of
    the ellipse, where its outline is almost horizontal, are measured less exactly and have less weight.
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
        return max(centre, flatness * float(np.interp(centre, np.arange(farthest), outermost)) - 0.5), flatness, False
    # a round bottom or dome and not a circle seen from above: use a plane at the usual angle that cuts it
    return float(np.argmax(np.arange(farthest) >= USUAL_DIFFERENCE * outermost)), USUAL_DIFFERENCE, True
