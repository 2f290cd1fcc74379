"""How steeply the camera looks down, read off the curves of foot and lip.

A horizontal circle of radius r appears as an ellipse, r wide and s r high: s is the sine of the angle at which its
plane is seen. A camera at a finite distance sees the foot more steeply than the lip, so s is measured at both ends
and taken as linear in between; apart from that the projection is orthographic.
"""

from dataclasses import dataclass

import numpy as np

MAX_FLATNESS = 0.6
"""Steepest view that is believed: 37 degrees."""
MAX_END = 0.2
"""How far from the end of the silhouette the centre of the last circle may lie, as a share of the rows."""
MAX_MISFIT = 0.3
"""Largest distance between arc and ellipse, relative to the ellipse's height, that still counts as an ellipse."""
PIXEL_NOISE = 0.25
"""Rows by which an arc is uncertain because it is drawn in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """The near-orthographic camera, in an upright frame.

    A point at azimuth a (0: towards the camera) of the circle of radius r whose centre appears in row c lies
    r sin(a) beside the axis in row c + s(c) r cos(a).
    """

    mouth_row: float
    """Row in which the centre of the mouth's circle appears."""
    foot_row: float
    """Row in which the centre of the foot's circle appears, below (greater than) the mouth's."""
    mouth_flatness: float
    """s at the mouth, at least 0."""
    foot_flatness: float
    """s at the foot, at least 0."""

    def flatness(self, row: np.ndarray) -> np.ndarray:
        """s for circles whose centres appear in these rows."""
        share = (row - self.mouth_row) / (self.foot_row - self.mouth_row)
        return np.clip(self.mouth_flatness + share * (self.foot_flatness - self.mouth_flatness), 0.0, MAX_FLATNESS)

    @property
    def foreshortening(self) -> float:
        """How much shorter heights appear than they are: the cosine of the mean angle of view."""
        mean = (np.arcsin(self.mouth_flatness) + np.arcsin(self.foot_flatness)) / 2
        return float(np.cos(mean))


def find_view(half_width: np.ndarray) -> View:
    """The view from a body's half widths, float64 [N], top row first; rows are counted from the body's first."""
    mouth, mouth_flatness = _arc(half_width)
    foot, foot_flatness = _arc(half_width[::-1])
    return View(
        mouth_row=mouth - 0.5,
        foot_row=len(half_width) - 0.5 - foot,
        mouth_flatness=mouth_flatness,
        foot_flatness=foot_flatness,
    )


def _arc(half_width: np.ndarray) -> tuple[float, float]:
    """Distance from the end of the silhouette to the centre of its last circle, and the flatness of that circle.

    Each row near the end is tried as the centre's: it fixes the radius and, by its distance from the end, the
    flatness. The one whose ellipse follows the silhouette's end best, column by column and relative to its height,
    is right; where none does, the end is flat.
    """
    farthest = max(4, round(MAX_END * len(half_width)))
    depth = np.arange(farthest) + 0.5
    outermost = np.maximum.accumulate(half_width[:farthest])
    answer, best = (0.0, 0.0), MAX_MISFIT
    for centre in np.arange(1.0, farthest - 0.5, 0.5):
        radius = float(np.interp(centre, depth, half_width[:farthest]))
        if centre > MAX_FLATNESS * radius:
            continue
        columns = np.linspace(0.0, 0.97 * radius, 40)
        seen = np.interp(columns, outermost, depth, left=0.0)
        ellipse = centre * (1 - np.sqrt(1 - (columns / radius) ** 2))
        misfit = (float(np.sqrt(np.mean((seen - ellipse) ** 2))) + PIXEL_NOISE) / centre
        if misfit < best:
            best, answer = misfit, (centre, centre / radius)
    return answer
