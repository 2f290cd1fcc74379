"""Reads untrusted GLB files (binary glTF) as painted models, and writes GLB files; equal meshes give files with equal
bytes."""

from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from trimesh.visual.color import ColorVisuals

from vaserl.errors import UserError
from vaserl.files.glb import MISUSED_FIELD, UnsoundGlb, open_glb
from vaserl.meshes.gltf.reader import read_parts
from vaserl.meshes.part import VERTEX_COLOURS, PaintedModel


def load_mesh(path: Path) -> PaintedModel:
    """Loads an untrusted GLB after checking its size and content; returns a model with at least one triangle.

    Raises: UserError with the file's path and what is wrong with the file.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; expected a GLB model")
    with path.open("rb") as file:
        magic = file.read(4)
    if magic != b"glTF":
        raise UserError(f"{path}: not a GLB model, it starts with {magic!r}, not b'glTF'; export it as binary glTF")
    content = open_glb(path)
    try:
        with np.errstate(all="ignore"):  # numbers that aren't finite are refused afterwards
            return read_parts(content)
    except UnsoundGlb as error:
        raise UserError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError, ZeroDivisionError) as error:
        # fields of the header that the check doesn't read
        raise UserError(f"{path}: {UnsoundGlb(MISUSED_FIELD)}") from error


def write_glb(path: Path, mesh: trimesh.Trimesh) -> None:
    """Writes the mesh as a GLB with its normals and, as PNG, its texture; equal meshes give equal bytes.

    Vertex colours in the attribute `VERTEX_COLOURS` (linear light) are written with 16 bits, because 8 bits are too
    coarse for dark colours in linear light.
    """
    if VERTEX_COLOURS not in mesh.vertex_attributes:
        content = mesh.export(file_type="glb", include_normals=True)
    else:
        bare = mesh.copy(include_cache=True)
        bare.visual = ColorVisuals(bare)
        colours = np.clip(bare.vertex_attributes.pop(VERTEX_COLOURS), 0.0, 1.0)
        bare.vertex_attributes[_COLOUR_ATTRIBUTE] = np.rint(colours * 65535).astype(np.uint16)
        content = bare.export(file_type="glb", include_normals=True, tree_postprocessor=_declare_colours)
    assert isinstance(content, bytes)  # what trimesh returns for this file type
    path.write_bytes(content)


_COLOUR_ATTRIBUTE = "_VERTEX_COLOURS"
"""Name that the colours have until `_declare_colours`; trimesh exports attributes whose names begin with _."""


def _declare_colours(tree: dict[str, Any]) -> None:
    """Declares the exported attribute to be the vertices' normalised colours, on a matt material."""
    tree["materials"] = [{"pbrMetallicRoughness": {"metallicFactor": 0.0, "roughnessFactor": 0.9}}]
    for mesh in tree["meshes"]:
        for primitive in mesh["primitives"]:
            colours = primitive["attributes"].pop(_COLOUR_ATTRIBUTE)
            primitive["attributes"]["COLOR_0"] = colours
            primitive["material"] = 0
            tree["accessors"][colours]["normalized"] = True
