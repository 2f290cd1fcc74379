"""Samples points with normals and colours on a mesh, evenly by area."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import trimesh
from PIL import Image

GREY = 0.5
"""Colour of a surface without colours, which is neutral for the turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Points on a surface."""

    points: np.ndarray
    """float64 [N, 3]."""
    normals: np.ndarray
    """float64 [N, 3] unit normals of the points' faces."""
    colours: np.ndarray
    """float64 [N, 3] RGB from 0 to 1; grey when the mesh has neither texture nor colours."""


def sample_surface(mesh: trimesh.Trimesh, num_points: int) -> Surface:
    """Samples points with a fixed seed: a moved copy of a mesh gets the same points, moved."""
    sampled: Any = trimesh.sample.sample_surface(mesh, num_points, return_barycentric=True, seed=0)
    points, faces, weights = sampled
    return Surface(
        points=np.asarray(points, np.float64),
        normals=np.asarray(mesh.face_normals[faces], np.float64),
        colours=_colours(mesh, mesh.faces[faces], np.asarray(weights)),
    )


def _colours(mesh: trimesh.Trimesh, corners: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Returns colours, float64 [N, 3], of points given by their faces' corners and barycentric weights, [N, 3] each."""
    visual: Any = mesh.visual
    if visual is not None and visual.defined:
        if visual.kind in ("vertex", "face"):
            return np.einsum("nc,ncd->nd", weights, visual.vertex_colors[corners][..., :3] / 255.0)
        picture = _texture(visual)
        if picture is not None:
            at = np.einsum("nc,ncd->nd", weights, visual.uv[corners]) % 1.0
            rows, columns = picture.shape[:2]
            row = np.clip(((1 - at[:, 1]) * rows).astype(int), 0, rows - 1)
            return picture[row, np.clip((at[:, 0] * columns).astype(int), 0, columns - 1)] / 255.0
    return np.full((len(corners), 3), GREY)


def _texture(visual: Any) -> np.ndarray | None:
    """Returns the texture image, uint8 [H, W, 3], or None when there is none."""
    material = getattr(visual, "material", None)
    image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    if image is None or getattr(visual, "uv", None) is None:
        return None
    return np.asarray(image.convert("RGB") if isinstance(image, Image.Image) else image)
