"""Mask -> axis of rotation: the line about which the silhouette is its own mirror image.

Found as the robust line through the middles of the mask's rows. The mask is turned upright by each estimate and the
fit repeated, because the middles of horizontal rows lie on the axis only where the axis is vertical.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from vaserl.curation.lathe.failure import LatheError

MAX_TILT_DEG = 20.0
"""A vase that leans further than this lies rather than stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The projected axis of rotation, and with it the upright frame that has the axis as its middle column.

    Example: Axis(x=112.3, y=111.5, tilt_deg=1.2) leans 1.2 degrees to the right.
    """

    x: float
    """Column of a point on the axis, in pixels."""
    y: float
    """Row of that point: the middle of the picture."""
    tilt_deg: float
    """Angle between the axis and the picture's vertical, positive when the top leans to the right."""

    def to_photo(self, across: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Columns and rows in the photograph of points given by their distance from the axis and along it."""
        cosine, sine = np.cos(np.radians(self.tilt_deg)), np.sin(np.radians(self.tilt_deg))
        return self.x + across * cosine - down * sine, self.y + across * sine + down * cosine


def find_axis(mask: np.ndarray, num_rounds: int = 5) -> Axis:
    """The axis of the silhouette in a bool [H, W] mask.

    Raises: LatheError when the vase lies on its side.
    """
    height, width = mask.shape
    axis = Axis(x=float(np.nonzero(mask)[1].mean()), y=(height - 1) / 2, tilt_deg=0.0)
    for _ in range(num_rounds):
        down, middles, lengths = _middles(straighten(mask, axis) > 0.5)
        shift, slope = _robust_line(down, middles, lengths, 0.25 * width)
        x, y = axis.to_photo(np.array(shift), np.array(0.0))
        tilt_deg = axis.tilt_deg - float(np.degrees(np.arctan(slope)))
        if abs(tilt_deg) > MAX_TILT_DEG:
            raise LatheError(f"the vase leans by more than {MAX_TILT_DEG:g} degrees or isn't symmetric")
        # the same line, named by its point in the picture's middle row
        x = float(x) - (axis.y - float(y)) * np.tan(np.radians(tilt_deg))
        settled = abs(tilt_deg - axis.tilt_deg) < 0.01 and abs(x - axis.x) < 0.02
        axis = Axis(x=x, y=axis.y, tilt_deg=tilt_deg)
        if settled:
            break
    return axis


def straighten(mask: np.ndarray, axis: Axis) -> np.ndarray:
    """float32 [D, 2 R + 1]: the mask turned upright, the axis in column R, everything of it inside.

    Row d lies (d - (D - 1) / 2) pixels along the axis below `axis.y`. Values between 0 and 1 are edges that fall
    between pixels.
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


def _middles(upright: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each row that meets the mask: its distance down, the middle of its longest run, and that run's length."""
    radius, reach = upright.shape[1] // 2, upright.shape[0] // 2
    padded = np.pad(upright, ((0, 0), (1, 1))).astype(np.int8)
    change = np.diff(padded, axis=1)
    start_row, start = np.nonzero(change == 1)
    _, stop = np.nonzero(change == -1)  # row by row starts and stops come in pairs
    length = stop - start
    order = np.lexsort((length, start_row))
    last = np.append(np.diff(start_row[order]) > 0, True)
    chosen = order[last]
    return start_row[chosen] - reach, (start[chosen] + stop[chosen] - 1) / 2 - radius, length[chosen]


def _robust_line(down: np.ndarray, middles: np.ndarray, lengths: np.ndarray, scale: float) -> tuple[float, float]:
    """Offset at down = 0 and slope of the line through the middles.

    Tukey's biweight with a scale that tightens each time: the rows in which a handle grows together with the body
    drop out. Wide rows fix the axis better than the tip of a lip, so they weigh more.
    """
    offset, slope = float(np.average(middles, weights=lengths)), 0.0
    for _ in range(12):
        residual = middles - offset - slope * down
        weight = lengths * np.clip(1 - (residual / scale) ** 2, 0, None) ** 2
        if np.count_nonzero(weight) < 8:
            break
        slope, offset = np.polyfit(down, middles, 1, w=np.sqrt(weight))
        spread = float(np.average(np.abs(middles - offset - slope * down), weights=weight + 1e-12))
        scale = max(0.6 * scale, 4 * spread, 1.5)
    return float(offset), float(slope)
