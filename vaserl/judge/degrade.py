"""Deliberate damage to meshes and photographs, for testing judges: the damaged copy is worse by construction.

Equal arguments give equal results. A uniform scale isn't among them: every mesh is shown and measured at unit height,
so that it changes nothing. `stretch` changes the proportions instead.
"""

import zlib
from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import trimesh
from PIL import Image, ImageDraw, ImageFilter
from scipy.sparse import coo_matrix

from vaserl.meshes.normals import place_numbers, smooth_normals

MeshDamage = Literal["drop_faces", "smooth", "noise", "holes", "stretch"]
PhotoDamage = Literal["crop", "occlusion", "downscale", "blur"]

_MAX_SMOOTHING_STEPS = 40
_MAX_NOISE = 0.02
"""Standard deviation of `noise` at strength 1, as a share of the mesh's height."""
_MAX_HOLE = 0.22
"""Radius of the holes at strength 1, as a share of the mesh's height."""
_NUM_HOLES = 4
_MAX_STRETCH = 0.6
_MAX_BLUR = 0.03
"""Radius of `blur` at strength 1, as a share of the photograph's shorter side."""
_SMALLEST_SIDE = 8


def damaged_mesh(mesh: trimesh.Trimesh, kind: MeshDamage, *, strength: float, seed: int) -> trimesh.Trimesh:
    """Returns a damaged copy with smooth normals; texture coordinates and colours are kept.

    strength: from 0 (exclusive) to 1. drop_faces: share 0.6 · strength of the faces is removed at random. smooth:
    Laplacian smoothing, up to 40 steps. noise: every place of the surface moves by a normal deviate of up to 0.02
    heights. holes: four holes of up to 0.22 heights in radius. stretch: the height changes by a factor of up to 1.6, or
    1 / 1.6.
    """
    _check_strength(strength)
    rng = _generator(seed, kind)
    copy = mesh.copy()
    vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces)
    vertices, is_kept = _MESH_DAMAGE[kind](vertices, faces, strength, rng)
    if not is_kept.any():
        raise ValueError(f"{kind} at strength {strength} leaves no face of a mesh with {len(faces)} faces")
    copy.vertices = vertices
    copy.update_faces(is_kept)
    copy.remove_unreferenced_vertices()
    return trimesh.Trimesh(
        copy.vertices,
        copy.faces,
        vertex_normals=smooth_normals(np.asarray(copy.vertices), np.asarray(copy.faces)),
        visual=copy.visual,
        process=False,
    )


def damaged_photograph(image: Image.Image, kind: PhotoDamage, *, strength: float, seed: int) -> Image.Image:
    """Returns a damaged copy of an RGB photograph.

    strength: from 0 (exclusive) to 1. crop: a random rectangle with sides shorter by up to 60 %. occlusion: a grey
    rectangle with sides of up to 70 % of the photograph's. downscale: reduced by a factor of up to 16 and enlarged
    again. blur: Gaussian with a radius of up to 3 % of the shorter side.
    """
    _check_strength(strength)
    return _PHOTO_DAMAGE[kind](image.convert("RGB"), strength, _generator(seed, kind))


def _check_strength(strength: float) -> None:
    if not 0 < strength <= 1:
        raise ValueError(f"strength must be above 0 and at most 1, got {strength}")


def _generator(seed: int, kind: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(kind.encode())])


_Damaged = tuple[np.ndarray, np.ndarray]
"""New positions [V, 3], and which faces are kept, bool [F]."""


def _drop_faces(vertices: np.ndarray, faces: np.ndarray, strength: float, rng: np.random.Generator) -> _Damaged:
    return vertices, rng.random(len(faces)) >= 0.6 * strength


def _smooth(vertices: np.ndarray, faces: np.ndarray, strength: float, rng: np.random.Generator) -> _Damaged:
    place = place_numbers(vertices)
    num = int(place.max()) + 1
    at = np.zeros((num, 3))
    at[place] = vertices
    corners = place[faces]
    starts, ends = corners.ravel(), np.roll(corners, -1, axis=1).ravel()
    both = np.concatenate([starts, ends]), np.concatenate([ends, starts])
    links = coo_matrix((np.ones(len(both[0])), both), shape=(num, num)).tocsr()
    links.data[:] = 1.0
    degree = np.maximum(np.asarray(links.sum(axis=1)), 1.0)
    for _ in range(max(1, round(_MAX_SMOOTHING_STEPS * strength))):
        at = 0.5 * at + 0.5 * (links @ at) / degree
    return at[place], np.ones(len(faces), bool)


def _noise(vertices: np.ndarray, faces: np.ndarray, strength: float, rng: np.random.Generator) -> _Damaged:
    place = place_numbers(vertices)  # vertices that are doubled at a seam move together
    moved = rng.normal(0.0, _MAX_NOISE * strength * _height(vertices), (int(place.max()) + 1, 3))
    return vertices + moved[place], np.ones(len(faces), bool)


def _holes(vertices: np.ndarray, faces: np.ndarray, strength: float, rng: np.random.Generator) -> _Damaged:
    corners = vertices[faces]
    centres = corners.mean(axis=1)
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    middles = centres[rng.choice(len(faces), _NUM_HOLES, p=areas / areas.sum())]
    distance = np.linalg.norm(centres[:, None] - middles[None], axis=2).min(axis=1)
    return vertices, distance > _MAX_HOLE * strength * _height(vertices)


def _stretch(vertices: np.ndarray, faces: np.ndarray, strength: float, rng: np.random.Generator) -> _Damaged:
    factor = (1 + _MAX_STRETCH * strength) ** float(rng.choice([-1, 1]))
    return vertices * np.array([1.0, factor, 1.0]), np.ones(len(faces), bool)


def _height(vertices: np.ndarray) -> float:
    return float(np.ptp(vertices[:, 1]))


_MESH_DAMAGE: Mapping[MeshDamage, Callable[..., _Damaged]] = {
    "drop_faces": _drop_faces,
    "smooth": _smooth,
    "noise": _noise,
    "holes": _holes,
    "stretch": _stretch,
}


def _crop(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    width, height = (max(1, round(side * (1 - 0.6 * strength))) for side in image.size)
    left, top = int(rng.integers(image.width - width + 1)), int(rng.integers(image.height - height + 1))
    return image.crop((left, top, left + width, top + height))


def _occlusion(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    width, height = (max(1, round(0.7 * strength * side)) for side in image.size)
    left, top = int(rng.integers(image.width - width + 1)), int(rng.integers(image.height - height + 1))
    covered = image.copy()
    ImageDraw.Draw(covered).rectangle((left, top, left + width - 1, top + height - 1), fill=(127, 127, 127))
    return covered


def _downscale(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    factor = 16**strength
    small = (max(_SMALLEST_SIDE, round(side / factor)) for side in image.size)
    width, height = small
    return image.resize((width, height), Image.Resampling.BOX).resize(image.size, Image.Resampling.BICUBIC)


def _blur(image: Image.Image, strength: float, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(_MAX_BLUR * strength * min(image.size)))


_PHOTO_DAMAGE: Mapping[PhotoDamage, Callable[..., Image.Image]] = {
    "crop": _crop,
    "occlusion": _occlusion,
    "downscale": _downscale,
    "blur": _blur,
}
