"""Aligns a generated mesh with the ground-truth mesh: size, position, turn about the vertical axis and a small lean.

The shape of a vase hardly determines the turn about its axis, so the turn is found by the colours. Both meshes are
first centred on their axes and scaled to unit height. Then the turn is searched in steps of `COARSE_STEP_DEG`. Each
turn is scored by the distance between the two surfaces and by their difference in colour. Iterative closest point (ICP;
Besl and McKay, 1992) with scale then refines position, size and lean. ICP can't determine the turn of a round wall, so
the turn is refined last, in steps of `FINE_STEP_DEG`.
"""

from dataclasses import dataclass

import numpy as np
import trimesh
from scipy.spatial import KDTree

from vaserl.meshes.compare.surface import Surface, sample_surface
from vaserl.meshes.turntable import normalising_transform

_NUM_POINTS = 4_000
"""Number of points sampled on each mesh for comparing alignments."""
COARSE_STEP_DEG, FINE_STEP_DEG = 5.0, 0.5
COLOUR_WEIGHT = 0.25
"""Weight of the colour difference in the misfit: a mean difference of 1 in every RGB channel (black against white)
counts as much as a distance of this many vase heights."""
MAX_ITERATIONS = 40
"""Largest number of ICP iterations."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alignment:
    """Transforms of the generated mesh and the true (ground-truth) mesh into a common frame.

    Example: Alignment(to_frame=…, true_to_frame=…, turn_deg=35.0, misfit=0.02)
    """

    to_frame: np.ndarray
    """float64 [4, 4] similarity transform from the generated mesh to the common frame."""
    true_to_frame: np.ndarray
    """float64 [4, 4] similarity transform from the true mesh to the common frame. In this frame, the true mesh is
    upright, centred and one unit high."""
    turn_deg: float
    """Turn of the generated mesh about its axis, in degrees in [0, 360), as found by the coarse search."""
    misfit: float
    """Mean distance of the generated mesh's points from the true mesh, in heights of the true mesh, plus
    `COLOUR_WEIGHT` times the mean colour difference between these points and the nearest points of the true mesh."""


def align(generated: trimesh.Trimesh, true: trimesh.Trimesh) -> Alignment:
    """Returns the transforms that align the generated mesh with the true mesh, with the smallest misfit found.

    Both meshes must have Y up; the generated mesh may lean slightly.
    """
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
    """Callable that returns the misfit of the generated mesh after a transform, float64 [4, 4]; see
    `Alignment.misfit`."""

    def __init__(self, target: Surface, source: Surface) -> None:
        self._target, self._source, self._tree = target, source, KDTree(target.points)

    def __call__(self, transform: np.ndarray) -> float:
        distance, nearest = self._tree.query(trimesh.transform_points(self._source.points, transform))
        colours = np.abs(self._source.colours - self._target.colours[nearest])
        return float(np.mean(distance)) + COLOUR_WEIGHT * float(colours.mean())

    def better(self, best: np.ndarray, cost: float, other: np.ndarray) -> tuple[np.ndarray, float]:
        """Returns `best` or `other`, whichever has the smaller misfit, and that misfit.

        `cost` is the misfit of `best`. In a tie, `best` is returned.
        """
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
