"""Two models -> one frame: height, place, turn about the axis and a small lean go before anything is compared.

A vase is nearly the same from all sides, so its shape leaves the turn open: paint decides it. Both models stand upright
on their axes at unit height first; then every turn is tried and judged by how far points lie from the other surface and
how much their colours differ there; iterated closest points (Besl and McKay, 1992) with scale refine place, size and
lean; and, because closest points slide along a round wall, the turn is tried once more in small steps.
"""

from dataclasses import dataclass

import numpy as np
import trimesh
from scipy.spatial import KDTree

from vaserl.meshes.compare.surface import Surface, sample_surface
from vaserl.meshes.turntable import normalising_transform

_NUM_POINTS = 4_000
"""Points by which a frame is judged."""
COARSE_STEP_DEG, FINE_STEP_DEG = 5.0, 0.5
COLOUR_WEIGHT = 0.25
"""A mean difference of all channels by 1 counts as much as a mean distance of so many heights."""
MAX_ITERATIONS = 40
"""Of closest points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Where the generated model stands in the true one's frame.

    Example: Alignment(to_frame=…, true_to_frame=…, turn_deg=35.0, misfit=0.02)
    """

    to_frame: np.ndarray
    """float64 [4, 4] similarity that takes the generated model into the common frame."""
    true_to_frame: np.ndarray
    """float64 [4, 4] the same for the true one: upright on its axis, one unit high, its middle at the origin."""
    turn_deg: float
    """Turn about the axis that was found, before closest points, in [0, 360)."""
    misfit: float
    """Mean distance of points in heights, plus `COLOUR_WEIGHT` times their mean difference in colour."""


def align(generated: trimesh.Trimesh, true: trimesh.Trimesh) -> Alignment:
    """The best frame found; both have Y up, the generated one give or take a small lean."""
    true_to_frame = normalising_transform([true])[0]
    stands = normalising_transform([generated])[0]
    target = _moved(sample_surface(true, _NUM_POINTS), true_to_frame)
    source = sample_surface(generated, _NUM_POINTS)
    misfit = _Misfit(target, source)

    turns = np.arange(0.0, 360.0, COARSE_STEP_DEG).tolist()
    costs = [misfit(_turn(turn) @ stands) for turn in turns]
    turn_deg = turns[int(np.argmin(costs))]
    best, cost = _turn(turn_deg) @ stands, min(costs)

    start = trimesh.transform_points(source.points, best)
    refined = np.asarray(
        trimesh.registration.icp(
            start, target.points, threshold=1e-7, max_iterations=MAX_ITERATIONS, reflection=False, scale=True
        )[0]
    )
    best, cost = misfit.better(best, cost, refined @ best)
    for turn in np.arange(-COARSE_STEP_DEG, COARSE_STEP_DEG + FINE_STEP_DEG, FINE_STEP_DEG).tolist():
        best, cost = misfit.better(best, cost, _turn(turn) @ best)
    return Alignment(to_frame=best, true_to_frame=true_to_frame, turn_deg=turn_deg, misfit=cost)


class _Misfit:
    """How badly a frame fits; ties go to the frame that was there first."""

    def __init__(self, target: Surface, source: Surface) -> None:
        self._target, self._source, self._tree = target, source, KDTree(target.points)

    def __call__(self, transform: np.ndarray) -> float:
        distance, nearest = self._tree.query(trimesh.transform_points(self._source.points, transform))
        colours = np.abs(self._source.colours - self._target.colours[nearest])
        return float(np.mean(distance)) + COLOUR_WEIGHT * float(colours.mean())

    def better(self, best: np.ndarray, cost: float, other: np.ndarray) -> tuple[np.ndarray, float]:
        """The frame that fits better, and how badly it fits."""
        found = self(other)
        return (other, found) if found < cost * (1 - 1e-6) - 1e-9 else (best, cost)


def _turn(degrees: float) -> np.ndarray:
    return np.asarray(trimesh.transformations.rotation_matrix(np.radians(degrees), [0, 1, 0]))


def _moved(surface: Surface, transform: np.ndarray) -> Surface:
    rotation = transform[:3, :3] / np.cbrt(np.linalg.det(transform[:3, :3]))
    return Surface(
        points=trimesh.transform_points(surface.points, transform),
        normals=surface.normals @ rotation.T,
        colours=surface.colours,
    )
