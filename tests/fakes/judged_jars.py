"""A small collection to judge: jars turned from profiles, photographs of them, and worse copies."""

from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from vaserl.judge.degrade import damaged_mesh
from vaserl.meshes.glb import write_glb
from vaserl.meshes.turntable import TurntableRenderer

NUM_JARS = 5


def jar(k: int) -> trimesh.Trimesh:
    """Returns a closed jar of revolution of 24 rows and 24 columns; `k` decides how slender it is."""
    z = np.linspace(0, 1, 24)
    radius = (0.18 + 0.04 * k) * (0.7 + 0.5 * np.sin(np.pi * z**0.8))
    profile = np.concatenate([[[0, 0]], np.stack([radius, z], 1), [[0, 1]]])
    mesh = trimesh.creation.revolve(profile, sections=24)
    mesh.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))  # its axis is z
    return mesh


def make_collection(folder: Path) -> Path:
    """Writes photos, true (the jars), worse (strongly damaged) and worst (more so) into a folder, and returns it."""
    for name in ("photos", "true", "worse", "worst"):
        (folder / name).mkdir()
    with TurntableRenderer(resolution=160) as turntable:
        for k in range(NUM_JARS):
            mesh = jar(k)
            name = f"v{k}"
            image = turntable.render_views(mesh, [(0.0, 8.0)])[0]
            Image.fromarray(image).save(folder / "photos" / f"{name}.png")
            write_glb(folder / "true" / f"{name}.glb", mesh)
            worse = damaged_mesh(mesh, "stretch", strength=0.6, seed=k)
            write_glb(folder / "worse" / f"{name}.glb", worse)
            write_glb(folder / "worst" / f"{name}.glb", damaged_mesh(worse, "noise", strength=1.0, seed=k))
    return folder
