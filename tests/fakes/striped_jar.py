"""A round jar whose stripe alone tells how it is turned."""

import numpy as np
import trimesh
from PIL import Image
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

MARK_DEG = 40.0
"""Azimuth of the jar's only stripe, in degrees seen from above; 0 is towards +Z."""


def jar(*, mark_deg: float = MARK_DEG, belly: float = 0.3) -> trimesh.Trimesh:
    """Returns a round jar without handles, whose stripe alone determines its rotation."""
    z = np.linspace(0, 1, 40)
    radius = 0.12 + (belly - 0.12) * np.sin(np.pi * np.clip(z * 1.1, 0, 1)) ** 2
    angle = np.radians(np.linspace(-180, 180, 97))
    ring = np.stack(
        np.broadcast_arrays(radius[:, None] * np.sin(angle), z[:, None], radius[:, None] * np.cos(angle)), -1
    )
    row, column = np.meshgrid(np.arange(39), np.arange(96), indexing="ij")
    corner = (row * 97 + column).ravel()
    faces = np.concatenate(
        [np.stack([corner, corner + 1, corner + 98], 1), np.stack([corner, corner + 98, corner + 97], 1)]
    )
    pixels = np.full((64, 360, 3), (200, 100, 50), np.uint8)
    pixels[:20] = (30, 25, 25)
    at = round(180 + mark_deg)
    pixels[:, max(at - 12, 0) : at + 12] = (20, 40, 220)
    uv = np.stack(np.broadcast_arrays(np.linspace(0, 1, 97)[None], z[:, None]), -1).reshape(-1, 2)
    material = PBRMaterial(baseColorTexture=Image.fromarray(pixels), metallicFactor=0.0, roughnessFactor=0.7)
    return trimesh.Trimesh(ring.reshape(-1, 3), faces, visual=TextureVisuals(uv=uv, material=material), process=False)
