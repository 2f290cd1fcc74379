"""Finds out which side of a vase each of several photographs shows, where it isn't given."""

from collections.abc import Sequence
from itertools import permutations

import numpy as np
from scipy import ndimage

from vaserl.meshes.lathe.failure import LatheError
from vaserl.meshes.lathe.result import AZIMUTH_DEG, VaseSide
from vaserl.meshes.lathe.texture import FrontWall

_ORDER: tuple[VaseSide, ...] = ("front", "back", "right", "left")
OVERLAP_DEG = 75.0
"""Largest azimuth at which a photograph's wall is compared with another's."""


def find_sides(
    given: Sequence[VaseSide | None], num_handles: Sequence[int], walls: Sequence[FrontWall]
) -> tuple[VaseSide, ...]:
    """Returns the side that each of N photographs shows; `given` has the known ones, None for the others.

    Photographs with handles in the image plane show front and back, in their order; those without show the sides, if
    others have handles. Which of the two sides a photograph shows is decided by the paint where two photographs
    overlap. If no photograph has handles, or all have, the order is front, back, right, left.

    Raises: LatheError for more than four photographs or two of the same side.
    """
    known = [side for side in given if side is not None]
    if len(given) > len(AZIMUTH_DEG):
        raise LatheError(f"{len(given)} photographs of one vase; give at most four, one from each side")
    if len(set(known)) < len(known):
        raise LatheError("two photographs show the same side of the vase; give one of each side")
    mixed = min(num_handles) == 0 < max(num_handles)
    free: list[VaseSide] = [side for side in _ORDER if side not in known]
    candidates = [_completed(given, choice) for choice in permutations(free, len(given) - len(known))]

    def cost(sides: tuple[VaseSide, ...]) -> tuple[float, ...]:
        unknown = [(sides[index], num_handles[index]) for index, side in enumerate(given) if side is None]
        if not mixed:
            return tuple(float(_ORDER.index(side)) for side, _ in unknown)
        misfits = sum((side in ("front", "back")) != (count > 0) for side, count in unknown)
        fronts = [_ORDER.index(side) for side, _ in unknown if side in ("front", "back")]
        return float(misfits), *map(float, fronts), _disagreement(walls, sides)

    return min(candidates, key=cost)


def _completed(given: Sequence[VaseSide | None], choice: Sequence[VaseSide]) -> tuple[VaseSide, ...]:
    rest = iter(choice)
    return tuple(next(rest) if side is None else side for side in given)


def _disagreement(walls: Sequence[FrontWall], sides: Sequence[VaseSide]) -> float:
    """Returns the mean difference of brightness where two photographs from neighbouring sides show the same wall."""
    width = walls[0].colours.shape[1]
    total, weight = 0.0, 0
    for one in range(len(walls)):
        for other in range(one + 1, len(walls)):
            apart = (AZIMUTH_DEG[sides[other]] - AZIMUTH_DEG[sides[one]]) % 360.0
            if apart not in (90.0, 270.0):
                continue
            shift = round(apart / 360.0 * width)
            first, second = _brightness(walls[one]), np.roll(_brightness(walls[other]), shift, axis=1)
            both = np.isfinite(first) & np.isfinite(second)
            total += float(np.abs(first - second)[both].sum())
            weight += int(both.sum())
    return total / weight if weight else 0.0


def _brightness(wall: FrontWall) -> np.ndarray:
    """Returns the smoothed brightness, float64 [rows, width]; NaN where the wall isn't seen well."""
    smooth = ndimage.gaussian_filter(wall.colours.mean(axis=2), (2.0, 3.0))
    return np.where(np.abs(wall.azimuth_deg)[None] <= np.minimum(wall.last_deg, OVERLAP_DEG)[:, None], smooth, np.nan)
