"""Surfaces of random vases: a wall turned around the axis, and tubes swept along curves."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

NUM_SEGMENTS = 72
"""A horizontal section of a wall is a polygon with this number of corners."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeshPart:
    """A part of an object, as triangles."""

    vertices: np.ndarray
    """Float [V, 3]; Y is up, the front faces +Z."""
    normals: np.ndarray
    """Unit normals, float [V, 3]."""
    faces: np.ndarray
    """Indices of vertices, int [F, 3]."""
    uv: np.ndarray
    """Texture coordinates, float [V, 2]; (0, 0) is the lower left corner of the texture."""
    openness: np.ndarray
    """Share of the sky that each vertex sees, from 0 (in a deep hollow) to 1, float [V]."""


def turned(radius: np.ndarray, height: np.ndarray, v: np.ndarray, openness: np.ndarray) -> MeshPart:
    """Returns the wall through the points (radius, height) at each of N rows and `NUM_SEGMENTS` + 1 azimuths.

    radius, height: float [N, NUM_SEGMENTS + 1]; rows run from the underside over the outside to the inside.
    v: texture's vertical coordinate of each row, float [N].
    openness: float [N].
    """
    azimuth = np.linspace(-np.pi, np.pi, NUM_SEGMENTS + 1)
    grid = np.stack([radius * np.sin(azimuth), height, radius * np.cos(azimuth)], axis=-1)
    return spanned(grid, v, openness)


def spanned(grid: np.ndarray, v: np.ndarray, openness: np.ndarray) -> MeshPart:
    """Returns the surface through a grid of points [N, M, 3] whose first and last columns coincide.

    v: texture's vertical coordinate of each row, float [N]. openness: of each row, float [N].
    """
    along = np.gradient(grid, axis=0)
    wrapped = np.concatenate([grid[:, -2:-1], grid, grid[:, 1:2]], axis=1)
    normals = np.cross(wrapped[:, 2:] - wrapped[:, :-2], along)
    normals /= np.maximum(np.linalg.norm(normals, axis=-1, keepdims=True), 1e-12)
    u = np.linspace(0, 1, grid.shape[1])
    uv = np.stack(np.broadcast_arrays(u[None], v[:, None]), axis=-1)
    return MeshPart(
        vertices=grid.reshape(-1, 3),
        normals=normals.reshape(-1, 3),
        faces=_grid(*grid.shape[:2]),
        uv=uv.reshape(-1, 2),
        openness=np.repeat(openness, grid.shape[1]),
    )


def swept(path: Sequence[Sequence[float]], size: tuple[float, float], azimuth_deg: float, v: float) -> MeshPart:
    """Returns a tube of elliptic section along a smooth curve.

    path: points (distance from the axis, offset to the side, height) of the centre line.
    size: half the section's extent within the plane of the curve, and across it.
    azimuth_deg: direction of the curve's plane around the axis: 0 is the front, 90 the right-hand side.
    v: texture's vertical coordinate of the whole tube.
    """
    knots = np.array(path, float)
    along = np.concatenate([[0.0], np.cumsum(np.maximum(np.linalg.norm(np.diff(knots, axis=0), axis=1), 1e-6))])
    curve = CubicSpline(along, knots)(np.linspace(0.0, along[-1], max(16, 5 * len(knots))))
    tangents = np.gradient(curve, axis=0)
    tangents /= np.maximum(np.linalg.norm(tangents, axis=1, keepdims=True), 1e-9)
    sides = 12
    angles = np.linspace(0, 2 * np.pi, sides + 1)
    rings, ring_normals = [], []
    across = np.array([0.0, 1.0, 0.0])
    if np.ptp(knots[:, 1]) > np.ptp(knots[:, 2]):
        across = np.array([0.0, 0.0, 1.0])
    last = np.cross(across, [1.0, 0.0, 0.0])
    for point, tangent in zip(curve, tangents, strict=True):
        side = across - tangent * (across @ tangent)
        if np.linalg.norm(side) < 0.05:  # the tube runs along the section's axis
            side = last - tangent * (last @ tangent)
        side /= max(float(np.linalg.norm(side)), 1e-9)
        last = side
        outward = np.cross(tangent, side)
        rings.append(point + np.cos(angles)[:, None] * outward * size[0] + np.sin(angles)[:, None] * side * size[1])
        normal = np.cos(angles)[:, None] * outward / size[0] + np.sin(angles)[:, None] * side / size[1]
        ring_normals.append(normal / np.linalg.norm(normal, axis=1, keepdims=True))
    ends = [np.repeat(curve[:1], sides + 1, 0), np.repeat(curve[-1:], sides + 1, 0)]
    caps = [np.repeat(-tangents[:1], sides + 1, 0), np.repeat(tangents[-1:], sides + 1, 0)]
    turn = np.radians(azimuth_deg)
    basis = np.array([[np.sin(turn), 0, np.cos(turn)], [np.cos(turn), 0, -np.sin(turn)], [0.0, 1.0, 0.0]])
    vertices = np.concatenate([ends[0], *rings, ends[1]]) @ basis
    normals = np.concatenate([caps[0], *ring_normals, caps[1]]) @ basis
    uv = np.tile([[0.5, v]], (len(vertices), 1))
    return MeshPart(
        vertices=vertices,
        normals=normals,
        faces=_grid(len(curve) + 2, sides + 1),
        uv=uv,
        openness=np.full(len(vertices), 0.9),
    )


def moved(surface: MeshPart, rotation: np.ndarray, offset: np.ndarray, scale: float = 1.0) -> MeshPart:
    """Returns the surface after scaling, rotating by a matrix [3, 3] and shifting by a vector [3]."""
    return MeshPart(
        vertices=scale * surface.vertices @ rotation.T + offset,
        normals=surface.normals @ rotation.T,
        faces=surface.faces,
        uv=surface.uv,
        openness=surface.openness,
    )


def as_one(surfaces: Sequence[MeshPart]) -> MeshPart:
    """Returns all surfaces as one."""
    offsets = np.cumsum([0, *(len(s.vertices) for s in surfaces[:-1])])
    return MeshPart(
        vertices=np.concatenate([s.vertices for s in surfaces]),
        normals=np.concatenate([s.normals for s in surfaces]),
        faces=np.concatenate([s.faces + offset for s, offset in zip(surfaces, offsets, strict=True)]),
        uv=np.concatenate([s.uv for s in surfaces]),
        openness=np.concatenate([s.openness for s in surfaces]),
    )


def _grid(num_rows: int, num_columns: int) -> np.ndarray:
    row, column = np.meshgrid(np.arange(num_rows - 1), np.arange(num_columns - 1), indexing="ij")
    corner = row * num_columns + column
    right, above = corner + 1, corner + num_columns
    return np.concatenate(
        [
            np.stack([corner, right, above + 1], axis=-1).reshape(-1, 3),
            np.stack([corner, above + 1, above], axis=-1).reshape(-1, 3),
        ]
    )
