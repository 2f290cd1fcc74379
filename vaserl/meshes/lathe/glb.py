"""Writing a model as binary glTF, byte for byte the same for the same mesh."""

from pathlib import Path

import trimesh


def write_glb(path: Path, mesh: trimesh.Trimesh) -> None:
    """The mesh with its normals and, as PNG, its texture. The bytes depend on the mesh alone."""
    content = mesh.export(file_type="glb", include_normals=True)
    assert isinstance(content, bytes)  # what trimesh returns for this file type
    path.write_bytes(content)
