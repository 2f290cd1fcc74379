"""Normals of surfaces: smooth across the seams at which vertices are doubled, and agreeing with the faces."""

import numpy as np

from vaserl.meshes.part import unit_vectors

CREASE_DEG = 45.0
"""Angle in degrees between the normal of a vertex's own faces and that of all faces at its place from which the edge
counts as sharp; the corner of a box has 55 degrees."""
_LEVELS = 2**21 - 1
"""Number of steps along each axis at which positions count as equal: three of these numbers fit 63 bits."""


def smooth_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Returns a unit normal for each of V vertices, float64 [V, 3], weighted by the areas of the faces around it.

    Vertices at the same place have the same normal, because scans double vertices where a texture or a material ends
    and a seam would be visible in the shading. Vertices keep their own faces' normal at a sharp edge, and where two
    walls touch back to back.
    """
    across = face_vectors(vertices, faces)
    own = _summed(faces.ravel(), np.repeat(across, 3, axis=0), len(vertices))
    place = place_numbers(vertices)
    num_places = int(place.max(initial=-1)) + 1
    shared = unit_vectors(_summed(place, own, num_places))[place]
    own = unit_vectors(own)
    is_sharp = np.einsum("ij,ij->i", own, shared) < np.cos(np.radians(CREASE_DEG))
    # a vertex whose faces have no area, as on the axis of a lathe, has no normal of its own
    return np.where((is_sharp & own.any(axis=1))[:, None], own, shared)


def agreeing_normals(normals: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Returns the normals [V, 3] that a file declares, as unit vectors: reversed where they oppose the faces at the
    vertex, and replaced by `smooth_normals` where they are zero or not finite."""
    is_usable = np.isfinite(normals).all(axis=1) & (np.abs(normals).max(axis=1, initial=0.0) > 1e-6)
    normals = unit_vectors(np.where(is_usable[:, None], normals, 0.0))
    own = _summed(faces.ravel(), np.repeat(face_vectors(vertices, faces), 3, axis=0), len(vertices))
    normals = np.where((np.einsum("ij,ij->i", own, normals) < 0)[:, None], -normals, normals)
    return normals if is_usable.all() else np.where(is_usable[:, None], normals, smooth_normals(vertices, faces))


def face_vectors(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Returns each face's normal times twice its area, float64 [F, 3]."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    return np.cross(b - a, c - a)


def place_numbers(vertices: np.ndarray) -> np.ndarray:
    """Returns the number of each vertex's place, int64 [V]: equal for vertices at the same position."""
    if not len(vertices):
        return np.zeros(0, np.int64)
    low = vertices.min(axis=0)
    size = max(float(np.ptp(vertices, axis=0).max()), 1e-300)
    steps = np.rint((vertices - low) / size * _LEVELS).astype(np.int64)
    key = (steps[:, 0] << 42) | (steps[:, 1] << 21) | steps[:, 2]
    return np.unique(key, return_inverse=True)[1].reshape(-1)


def _summed(index: np.ndarray, vectors: np.ndarray, num: int) -> np.ndarray:
    """Returns the sum of the vectors [N, 3] of each index from 0 to `num` - 1, float64 [num, 3]."""
    return np.stack([np.bincount(index, weights=vectors[:, axis], minlength=num) for axis in range(3)], axis=1)
