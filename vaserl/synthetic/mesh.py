"""Builds a vase's mesh from its traits and its texture: the wall is a surface of revolution, handles are swept tubes.

The wall's profile is a curve from the centre of the underside over foot, body, lip and inner side to the centre of the
floor. Its surface of revolution encloses the clay completely: the vase is closed at the foot and open at the mouth. Y
is up and the vase's front faces +Z, as in glTF.
"""

import io
from typing import cast

import numpy as np
import trimesh
from PIL import Image
from scipy.interpolate import CubicSpline
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

from vaserl.synthetic.paint import HEIGHT, MARGIN
from vaserl.synthetic.profile import Handle, Shape
from vaserl.synthetic.vase import VaseTraits, shape_of

_NUM_SEGMENTS = 48
"""A horizontal section of the wall is a polygon with this number of corners."""

_INSIDE_V = 1 - MARGIN / 2 / HEIGHT
_UNDERSIDE_V = MARGIN / 2 / HEIGHT
_OUTSIDE_V = (MARGIN / HEIGHT, 1 - MARGIN / HEIGHT)


def build_mesh(traits: VaseTraits, texture: Image.Image) -> trimesh.Trimesh:
    """Returns the vase's textured mesh.

    The mesh is `traits.slimness` units high; its radii are those of its shape in `shapes`, which is 1 unit high.
    """
    shape = shape_of(traits.facts)
    pieces = [_wall(shape, traits.slimness), *(_tube(handle, traits.slimness) for handle in shape.handles)]
    offsets = np.cumsum([0, *(len(vertices) for vertices, _, _, _ in pieces[:-1])])
    material = PBRMaterial(baseColorTexture=texture, metallicFactor=0.0, roughnessFactor=0.55, name="slip and clay")
    return trimesh.Trimesh(
        vertices=np.concatenate([vertices for vertices, _, _, _ in pieces]),
        faces=np.concatenate([faces + offset for (_, _, faces, _), offset in zip(pieces, offsets, strict=True)]),
        vertex_normals=np.concatenate([normals for _, normals, _, _ in pieces]),
        visual=TextureVisuals(uv=np.concatenate([uv for _, _, _, uv in pieces]), material=material),
        process=False,
    )


def to_glb(mesh: trimesh.Trimesh) -> bytes:
    """Returns the mesh as the content of a GLB file. Its texture is a JPEG; a PNG of it would be ten times as large."""
    texture = mesh.visual.material.baseColorTexture  # type: ignore[union-attr]
    if texture.format != "JPEG":
        file = io.BytesIO()
        texture.save(file, format="JPEG", quality=92, subsampling=0)
        mesh.visual.material.baseColorTexture = Image.open(file)  # type: ignore[union-attr]
    return cast(bytes, mesh.export(file_type="glb", include_normals=True))


def _wall(shape: Shape, slimness: float) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns four arrays: the wall's vertices [V, 3], normals [V, 3], triangles [F, 3], texture coordinates [V, 2]."""
    stretch = np.array([1.0, slimness])
    outside, inside = shape.outside() * stretch, shape.inside() * stretch
    foot = outside[0]
    underside = np.array([[0.0, 0.012], [0.7 * foot[0], 0.012], [0.78 * foot[0], 0.0]])
    profile = np.concatenate([underside, outside, inside])
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(outside, axis=0).T))])
    v = np.concatenate(
        [
            np.full(len(underside), _UNDERSIDE_V),
            _OUTSIDE_V[0] + along / along[-1] * (_OUTSIDE_V[1] - _OUTSIDE_V[0]),
            np.full(len(inside), _INSIDE_V),
        ]
    )
    azimuth = np.linspace(-np.pi, np.pi, _NUM_SEGMENTS + 1)
    lip = np.clip((profile[:, 1] / slimness - 0.78) / 0.22, 0, 1) ** 2
    radius = profile[:, :1] * (1 + shape.trefoil * lip[:, None] * np.cos(3 * (azimuth + np.pi / 2))[None])
    vertices = np.stack(
        [radius * np.sin(azimuth), np.broadcast_to(profile[:, 1:], radius.shape), radius * np.cos(azimuth)], -1
    )
    along_normals = _profile_normals(profile)
    normals = np.stack(
        [
            along_normals[:, :1] * np.sin(azimuth),
            np.broadcast_to(along_normals[:, 1:], radius.shape),
            along_normals[:, :1] * np.cos(azimuth),
        ],
        -1,
    )
    uv = np.stack(np.broadcast_arrays((0.5 + azimuth / (2 * np.pi))[None], v[:, None]), axis=-1)
    faces = _grid_faces(len(profile), _NUM_SEGMENTS + 1)
    return vertices.reshape(-1, 3), normals.reshape(-1, 3), faces, uv.reshape(-1, 2)


def _tube(
    handle: Handle, slimness: float, num_sides: int = 10
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Returns the vertices, normals, triangles and texture coordinates of a handle, shaped like those of `_wall`.

    The handle is a closed tube along `handle.path`. Consecutive cross-sections are not twisted against each other.
    """
    knots = np.array([(r, side, z * slimness) for r, side, z in handle.path])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    steps = np.linspace(0.0, along[-1], 4 * len(knots))
    curve = CubicSpline(along, knots)(steps)
    tangents = np.gradient(curve, axis=0)
    tangents /= np.linalg.norm(tangents, axis=1, keepdims=True)
    across = np.cross(tangents[0], [0.0, 1.0, 0.0] if abs(tangents[0, 1]) < 0.9 else [1.0, 0.0, 0.0])
    rings, ring_normals = [], []
    angles = np.linspace(0, 2 * np.pi, num_sides + 1)
    for point, tangent in zip(curve, tangents, strict=True):
        across = across - tangent * (across @ tangent)
        across /= np.linalg.norm(across)
        normal = np.cos(angles)[:, None] * across + np.sin(angles)[:, None] * np.cross(tangent, across)
        rings.append(point + handle.thickness * normal)
        ring_normals.append(normal)
    rings = [np.repeat(curve[:1], num_sides + 1, 0), *rings, np.repeat(curve[-1:], num_sides + 1, 0)]
    ring_normals = [
        np.repeat(-tangents[:1], num_sides + 1, 0),
        *ring_normals,
        np.repeat(tangents[-1:], num_sides + 1, 0),
    ]
    turn = np.radians(handle.azimuth_deg)
    outward, sideways = np.array([np.sin(turn), 0, np.cos(turn)]), np.array([np.cos(turn), 0, -np.sin(turn)])
    basis = np.stack([outward, sideways, [0.0, 1.0, 0.0]])
    vertices, normals = np.concatenate(rings) @ basis, np.concatenate(ring_normals) @ basis
    faces = _grid_faces(len(rings), num_sides + 1)
    return vertices, normals, faces, np.tile([[0.5, _INSIDE_V]], (len(vertices), 1))


def _profile_normals(profile: np.ndarray) -> np.ndarray:
    """Returns the unit normals [N, 2] at the N points of a profile. They point away from the clay."""
    tangents = np.gradient(profile, axis=0)
    normals = np.stack([tangents[:, 1], -tangents[:, 0]], axis=1)
    return normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)


def _grid_faces(num_rows: int, num_columns: int) -> np.ndarray:
    """Returns the triangles [F, 3] between the vertices of a grid, numbered row by row.

    All vertices of the first row coincide, and all of the last row. Seen from outside, triangles are counter-clockwise.
    """
    row, column = np.meshgrid(np.arange(num_rows - 1), np.arange(num_columns - 1), indexing="ij")
    corner = row * num_columns + column
    lower = np.stack([corner, corner + 1, corner + num_columns + 1], axis=-1)[1:]
    upper = np.stack([corner, corner + num_columns + 1, corner + num_columns], axis=-1)[:-1]
    return np.concatenate([lower.reshape(-1, 3), upper.reshape(-1, 3)])
