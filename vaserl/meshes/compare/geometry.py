"""How two surfaces differ: Chamfer distance and normal consistency on sampled points."""

import numpy as np
from scipy.spatial import KDTree

from vaserl.meshes.compare.surface import Surface


def chamfer_distance(one: Surface, other: Surface) -> float:
    """Mean distance of the points of each surface from the other's nearest, the mean of both directions.

    In the unit of the points, which in VaseEval is the true vase's height. Publications also sum the directions or
    square the distances: their numbers don't compare with these.
    """
    there, back = _nearest(one, other)[0], _nearest(other, one)[0]
    return (float(there.mean()) + float(back.mean())) / 2


def normal_consistency(one: Surface, other: Surface) -> float:
    """Mean of |cos| between the normals of points and of their nearest neighbours on the other surface, both ways.

    1 for equal surfaces. The sign is left out, since scans are wound either way (Mescheder et al., 2019).
    """
    ways = []
    for here, there in ((one, other), (other, one)):
        nearest = _nearest(here, there)[1]
        ways.append(float(np.abs((here.normals * there.normals[nearest]).sum(axis=1)).mean()))
    return sum(ways) / 2


def _nearest(here: Surface, there: Surface) -> tuple[np.ndarray, np.ndarray]:
    """float64 [N] distance of each point here from the nearest one there, and int [N] which that is."""
    distance, index = KDTree(there.points).query(here.points)
    return np.asarray(distance), np.asarray(index)
