"""Renders photographs of the vases: good ones, and the flawed kinds that are common in museum archives.

Every photograph has a random viewpoint, light, backdrop and colour cast. In a good photograph, the camera is at most 15
degrees above the horizontal and the backdrop is plain, as in catalogues. Photographs from above are as sharp and
complete, but show the vase's profile foreshortened.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import trimesh
from PIL import Image, ImageFilter
from trimesh.intersections import slice_faces_plane
from trimesh.visual.texture import TextureVisuals

from vaserl.meshes.turntable import Camera, Light, TurntableRenderer

PhotographKind = Literal["intact", "above", "fragment", "blur", "sketch", "crop"]
"""Kind of a photograph. It shows a whole vase from the side ("intact"), a whole vase from above ("above"), a sherd
("fragment"), a blurred vase ("blur"), a line drawing of a vase ("sketch"), or a part of a vase ("crop")."""

FLAWED: tuple[PhotographKind, ...] = ("fragment", "blur", "sketch", "crop")

RESOLUTION = 224
"""Width and height of a photograph in pixels."""

BACKDROPS: tuple[tuple[float, float, float], ...] = (
    (0.97, 0.97, 0.97),
    (0.80, 0.80, 0.80),
    (0.62, 0.63, 0.65),
    (0.70, 0.77, 0.84),
    (0.86, 0.82, 0.74),
)
"""Backdrop colours, RGB in [0, 1]: white, two greys, pale blue, sand. None is similar to slip or orange clay."""


def label_quality(kind: PhotographKind) -> int:
    """Returns 1 if photographs of this kind are sharp and show the whole object (a vase or a sherd), else 0."""
    return int(kind in ("intact", "above", "fragment"))


def label_intact(kind: PhotographKind) -> int:
    """Returns 0 if photographs of this kind show a broken object, else 1."""
    return int(kind != "fragment")


def take_photograph(
    turntable: TurntableRenderer,
    mesh: trimesh.Trimesh,
    kind: PhotographKind,
    rng: np.random.Generator,
    back: bool = False,
) -> np.ndarray:
    """Renders a photograph of the given kind. Returns: RGB pixels, uint8 [224, 224, 3].

    turntable: a renderer with a resolution of 224. back: True to show the back of the vase; ignored for a fragment.
    """
    turn_deg = float(rng.normal(180.0 if back else 0.0, 14.0))
    elevation_deg = float(rng.uniform(38.0, 65.0) if kind == "above" else rng.uniform(1.0, 14.0))
    if kind == "fragment":
        shard = shard_of(mesh, rng)
        return _render(turntable, shard, (float(rng.normal(0, 12)), float(rng.normal(0, 10))), Camera(margin=1.15), rng)
    if kind == "sketch":
        return _render_sketch(turntable, mesh, (turn_deg, elevation_deg), rng)
    if kind == "crop":
        aim = (float(rng.uniform(-0.3, 0.3)), float(rng.choice([-1, 1]) * rng.uniform(0.15, 0.5)))
        camera = Camera(margin=float(rng.uniform(0.42, 0.62)), aim=aim)
        return _render(turntable, mesh, (turn_deg, elevation_deg), camera, rng)
    camera = Camera(
        margin=float(rng.uniform(1.04, 1.2)), aim=(float(rng.normal(0, 0.012)), float(rng.normal(0, 0.012)))
    )
    image = _render(turntable, mesh, (turn_deg, elevation_deg), camera, rng)
    if kind == "blur":
        radius = float(rng.uniform(2.5, 5.5))
        return np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))
    return image


def shard_of(mesh: trimesh.Trimesh, rng: np.random.Generator) -> trimesh.Trimesh:
    """Cuts a sherd with four to six random edges out of the front of the vase and turns it to face the camera."""
    height = float(np.ptp(mesh.vertices[:, 1]))
    azimuth, level = rng.uniform(-0.5, 0.5), mesh.vertices[:, 1].min() + height * rng.uniform(0.4, 0.62)
    outward = np.array([np.sin(azimuth), 0.0, np.cos(azimuth)])
    sideways, up = np.array([np.cos(azimuth), 0.0, -np.sin(azimuth)]), np.array([0.0, 1.0, 0.0])
    near = mesh.vertices[np.abs(mesh.vertices[:, 1] - level) < 0.06 * height]
    radius = float(np.median(np.hypot(near[:, 0], near[:, 2])))
    size = min(radius, 0.35 * height) * rng.uniform(0.6, 0.95)
    centre = outward * radius + up * level
    piece = (mesh.vertices, mesh.faces, mesh.visual.uv)  # type: ignore[union-attr]
    piece = slice_faces_plane(*piece[:2], outward, outward * 0.35 * radius, uv=piece[2])
    num_cuts = int(rng.integers(4, 7))
    angles = 2 * np.pi * (np.arange(num_cuts) + rng.uniform(0, 0.7, num_cuts)) / num_cuts
    for angle in angles:
        inward = -(np.cos(angle) * sideways + np.sin(angle) * up) + outward * rng.uniform(-0.1, 0.25)
        piece = slice_faces_plane(*piece[:2], inward, centre - inward * size * rng.uniform(0.7, 1.1), uv=piece[2])
    material = mesh.visual.material.copy()  # type: ignore[union-attr]
    material.doubleSided = True  # type: ignore[union-attr]  # the inner side of the wall is visible at the cuts
    vertices, faces, uv = piece
    shard = trimesh.Trimesh(vertices, faces, visual=TextureVisuals(uv=uv, material=material), process=False)
    roll = trimesh.transformations.rotation_matrix(rng.uniform(-0.6, 0.6), [0, 0, 1])
    shard.apply_transform(roll @ trimesh.transformations.rotation_matrix(-azimuth, [0, 1, 0]))
    return shard


def _render(
    turntable: TurntableRenderer,
    mesh: trimesh.Trimesh,
    view: tuple[float, float],
    camera: Camera,
    rng: np.random.Generator,
) -> np.ndarray:
    """Renders the mesh from one view, (turn, elevation) in degrees, with random light, backdrop and colour cast."""
    light = Light(
        ambient=float(rng.uniform(0.42, 0.62)),
        key=float(rng.uniform(1.2, 2.4)),
        key_direction_deg=(float(rng.uniform(-60, 60)), float(rng.uniform(10, 55))),
        fill=float(rng.uniform(0.2, 0.9)),
    )
    backdrop = _varied(BACKDROPS[int(rng.integers(len(BACKDROPS)))], rng)
    image = turntable.render_views(mesh, [view], camera=camera, light=light, background=backdrop)[0]
    cast = 1 + rng.normal(0, 0.015, 3)
    return np.round((image * cast).clip(0, 255)).astype(np.uint8)


def _varied(colour: Sequence[float], rng: np.random.Generator) -> tuple[float, float, float]:
    red, green, blue = (float(channel) for channel in np.clip(np.array(colour) + rng.normal(0, 0.015), 0, 1))
    return red, green, blue


def _render_sketch(
    turntable: TurntableRenderer, mesh: trimesh.Trimesh, view: tuple[float, float], rng: np.random.Generator
) -> np.ndarray:
    """Renders the mesh from one view, (turn, elevation) in degrees, as a line drawing in ink on yellowed paper.

    The lines are at the edges in the rendered image, where its brightness changes.
    """
    flat = Light(ambient=0.95, key=0.25, fill=0.1)
    image = turntable.render_views(mesh, [view], camera=Camera(margin=1.12), light=flat, background=(1.0, 1.0, 1.0))[0]
    grey = np.asarray(Image.fromarray(image).convert("L").filter(ImageFilter.GaussianBlur(0.8)), np.float32)
    vertical, horizontal = np.gradient(grey)
    ink = np.clip(np.hypot(vertical, horizontal) / 26.0 - 0.15, 0, 1)[..., None] * rng.uniform(0.75, 1.0)
    paper = np.array([244, 238, 222]) + rng.normal(0, 5) + rng.normal(0, 2.0, (RESOLUTION, RESOLUTION, 1))
    drawn = paper * (1 - ink) + np.array([52, 46, 44]) * ink
    return np.round(drawn.clip(0, 255)).astype(np.uint8)
