"""A handle as it is outlined in the image."""

from dataclasses import dataclass
from typing import Literal

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class HandleOutline:
    """A handle or a part of one, described by K points of its centre line in the upright frame (the image rotated so
    that the axis is vertical)."""

    kind: Literal["upright", "loop", "column", "plate"]
    """Kind of handle: an "upright" handle joins the body at two heights, a "loop" at one. A "column" stands on the
    shoulder and carries a "plate", which joins the lip."""
    handle: int
    """Number of the handle that this is or belongs to, from 0."""
    across: np.ndarray
    """float64 [K] signed distance of the centre line's points from the vase's axis, in pixels. The points of a loop run
    from the body to the handle's tip."""
    row: np.ndarray
    """float64 [K] row of each point of the centre line, counted from the body's first row."""
    radius: np.ndarray
    """float64 [K] half the handle's thickness at each point of the centre line, in pixels."""
    half_breadth: float | None = None
    """Half the extent along the line of sight, in pixels; None for a round handle, whose breadth is its thickness."""
    aside: float = 0.0
    """Distance of the centre line from the plane through the axis, in pixels, positive towards the camera."""
