"""Decides whether a surface is wound inside out, which would be lit from behind and culled where it is seen.

The sign of the volume that a surface encloses tells this only for a closed surface. For an open one the volume depends
on where the origin is, and a quarter of a wall or the inside of a mouth has either sign.
"""

from collections.abc import Sequence

import numpy as np

from vaserl.meshes.normals import face_vectors, place_numbers
from vaserl.meshes.part import Part


def facing_outwards(parts: Sequence[Part]) -> list[Part]:
    """Returns the parts, with those reversed that are wound inside out.

    A part that is closed in itself is judged by itself. The open parts are judged together and reversed together: if
    their volume is negative by more than the missing surface could contribute, or not at all.
    """
    volumes = [_volume(part, _centre([part])) for part in parts]
    is_closed = [_is_closed(part) if volume < 0 else False for part, volume in zip(parts, volumes, strict=True)]
    turned = [part.reversed() if closed else part for part, closed in zip(parts, is_closed, strict=True)]
    open_parts = [part for part, closed in zip(turned, is_closed, strict=True) if not closed]
    if not open_parts or not _is_inside_out(open_parts):
        return turned
    return [part if closed else part.reversed() for part, closed in zip(turned, is_closed, strict=True)]


def _is_inside_out(parts: Sequence[Part]) -> bool:
    """Tells whether the surface of all parts encloses a negative volume, whatever closes it.

    The areas of a closed surface, as vectors, sum to zero. Hence those of the missing surface sum to the opposite of
    those at hand. At distances of at most r from the centre, a flat piece with this area contributes at most a r / 3.
    """
    centre = _centre(parts)
    volume = sum(_volume(part, centre) for part in parts)
    missing = np.linalg.norm(sum(face_vectors(part.vertices, part.faces).sum(axis=0) for part in parts)) / 2
    radius = max(float(np.linalg.norm(part.vertices - centre, axis=1).max(initial=0.0)) for part in parts)
    return bool(volume + missing * radius / 3 < 0)


def _volume(part: Part, centre: np.ndarray) -> float:
    """Returns the volume between the surface and the centre; negative where the surface faces the centre."""
    a, b, c = (part.vertices[part.faces[:, corner]] - centre for corner in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c))) / 6


def _centre(parts: Sequence[Part]) -> np.ndarray:
    vertices = np.concatenate([part.vertices for part in parts])
    return (vertices.min(axis=0) + vertices.max(axis=0)) / 2


def _is_closed(part: Part) -> bool:
    """Tells whether each edge has two faces that run along it in opposite directions."""
    corners = place_numbers(part.vertices)[part.faces]
    starts, ends = corners.ravel(), np.roll(corners, -1, axis=1).ravel()
    is_edge = starts != ends
    starts, ends = starts[is_edge], ends[is_edge]
    num_places = np.int64(corners.max(initial=0)) + 1
    return bool((np.sort(starts * num_places + ends) == np.sort(ends * num_places + starts)).all())
