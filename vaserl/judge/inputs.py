"""The objects of a run: photographs and meshes with the same names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.judge.pair import MeshPair
from vaserl.meshes.compare.names import glbs_of

_PHOTO_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"}


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedObjects:
    """Photographs and meshes, by the objects' names."""

    photos: Mapping[str, Path]
    meshes: Mapping[str, Mapping[str, Path]]
    """Meshes of each generator, by the generator's name."""

    def shared(self, generators: Sequence[str]) -> list[str]:
        """Returns the objects that have a photograph and a mesh of each of these generators, sorted.

        Raises: UserError if there are none.
        """
        names = set(self.photos).intersection(*(self.meshes[generator] for generator in generators))
        if not names:
            raise UserError(
                f"no object has a photograph and a mesh of {' and '.join(generators)}; give photographs and GLBs the "
                f"same names. Photographs: {_few(self.photos)}; "
                + "; ".join(f"{generator}: {_few(self.meshes[generator])}" for generator in generators)
            )
        return sorted(names)

    def pairs_of(self, one: str, other: str) -> list[MeshPair]:
        """Returns a pair for each object that both generators have made; `one` is mesh a."""
        return [
            MeshPair(
                id=f"{one}/{other}/{name}",
                photo=self.photos[name],
                a=self.meshes[one][name],
                b=self.meshes[other][name],
            )
            for name in self.shared([one, other])
        ]

    def all_pairs(self) -> list[MeshPair]:
        """Returns the pairs of every two generators."""
        return [pair for one, other in combinations(self.meshes, 2) for pair in self.pairs_of(one, other)]


def read_objects(photos: Path, meshes: Mapping[str, Path]) -> JudgedObjects:
    """Returns the photographs and GLBs in the folders; other files are ignored.

    photos: folder of photographs, or a data set, of which the photographs of the kept vases are taken.

    Raises: UserError for a folder without any, two photographs of one name, and generators whose names hold a slash.
    """
    for generator in meshes:
        if "/" in generator:
            raise UserError(f"meshes.{generator}: a generator's name must not contain a slash")
    found: dict[str, Path] = _photos_of_vases(photos)
    for path in sorted(photos.glob("*")) if not found else ():
        if path.suffix.lower() not in _PHOTO_SUFFIXES or path.name.startswith("."):
            continue
        if path.stem in found:
            raise UserError(f"photos {photos}: {found[path.stem].name} and {path.name} have one name; remove one")
        found[path.stem] = path
    if not found:
        raise UserError(f"photos {photos}: no photographs (.png, .jpg, .webp, .tif) in this folder")
    return JudgedObjects(
        photos=found, meshes={name: glbs_of(folder, f"meshes.{name}")[0] for name, folder in meshes.items()}
    )


def draw_pairs(pairs: Sequence[MeshPair], num: int | None, seed: int) -> list[MeshPair]:
    """Returns `num` random pairs in their original order, or all pairs if there aren't more or `num` is None."""
    if num is None or num >= len(pairs):
        return list(pairs)
    chosen = np.random.default_rng(seed).choice(len(pairs), num, replace=False)
    return [pairs[int(index)] for index in np.sort(chosen)]


def _photos_of_vases(folder: Path) -> dict[str, Path]:
    """Returns the photograph of each kept vase of a data set, by the vase's id; none if the folder is no data set."""
    dataset = DataSet(folder)
    if not dataset.exists:
        return {}
    paths = ((row.vase_id, folder / row.photo, Path(row.photo)) for row in dataset.rows if row.kept)
    return {vase: path if path.is_file() else other for vase, path, other in paths}


def _few(names: Mapping[str, Path]) -> str:
    shown = sorted(names)[:3]
    return ", ".join(shown) + (", …" if len(names) > len(shown) else "")
