"""Converts trimesh's meshes and scenes to parts."""

from typing import Any

import numpy as np
import trimesh
from PIL import Image

from vaserl.meshes.gltf.pictures import eight_bit_pixels
from vaserl.meshes.normals import face_vectors, smooth_normals
from vaserl.meshes.part import VERTEX_COLOURS, Paint, PaintedModel, PaintTexture, Part, unit_vectors

Model = trimesh.Trimesh | trimesh.Scene | PaintedModel

_BARE = Paint(factor=(0.3, 0.3, 0.3, 1.0), metallic=0.2, roughness=0.8)
"""Paint of a mesh without colours: grey, on which the shading is easier to see than on white."""


def painted_parts(model: Model) -> list[Part]:
    """Returns the parts of a model that have faces, with the transforms of a scene's nodes applied.

    trimesh's meshes get smooth normals, since copies of them lose declared ones. Those with a colour for each face are
    shaded flat.
    """
    if isinstance(model, PaintedModel):
        return list(model.parts)
    meshes = [model] if isinstance(model, trimesh.Trimesh) else model.dump()
    return [_part(mesh) for mesh in meshes if isinstance(mesh, trimesh.Trimesh) and len(mesh.faces)]


def _part(mesh: trimesh.Trimesh) -> Part:
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    visual: Any = mesh.visual
    kind = visual.kind if visual.defined else None
    if kind == "face":
        return _with_face_colours(vertices[faces], visual.face_colors)
    colours = mesh.vertex_attributes.get(VERTEX_COLOURS)
    if colours is None and kind == "vertex":
        colours = visual.vertex_colors / 255.0
    uv = visual.uv if kind == "texture" else None
    return Part(
        vertices=vertices,
        faces=faces,
        normals=smooth_normals(vertices, faces),
        uv=None if uv is None else np.asarray(uv, np.float64),
        colours=None if colours is None else np.asarray(colours, np.float32),
        paint=_paint(visual.material, uv is not None) if kind == "texture" else _BARE if colours is None else Paint(),
    )


def _with_face_colours(corners: np.ndarray, face_colours: np.ndarray) -> Part:
    """Returns a part whose F faces share no vertices; `corners` is [F, 3, 3], `face_colours` is uint8 RGBA [F, 4]."""
    vertices = corners.reshape(-1, 3)
    faces = np.arange(len(vertices)).reshape(-1, 3)
    return Part(
        vertices=vertices,
        faces=faces,
        normals=np.repeat(unit_vectors(face_vectors(vertices, faces)), 3, axis=0),
        colours=np.repeat(face_colours / 255.0, 3, axis=0).astype(np.float32),
        paint=Paint(is_declared=True),
    )


def _paint(material: Any, has_coordinates: bool) -> Paint:
    picture = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    factor = getattr(material, "baseColorFactor", None)
    metallic, roughness = (getattr(material, name, None) for name in ("metallicFactor", "roughnessFactor"))
    texture = None
    if isinstance(picture, Image.Image) and has_coordinates:
        texture = PaintTexture(pixels=np.ascontiguousarray(eight_bit_pixels(picture)[..., :3]))
    red, green, blue, alpha = (1.0, 1.0, 1.0, 1.0) if factor is None else (float(value) / 255 for value in factor)
    return Paint(
        factor=(red, green, blue, alpha),
        texture=texture,
        metallic=1.0 if metallic is None else float(metallic),
        roughness=1.0 if roughness is None else float(roughness),
        is_double_sided=bool(getattr(material, "doubleSided", False)),
        is_declared=texture is not None,
    )
