"""Chamfer distance and normal consistency of two surfaces, on sampled points."""

import numpy as np
from scipy.spatial import KDTree

from vaserl.meshes.compare.surface import Surface


def chamfer_distance(one: Surface, other: Surface) -> float:
    """Returns the Chamfer distance: the mean distance from a surface's points to the nearest points of the other.

    It is averaged over both directions. Its unit is that of the points, in VaseEval the true vase's height. Some
    publications sum the directions or square the distances; their numbers can't be compared with these.
    """
    there, back = _nearest(one, other)[0], _nearest(other, one)[0]
    return (float(there.mean()) + float(back.mean())) / 2


def normal_consistency(one: Surface, other: Surface) -> float:
    """Returns the normal consistency: the mean |cos| between normals of points and of their nearest neighbours.

    Neighbours are on the other surface. The value is averaged over both directions and 1 for equal surfaces. The sign
    of the cosine is ignored, since scans are wound either way (Mescheder et al., 2019).
    """
    ways = []
    for here, there in ((one, other), (other, one)):
        nearest = _nearest(here, there)[1]
        ways.append(float(np.abs((here.normals * there.normals[nearest]).sum(axis=1)).mean()))
    return sum(ways) / 2


def _nearest(here: Surface, there: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Returns distance, float64 [N], and index, int [N], of each point's nearest neighbour on the other surface."""
    distance, index = KDTree(there.points).query(here.points)
    return np.asarray(distance), np.asarray(index)
