"""Samples points with normals and colours on a mesh, evenly by area."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import trimesh
from PIL import Image

from vaserl.meshes.colour_space import srgb_from_linear

GREY = 0.5
"""Value of each RGB channel, from 0 to 1, for a mesh without colours. Since it is the same everywhere, it doesn't
influence the turn that the alignment finds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Points sampled on a mesh, with normals and colours."""

    points: np.ndarray
    """float64 [N, 3] positions of the N points."""
    normals: np.ndarray
    """float64 [N, 3] unit normals of the faces that the points lie on."""
    colours: np.ndarray
    """float64 [N, 3] RGB from 0 to 1; grey when the mesh has neither texture nor colours."""


def sample_surface(mesh: trimesh.Trimesh, num_points: int) -> Surface:
    """Samples points with a fixed seed, so a transformed copy of a mesh gets the same points, transformed."""
    sampled: Any = trimesh.sample.sample_surface(mesh, num_points, return_barycentric=True, seed=0)
    points, faces, weights = sampled
    return Surface(
        points=np.asarray(points, np.float64),
        normals=np.asarray(mesh.face_normals[faces], np.float64),
        colours=_colours(mesh, mesh.faces[faces], np.asarray(weights)),
    )


def _colours(mesh: trimesh.Trimesh, corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns the RGB colours of N points, float64 [N, 3].

    `corners` are the vertex indices of each point's face, int [N, 3]. `weights` are the point's barycentric coordinates
    in this face, [N, 3].
    """
    visual: Any = mesh.visual
    if visual is not None and visual.defined:
        if visual.kind in ("vertex", "face"):
            # linear in glTF, while textures are sRGB
            return srgb_from_linear(np.einsum("nc,ncd->nd", weights, visual.vertex_colors[corners][..., :3] / 255.0))
        picture = _texture(visual)
        if picture is not None:
            at = np.einsum("nc,ncd->nd", weights, visual.uv[corners]) % 1.0
            rows, columns = picture.shape[:2]
            row = np.clip(((1 - at[:, 1]) * rows).astype(int), 0, rows - 1)
            return picture[row, np.clip((at[:, 0] * columns).astype(int), 0, columns - 1)] / 255.0
    return np.full((len(corners), 3), GREY)


def _texture(visual: Any) -> np.ndarray | None:
    """Returns the texture image, uint8 [H, W, 3], or None if the mesh has none."""
    material = getattr(visual, "material", None)
    image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    if image is None or getattr(visual, "uv", None) is None:
        return None
    return np.asarray(image.convert("RGB") if isinstance(image, Image.Image) else image)
