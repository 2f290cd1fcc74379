"""Joins the walls that several photographs of one vase show to one texture around it.

Each photograph contributes where it sees the wall least obliquely. A handle that stands between the camera and the wall
isn't painted onto the wall: what it hides is taken from another photograph, or else from beside it.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from vaserl.meshes.lathe.texture import FrontWall, with_invented_back

SHARPNESS = 6
"""Power of the cosine between line of sight and wall that weights a photograph; a large one keeps figures sharp where
two photographs don't fit exactly."""
LEAST_WEIGHT = 0.01
"""Weight of the invented wall relative to a photograph that sees the wall from straight ahead; it fades in where no
photograph sees the wall."""
EDGE_DEG = 12.0
"""Width in degrees of the zone inside the last visible azimuth in which a photograph's weight falls to 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedWall:
    """The wall that a photograph shows, and where on the vase it is."""

    front: FrontWall
    """Texture of the wall, with the azimuth counted from the camera."""
    azimuth_deg: float
    """Azimuth of the camera around the vase; 0 is the front, 90 the right side as seen from the front."""
    hidden: np.ndarray
    """bool [rows, width] part of `front` that a handle before it hides."""


def surround(walls: list[PlacedWall]) -> tuple[np.ndarray, float]:
    """Returns the texture around the vase, float64 [rows, width, 3], and the share of it that a photograph shows.

    The first wall is repeated, rotated by 180 degrees, where no photograph shows the vase.
    """
    first = walls[0]
    shape = first.front.colours.shape
    total = np.zeros(shape[:2])
    colours = np.zeros(shape)
    seen = np.zeros(shape[:2], bool)
    for wall in walls:
        beyond = np.abs(wall.front.azimuth_deg)[None] - wall.front.last_deg[:, None]
        visible = (beyond <= 0) & ~wall.hidden
        weight = np.cos(np.radians(np.minimum(np.abs(wall.front.azimuth_deg), 90.0)))[None] ** SHARPNESS
        weight = weight * np.clip(-beyond / EDGE_DEG, 0.0, 1.0) * ~wall.hidden
        shift = round(wall.azimuth_deg / 360.0 * shape[1])
        total += np.roll(weight, shift, axis=1)
        colours += np.roll(weight[..., None] * wall.front.colours, shift, axis=1)
        seen |= np.roll(visible, shift, axis=1)
    shift = round(first.azimuth_deg / 360.0 * shape[1])
    invented = np.roll(with_invented_back(_filled(first)), shift, axis=1)
    share = float(seen.mean())
    if len(walls) == 1:
        return invented, share
    blended = (colours + LEAST_WEIGHT * invented) / (total + LEAST_WEIGHT)[..., None]
    return blended, share


def _filled(wall: PlacedWall) -> FrontWall:
    """Returns the wall with its hidden part interpolated along each row between the colours at both ends."""
    if not wall.hidden.any():
        return wall.front
    colours = wall.front.colours.copy()
    columns = np.arange(colours.shape[1])
    smooth = ndimage.gaussian_filter1d(colours, 1.5, axis=1)
    for row in np.nonzero(wall.hidden.any(axis=1))[0]:
        hidden = wall.hidden[row]
        known = columns[~hidden]
        for channel in range(3):
            colours[row, hidden, channel] = np.interp(columns[hidden], known, smooth[row, known, channel])
    return replace(wall.front, colours=colours)
