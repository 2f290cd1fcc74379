"""Chamfer distance and normal consistency of two surfaces, from points sampled on each surface."""

import numpy as np
from scipy.spatial import KDTree

from vaserl.meshes.compare.surface import Surface


def chamfer_distance(one: Surface, other: Surface) -> float:
    """Returns the Chamfer distance: the mean distance from each point of one surface to the nearest point of the other.

    The mean is averaged over both directions. The unit is that of the points; in VaseEval, it is the true vase's
    height. Some publications sum the directions or square the distances; their values aren't comparable with these.
    """
    there, back = _nearest(one, other)[0], _nearest(other, one)[0]
    return (float(there.mean()) + float(back.mean())) / 2


def normal_consistency(one: Surface, other: Surface) -> float:
    """Returns the normal consistency: the mean |cos| of the angle between a point's normal and its neighbour's normal.

    A point's neighbour is the nearest point on the other surface. The mean is averaged over both directions and is 1
    for equal surfaces. The sign of the cosine is ignored, because the faces of some scans are wound inside out
    (Mescheder et al., 2019).
    """
    ways = []
    for here, there in ((one, other), (other, one)):
        nearest = _nearest(here, there)[1]
        ways.append(float(np.abs((here.normals * there.normals[nearest]).sum(axis=1)).mean()))
    return sum(ways) / 2


def _nearest(here: Surface, there: Surface) -> tuple[np.ndarray, np.ndarray]:
    """Returns each point's nearest neighbour on the other surface: its distance, float64 [N], and its index, int
    [N]."""
    distance, index = KDTree(there.points).query(here.points)
    return np.asarray(distance), np.asarray(index)
