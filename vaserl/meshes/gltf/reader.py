"""Reads a checked GLB as a painted model."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vaserl.files.glb import GlbContent, UnsoundGlb
from vaserl.meshes.gltf.paints import Paints
from vaserl.meshes.gltf.placement import placements
from vaserl.meshes.gltf.primitives import PlacedPrimitive, read_primitive
from vaserl.meshes.normals import face_vectors, smooth_normals
from vaserl.meshes.part import PaintedModel, Part

MAX_COORDINATE = 1e9
"""Largest absolute coordinate of a vertex; for larger ones, rounding errors would make areas and volumes useless."""
MIN_STEPS = 250
"""Smallest number of positions along the model's longest side that the file's numbers can distinguish. Photogrammetry
writes map coordinates, and single precision keeps 3 centimetres 500 kilometres from the origin."""
FAR = 1000.0
"""Distance from the origin, in lengths of the model's longest side, from which a model is moved to the origin."""


def read_parts(content: GlbContent) -> PaintedModel:
    """Returns all triangles of the file's scene as a painted model in float64.

    Raises: UnsoundGlb for a scene without triangles or without surface, positions that aren't finite, too large or too
    coarse, and everything that the reader's modules don't support.
    """
    meshes = content.header.get("meshes", [])
    paints = Paints(content)
    placed: list[PlacedPrimitive] = []
    for placement in placements(content):
        for primitive in meshes[placement.mesh]["primitives"]:
            found = read_primitive(content, primitive, placement, paints)
            if found is not None:
                placed.append(found)
    if not placed:
        raise UnsoundGlb("the GLB model holds no triangles" + (" in the scene that it shows" if meshes else ""))
    _check_positions(placed)
    return PaintedModel(parts=_near_the_origin(_with_normals(placed)))


def _check_positions(placed: Sequence[PlacedPrimitive]) -> None:
    for found in placed:
        vertices = found.part.vertices
        if not np.isfinite(vertices).all() or np.abs(vertices).max(initial=0.0) > MAX_COORDINATE:
            raise UnsoundGlb(f"some vertices are not finite or too large (above {MAX_COORDINATE:g})")
    if not any(np.abs(face_vectors(found.part.vertices, found.part.faces)).max(initial=0.0) > 0 for found in placed):
        raise UnsoundGlb("the GLB model has no surface: all its triangles are points or lines")
    size = float(np.ptp(np.concatenate([found.part.vertices for found in placed]), axis=0).max())
    step = max(found.step for found in placed)
    if step * MIN_STEPS > size:
        raise UnsoundGlb(
            f"so far from the origin that single precision leaves its vertices {size / step:.0f} steps over its size",
            "move it to the origin and export it again",
        )


def _with_normals(placed: Sequence[PlacedPrimitive]) -> list[Part]:
    """Returns the parts; those without declared normals get smooth ones, computed together so that no seam shows
    between them."""
    bare = [found.part for found in placed if not found.has_normals]
    if not bare:
        return [found.part for found in placed]
    offsets = np.cumsum([0, *(len(part.vertices) for part in bare)])
    vertices = np.concatenate([part.vertices for part in bare])
    faces = np.concatenate([part.faces + offset for part, offset in zip(bare, offsets[:-1], strict=True)])
    smooth = iter(np.split(smooth_normals(vertices, faces), offsets[1:-1]))
    return [found.part if found.has_normals else replace(found.part, normals=next(smooth)) for found in placed]


def _near_the_origin(parts: list[Part]) -> list[Part]:
    """Returns the parts, moved if they are far off, since later computations have absolute tolerances."""
    vertices = np.concatenate([part.vertices for part in parts])
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    if np.abs(low + high).max() / 2 < FAR * (high - low).max():
        return parts
    return [replace(part, vertices=part.vertices - (low + high) / 2) for part in parts]
