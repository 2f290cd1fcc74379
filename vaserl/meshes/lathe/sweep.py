"""Builds a handle as a closed tube along a curve in space."""

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from vaserl.meshes.lathe.handle_outline import HandleOutline
from vaserl.meshes.lathe.texture import Exposure

NUM_SIDES = 12
"""Number of corners of a tube's cross-section."""
NUM_STATIONS = 40
"""Number of cross-sections along a tube."""
PLATE_POWER = 0.4
"""Exponent of sine and cosine in a plate's cross-section; 1 is an ellipse, 0 a rectangle."""
MAX_EXTENSION = 4.0
"""Largest length by which a tube is extended in its own direction to reach the wall, as a multiple of its radius."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tube:
    """A handle, or a part of one, as a tube along a curve; lengths are in body heights, Y is up."""

    curve: np.ndarray
    """float64 [K, 3] points of the tube's centre line; both ends lie inside the vase's wall."""
    radius: np.ndarray
    """float64 [K] radius of the tube at each point."""
    handle: int
    """Number of the handle that the tube is or belongs to, from 0."""
    half_breadth: float | None = None
    """Half the tube's extent in the horizontal direction across it; None for a round tube."""

    def turned(self, azimuth_deg: float) -> "Tube":
        """Returns the tube rotated about the vase's axis, from the front (0) towards the right side (90)."""
        cosine, sine = np.cos(np.radians(azimuth_deg)), np.sin(np.radians(azimuth_deg))
        x, y, z = self.curve.T
        return replace(self, curve=np.stack([x * cosine + z * sine, y, z * cosine - x * sine], axis=1))


def tube_of(handle: HandleOutline, exposure: Exposure, profile: np.ndarray) -> Tube:
    """Returns the handle as a tube in space.

    An upright handle lies in the image plane, a column or a plate parallel to it. A loop, which appears as a bar, lies
    in the plane of this bar and the line of sight (z axis).
    """
    view, pixels = exposure.view, exposure.pixels
    height = (view.foot_row - handle.row) / (view.foot_row - view.mouth_row)
    across, radius = handle.across / pixels, handle.radius / pixels
    if handle.kind != "loop":
        curve = np.stack([across, height, np.full_like(across, handle.aside / pixels)], axis=1)
    else:
        length = float(np.hypot(across[-1] - across[0], height[-1] - height[0]))
        turn = np.linspace(-1.0, 1.0, NUM_STATIONS)
        at = np.sqrt(1 - turn**4) * (len(across) - 1)
        index = np.arange(len(across))
        sideways = turn * max(0.75 * length, 1.5 * float(np.median(radius)))
        curve = np.stack([np.interp(at, index, across), np.interp(at, index, height), sideways], axis=1)
        radius = np.interp(at, index, radius)
    start = [] if handle.kind == "column" else [_into_the_wall(curve[::-1], float(radius[0]), profile)]
    stop = [] if handle.kind == "plate" else [_into_the_wall(curve, float(radius[-1]), profile)]
    curve = np.concatenate([*start, curve, *stop])
    radius = np.concatenate([radius[: len(start)], radius, radius[-len(stop) :] if stop else radius[:0]])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    at = np.linspace(0.0, along[-1], NUM_STATIONS)
    curve = np.stack([np.interp(at, along, column) for column in curve.T], axis=1)
    smooth = ndimage.gaussian_filter1d(curve, 1.0, axis=0, mode="nearest")
    smooth[[0, -1]] = curve[[0, -1]]
    return Tube(
        curve=smooth,
        radius=np.interp(at, along, radius),
        handle=handle.handle,
        half_breadth=None if handle.half_breadth is None else handle.half_breadth / pixels,
    )


def sweep(tube: Tube, v_span: tuple[float, float]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns the tube's vertices [V, 3], normals [V, 3], faces [F, 3] and texture coordinates [V, 2].

    Cross-sections aren't twisted about the curve from one to the next. Around the tube, the texture coordinate v
    increases through `v_span` and decreases again, so there is no seam. The hidden side has the same texture as the
    visible side.
    """
    tangent = np.gradient(tube.curve, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    angle = np.linspace(0.0, 2 * np.pi, NUM_SIDES + 1)
    sine, cosine = np.sin(angle), np.cos(angle)
    sine[-1], cosine[-1] = sine[0], cosine[0]
    around = 0.5 - 0.5 * cosine
    if tube.half_breadth is not None:  # a plate has edges
        cosine, sine = (np.sign(value) * np.abs(value) ** PLATE_POWER for value in (cosine, sine))
    sideways = np.cross(tangent[0], [0.0, 0.0, 1.0])
    if np.linalg.norm(sideways) < 0.1:
        sideways = np.array([0.0, 1.0, 0.0])
    rings, normals = [], []
    for point, direction, radius in zip(tube.curve, tangent, tube.radius, strict=True):
        sideways = sideways - direction * (sideways @ direction)
        sideways /= np.linalg.norm(sideways)
        across = np.cross(direction, sideways)
        breadth = radius if tube.half_breadth is None else tube.half_breadth
        normal = cosine[:, None] * sideways * breadth + sine[:, None] * across * radius
        normal /= np.linalg.norm(normal, axis=1, keepdims=True)
        rings.append(point + radius * cosine[:, None] * sideways + breadth * sine[:, None] * across)
        normals.append(normal)
    caps = [np.repeat(tube.curve[[end]], NUM_SIDES + 1, axis=0) for end in (0, -1)]
    faced = [np.repeat(sign * tangent[[end]], NUM_SIDES + 1, axis=0) for end, sign in ((0, -1), (-1, 1))]
    vertices = np.concatenate([caps[0], *rings, caps[1]])
    u = np.concatenate([[0.0], np.linspace(0.0, 1.0, len(rings)), [1.0]])
    v = v_span[0] + (v_span[1] - v_span[0]) * around
    uv = np.stack(np.broadcast_arrays(u[:, None], v[None]), axis=-1).reshape(-1, 2)
    return vertices, np.concatenate([faced[0], *normals, faced[1]]), grid_faces(len(rings) + 2, NUM_SIDES + 1), uv


def grid_faces(num_rows: int, num_columns: int, skip: np.ndarray | tuple[int, ...] = ()) -> np.ndarray:
    """Returns the triangles of a grid of vertices, int64 [F, 3].

    All vertices of the first row coincide, and all vertices of the last row. Each row in `skip` is a copy of the row
    before it; no faces are made between the two rows.
    """
    rows = np.setdiff1d(np.arange(num_rows - 1), np.asarray(skip, int) - 1)
    row, column = np.meshgrid(rows, np.arange(num_columns - 1), indexing="ij")
    corner = row * num_columns + column
    lower = np.stack([corner, corner + 1, corner + num_columns + 1], axis=-1)
    upper = np.stack([corner, corner + num_columns + 1, corner + num_columns], axis=-1)
    return np.concatenate([lower[1:].reshape(-1, 3), upper[:-1].reshape(-1, 3)])


def _into_the_wall(curve: np.ndarray, radius: float, profile: np.ndarray) -> np.ndarray:
    """Returns the point just inside the wall, float64 [1, 3], to which a tube is extended beyond its last point.

    `curve` is float64 [K, 3]. The tube goes on in its direction if this leads into the wall within `MAX_EXTENSION` of
    its radius, otherwise towards the axis.
    """
    end = curve[-1]
    ahead = end - curve[max(len(curve) - 1 - max(2, len(curve) // 10), 0)]
    length = float(np.linalg.norm(ahead))
    if length > 0:
        steps = end + np.linspace(0.0, MAX_EXTENSION * radius, 25)[:, None] * ahead / length
        wall = np.interp(steps[:, 1], profile[:, 1], profile[:, 0])
        inside = np.hypot(steps[:, 0], steps[:, 2]) <= wall - 0.6 * radius
        if inside.any() and 0.03 <= steps[int(np.argmax(inside)), 1] <= 0.97:
            return steps[[int(np.argmax(inside))]]
    outside = float(np.interp(end[1], profile[:, 1], profile[:, 0]))
    distance = float(np.hypot(end[0], end[2]))
    depth = max(min(outside - 0.6 * radius, distance - 0.2 * radius), 0.3 * outside)
    height = float(np.clip(end[1], 0.03, 0.97))
    return np.array([[end[0] * depth / max(distance, 1e-9), height, end[2] * depth / max(distance, 1e-9)]])
