"""Distances of meshes from the true mesh, stored so that a report measures nothing twice."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from vaserl.errors import UserError
from vaserl.files import sha256_of
from vaserl.files.json_lines import json_lines, read_json_lines
from vaserl.judge.certification import KnownPair
from vaserl.judge.pair import MeshPair
from vaserl.meshes.compare.align import align
from vaserl.meshes.compare.geometry import chamfer_distance
from vaserl.meshes.compare.surface import sample_surface
from vaserl.meshes.glb import load_mesh

_NUM_POINTS = 10_000
"""Number of points sampled on each mesh."""


class TrueDistances:
    """Chamfer distances in a JSON-lines file, by the hashes of both meshes."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._stored = {(row["mesh"], row["true"]): float(row["chamfer"]) for row in read_json_lines(file)}

    def of(self, mesh: Path, true: Path) -> float:
        """Returns the Chamfer distance of a mesh from the true mesh after alignment, in heights of the true mesh.

        Raises: UserError with the path of a mesh that can't be read.
        """
        key = sha256_of(mesh), sha256_of(true)
        if key not in self._stored:
            self._stored[key] = true_distance(mesh, true)
            rows = [{"mesh": a, "true": b, "chamfer": value} for (a, b), value in self._stored.items()]
            self._file.write_bytes(json_lines(rows))
        return self._stored[key]


def true_distance(mesh: Path, true: Path) -> float:
    """Returns the Chamfer distance of a mesh from the true mesh, in heights of the true mesh."""
    solids = [load_mesh(path).to_mesh() for path in (mesh, true)]
    found = align(*solids)
    one, other = (
        sample_surface(solid.apply_transform(transform), _NUM_POINTS)
        for solid, transform in zip(solids, (found.to_frame, found.true_to_frame), strict=True)
    )
    return chamfer_distance(one, other)


def known_pairs(pairs: Sequence[MeshPair], true: Mapping[str, Path], distances: TrueDistances) -> list[KnownPair]:
    """Returns the truth about each pair; `true` is the true mesh of each object, by name.

    Raises: UserError for an object without a true mesh.
    """
    known = []
    for pair in pairs:
        name = pair.photo.stem
        if name not in true:
            raise UserError(f"true: no mesh {name}.glb for the photograph {pair.photo}")
        known.append(
            KnownPair(
                pair_id=pair.id,
                distance_a=distances.of(pair.a, true[name]),
                distance_b=distances.of(pair.b, true[name]),
            )
        )
    return known
