"""Reads a primitive of a GLB, placed in the world, as a part: triangles, morphs, skin, normals, colours (glTF 2.0,
section 3.7)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from vaserl.files.glb import GlbContent, UnsoundGlb
from vaserl.meshes.gltf.arrays import read_accessor
from vaserl.meshes.gltf.paints import Coordinates, Paints
from vaserl.meshes.gltf.placement import Placement
from vaserl.meshes.normals import agreeing_normals
from vaserl.meshes.part import Paint, Part

_POINTS_AND_LINES = range(4)
_TRIANGLES, _STRIP, _FAN = 4, 5, 6
_FLOAT = 5126


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PlacedPrimitive:
    """A primitive in the world."""

    part: Part
    has_normals: bool
    """True if the file declares the part's normals; they are zero otherwise."""
    step: float
    """Distance between neighbouring positions that the file can express, in the world's unit; 0 for integers."""


def read_primitive(
    content: GlbContent, primitive: Mapping[str, Any], placement: Placement, paints: Paints
) -> PlacedPrimitive | None:
    """Returns the primitive as a part in the world; None if it has no triangles, as for points and lines.

    Raises: UnsoundGlb for faces that refer to vertices that don't exist, and attributes of other lengths.
    """
    attributes = primitive["attributes"]
    positions = read_accessor(content, attributes["POSITION"])[:, :3].astype(np.float64)
    faces = _triangles(content, primitive, len(positions))
    if not len(faces):
        return None
    step = 0.0
    if content.entry("accessors", attributes["POSITION"])["componentType"] == _FLOAT:
        largest = np.float32(np.nanmax(np.abs(positions)))
        step = float(np.spacing(largest) * np.linalg.norm(placement.matrix[:3, :3], axis=0).max())
    normals = None
    if "NORMAL" in attributes:
        normals = _of_length(read_accessor(content, attributes["NORMAL"]), len(positions)).astype(np.float64)
    positions, normals = _morphed(content, primitive, placement, positions, normals)
    positions, normals, is_mirrored = _placed(content, attributes, placement, positions, normals)
    if is_mirrored:
        faces = faces[:, ::-1]
    has_normals = normals is not None
    normals = np.zeros_like(positions) if normals is None else agreeing_normals(normals, positions, faces)
    paint, coordinates = Paint(), Coordinates()
    if "material" in primitive:
        paint, coordinates = paints.of_material(primitive["material"])
    uv = _uv(content, attributes, coordinates, len(positions)) if _is_textured(paint) else None
    if uv is None and _is_textured(paint):
        # without coordinates, the whole surface has the colour of one point of the texture
        uv = np.zeros((len(positions), 2))
    colours = _colours(content, attributes, len(positions))
    is_declared = colours is not None or paint.texture is not None or paint.emission_texture is not None
    part = Part(
        vertices=positions,
        faces=faces,
        normals=normals,
        uv=uv,
        colours=colours,
        paint=replace(paint, is_declared=is_declared),
    )
    return PlacedPrimitive(part=part, has_normals=has_normals, step=step)


def _is_textured(paint: Paint) -> bool:
    return paint.texture is not None or paint.emission_texture is not None


def _triangles(content: GlbContent, primitive: Mapping[str, Any], num_vertices: int) -> np.ndarray:
    """Returns the primitive's triangles, int64 [F, 3]."""
    if "indices" in primitive:
        corners = read_accessor(content, primitive["indices"])[:, 0].astype(np.int64)
        if len(corners) and corners.max() >= num_vertices:
            raise UnsoundGlb("damaged GLB model: faces refer to vertices that don't exist")
    else:
        corners = np.arange(num_vertices)
    mode, num = primitive.get("mode", _TRIANGLES), len(corners) - 2
    if mode == _TRIANGLES:
        return corners[: len(corners) // 3 * 3].reshape(-1, 3)
    if mode not in (_STRIP, _FAN, *_POINTS_AND_LINES):
        raise UnsoundGlb(f"damaged GLB model: a primitive of mode {mode!r:.20}")
    if mode in _POINTS_AND_LINES or num < 1:
        return np.zeros((0, 3), np.int64)
    if mode == _FAN:
        return np.stack([np.full(num, corners[0]), corners[1:-1], corners[2:]], axis=1)
    faces = np.stack([corners[:-2], corners[1:-1], corners[2:]], axis=1)
    faces[1::2] = faces[1::2][:, [1, 0, 2]]
    # strips are joined by triangles without area
    return faces[(faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])]


def _morphed(
    content: GlbContent,
    primitive: Mapping[str, Any],
    placement: Placement,
    positions: np.ndarray,
    normals: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray | None]:
    """Returns positions and normals with the morph targets added, by the weights at rest."""
    for target, weight in zip(primitive.get("targets", []), placement.weights, strict=False):
        if not weight:
            continue
        if "POSITION" in target:
            positions = positions + weight * _of_length(read_accessor(content, target["POSITION"]), len(positions))
        if "NORMAL" in target and normals is not None:
            normals = normals + weight * _of_length(read_accessor(content, target["NORMAL"]), len(normals))
        else:
            normals = None  # those of another shape
    return positions, normals


def _placed(
    content: GlbContent,
    attributes: Mapping[str, Any],
    placement: Placement,
    positions: np.ndarray,
    normals: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray | None, bool]:
    """Returns positions and normals in the world, and whether the placement mirrors the mesh."""
    if placement.joints is not None and "JOINTS_0" in attributes:
        matrices = _skin_matrices(content, attributes, placement.joints, len(positions))
        positions = np.einsum("vij,vj->vi", matrices[:, :3, :3], positions) + matrices[:, :3, 3]
        return positions, None, bool(np.median(np.linalg.det(matrices[:, :3, :3])) < 0)
    linear = placement.matrix[:3, :3]
    positions = positions @ linear.T + placement.matrix[:3, 3]
    if normals is not None:
        a, b, c = linear
        normals = normals @ np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)]).T
    return positions, normals, bool(np.linalg.det(linear) < 0)


def _skin_matrices(
    content: GlbContent, attributes: Mapping[str, Any], joints: np.ndarray, num_vertices: int
) -> np.ndarray:
    """Returns each vertex's transform to the world, float64 [V, 4, 4]: the mean of its joints', by weight."""
    matrices, total, number = np.zeros((num_vertices, 4, 4)), np.zeros(num_vertices), 0
    while f"JOINTS_{number}" in attributes:
        index = _of_length(read_accessor(content, attributes[f"JOINTS_{number}"]), num_vertices).astype(np.int64)
        weights = _of_length(read_accessor(content, attributes[f"WEIGHTS_{number}"], normalised=True), num_vertices)
        if index.max(initial=0) >= len(joints):
            raise UnsoundGlb("damaged GLB model: its skin refers to joints that don't exist")
        for column in range(4):
            matrices += weights[:, column, None, None] * joints[index[:, column]]
        total += weights.sum(axis=1)
        number += 1
    return matrices / np.maximum(total, 1e-9)[:, None, None]


def _uv(
    content: GlbContent, attributes: Mapping[str, Any], coordinates: Coordinates, num_vertices: int
) -> np.ndarray | None:
    """Returns each vertex's place in the texture, float64 [V, 2], counted from the lower left corner."""
    name = f"TEXCOORD_{coordinates.set_index}"
    if name not in attributes:
        return None
    uv = coordinates.applied(_of_length(read_accessor(content, attributes[name]), num_vertices).astype(np.float64))
    return np.stack([uv[:, 0], 1.0 - uv[:, 1]], axis=1)


def _colours(content: GlbContent, attributes: Mapping[str, Any], num_vertices: int) -> np.ndarray | None:
    """Returns each vertex's linear colour and alpha, float32 [V, 4]."""
    if "COLOR_0" not in attributes:
        return None
    read = np.clip(_of_length(read_accessor(content, attributes["COLOR_0"], normalised=True), num_vertices), 0.0, 1.0)
    colours = np.ones((num_vertices, 4), np.float32)
    colours[:, : min(read.shape[1], 4)] = np.nan_to_num(read[:, :4])
    return colours


def _of_length(values: np.ndarray, length: int) -> np.ndarray:
    if len(values) != length:
        raise UnsoundGlb(f"damaged GLB model: an attribute has {len(values):,} values for {length:,} vertices")
    return values
