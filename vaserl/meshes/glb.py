"""Reads untrusted GLB files (binary glTF) as meshes, and writes GLB files; equal meshes give files with equal bytes."""

from pathlib import Path

import numpy as np
import trimesh

from vaserl.errors import UserError
from vaserl.files.glb import check_glb

MAX_COORDINATE = 1e9
"""Largest absolute coordinate of a vertex; for larger ones, rounding errors would make areas and volumes useless."""


def load_mesh(path: Path) -> trimesh.Scene:
    """Loads an untrusted GLB after checking its size and content; returns a scene with at least one triangle.

    Raises: UserError with the file's path and what is wrong with the file.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a GLB model")
    with path.open("rb") as file:
        magic = file.read(4)
    if magic != b"glTF":
        raise UserError(f"{path}: not a GLB model, it starts with {magic!r}, not b'glTF'; export it as binary glTF")
    check_glb(path)
    try:
        scene = trimesh.load_scene(path, file_type="glb")
    except Exception as error:  # the parser raises many types for damaged files
        raise UserError(f"{path}: damaged GLB model ({type(error).__name__}: {error}); export it again") from error
    if not any(isinstance(part, trimesh.Trimesh) and len(part.faces) for part in scene.geometry.values()):
        raise UserError(f"{path}: the GLB model holds no triangles")
    for part in scene.geometry.values():
        if not isinstance(part, trimesh.Trimesh):
            continue
        if not np.isfinite(part.vertices).all() or np.abs(part.vertices).max(initial=0.0) > MAX_COORDINATE:
            raise UserError(
                f"{path}: some vertices are not finite or too large (above {MAX_COORDINATE:g}); export it again"
            )
        if part.faces.max(initial=-1) >= len(part.vertices):
            raise UserError(f"{path}: damaged GLB model: faces refer to vertices that don't exist; export it again")
    if not sum(part.area for part in scene.geometry.values() if isinstance(part, trimesh.Trimesh)) > 0:
        raise UserError(f"{path}: the GLB model has no surface: all its triangles are points or lines")
    return scene


def write_glb(path: Path, mesh: trimesh.Trimesh) -> None:
    """Writes the mesh as a GLB with its normals and, as PNG, its texture; equal meshes give equal bytes."""
    content = mesh.export(file_type="glb", include_normals=True)
    assert isinstance(content, bytes)  # what trimesh returns for this file type
    path.write_bytes(content)
