"""Matches the files of generated meshes with those of true meshes by their names.

Generators and the people who collect their output add endings to a vase's name: the published comparison of VaseVQA-3D
has gt/X.glb, hunyuan3d/X_generated_(2).glb and triposg/X_textured_4k.glb_shaded.glb for one vase X.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vaserl.errors import UserError


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchedNames:
    """Which generated mesh belongs to which true mesh.

    Example: MatchedNames(pairs={"X": "X_generated_(2)"}, without_true=("Z",), without_generated=("Y",))
    """

    pairs: Mapping[str, str]
    """Name of the generated mesh, by the name of the true mesh; a name is that of the file without .glb."""
    without_true: tuple[str, ...]
    """Names of the generated meshes that belong to no true mesh."""
    without_generated: tuple[str, ...]
    """Names of the true meshes to which no generated mesh belongs."""


def match_names(generated: Sequence[str], true: Sequence[str], endings: Sequence[str], setting: str) -> MatchedNames:
    """Returns the pairs of generated and true meshes, and the names that are in no pair.

    A generated mesh belongs to the true mesh of the same name. Without one, an ending of its name that matches one of
    the regular expressions `endings` is removed, until the name that is left is a true mesh's. If it never is, the true
    meshes' names are shortened in the same way.

    Raises: UserError when several meshes match, or none at all; `setting` names the folder of the generated meshes.
    """
    short: dict[str, list[str]] = {}
    for name in true:
        for shorter in list(_shortened(name, endings))[1:]:
            short.setdefault(shorter, []).append(name)
    partners: dict[str, list[str]] = {}
    for name in generated:
        chain = list(_shortened(name, endings))
        found = next(([left] for left in chain if left in true), None) or next(
            (short[left] for left in chain if left in short), []
        )
        if len(found) > 1:
            raise UserError(f"{setting}: {name!r} matches the true meshes {_quoted(found)}; {_REMEDY}")
        for partner in found:
            partners.setdefault(partner, []).append(name)
    for partner, names in partners.items():
        if len(exact := [name for name in names if name == partner]) == 1:
            partners[partner] = exact
        elif len(names) > 1:
            raise UserError(f"{setting}: {_quoted(names)} match the true mesh {partner!r}; {_REMEDY}")
    if not partners:
        raise UserError(
            f"{setting}: no name matches that of a true mesh, for example {generated[0]!r} and {true[0]!r}; {_REMEDY}"
        )
    pairs = {name: partners[name][0] for name in true if name in partners}
    taken = set(pairs.values())
    return MatchedNames(
        pairs=pairs,
        without_true=tuple(name for name in generated if name not in taken),
        without_generated=tuple(name for name in true if name not in pairs),
    )


def glbs_of(folder: Path, setting: str) -> tuple[dict[str, Path], tuple[str, ...]]:
    """Returns the folder's GLBs by name (the file's name without .glb), and the names of its other files.

    Hidden files are not among them. Raises: UserError when there are no GLBs.
    """
    files = sorted(path for path in folder.glob("*") if path.is_file() and not path.name.startswith("."))
    found = {path.stem: path for path in files if path.suffix.lower() == ".glb"}
    if not found:
        raise UserError(f"{setting} {folder}: no .glb files in this folder")
    taken = set(found.values())
    return found, tuple(path.name for path in files if path not in taken)


_REMEDY = 'rename or remove files, or set "endings" to what generators append to a vase\'s name'


def _shortened(name: str, endings: Sequence[str]) -> Iterator[str]:
    """Yields the name, and what is left of it after removing its endings one by one."""
    while name:
        yield name
        left = next((left for ending in endings if (left := _without(name, ending)) not in ("", name)), "")
        name = left


def _without(name: str, ending: str) -> str:
    return re.sub(rf"(?:[ ._-]+|(?=\())(?:{ending})\Z", "", name, flags=re.IGNORECASE)


def _quoted(names: Sequence[str]) -> str:
    return " and ".join(repr(name) for name in names)
