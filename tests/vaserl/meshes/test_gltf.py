"""Tests that what a GLB declares is done: geometry, placement and paint, each file read twice."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.spatial import cKDTree

from tests.fakes.glb_edits import (
    FACES,
    KTX,
    UV,
    VERTICES,
    attribute,
    both,
    coloured,
    emission,
    extension_source,
    glossy,
    info,
    integers,
    interleaved,
    morphed,
    no_scenes,
    other_nodes,
    quantised,
    scenes,
    second_data_uri,
    skinned,
    sparse,
    split,
    strips,
    texture,
    transformed,
    with_alpha,
    wrapped,
)
from tests.fakes.glbs import (
    NUM_SIDES,
    GlbBuilder,
    encoded,
    jar_glb,
    painted,
    picture,
)
from vaserl.meshes.colour_space import linear_from_srgb, srgb_from_linear
from vaserl.meshes.glb import load_mesh
from vaserl.meshes.part import PaintedModel, Part
from vaserl.meshes.turntable import TurntableRenderer

MIDDLES = VERTICES[FACES].mean(axis=1).astype(float)


def face_colours(part: Part) -> np.ndarray:
    """Returns the sRGB colour in the middle of each face, float64 [F, 3] from 0 to 255."""
    colours = np.ones((len(part.faces), 3)) * part.paint.factor[:3]
    if part.colours is not None:
        colours *= part.colours[part.faces].mean(axis=1)[:, :3]
    if part.paint.texture is not None:
        pixels, at = part.paint.texture.pixels, part.uv[part.faces].mean(axis=1)
        wrapped = [
            {"repeat": x % 1, "clamp": np.clip(x, 0, 0.9999), "mirror": 1 - np.abs(x % 2 - 1)}[wrap]
            for x, wrap in zip(at.T, part.paint.texture.wrap, strict=True)
        ]
        row = ((1 - wrapped[1]) * len(pixels)).astype(int).clip(0, len(pixels) - 1)
        colours *= linear_from_srgb(pixels[row, (wrapped[0] * pixels.shape[1]).astype(int), :3] / 255)
    return 255 * srgb_from_linear(colours)


def shown(model: PaintedModel) -> np.ndarray:
    """Returns the sRGB colour of each face of the jar with area, [F, 3], after checking that the model has these faces
    and no others, at any size and place."""
    middles = np.concatenate([part.vertices[part.faces].mean(axis=1) for part in model.parts])
    keep = np.concatenate([_areas(part.vertices, part.faces) for part in model.parts])
    keep = keep > 1e-6 * keep.max()
    middles = middles[keep] - middles[keep].min(axis=0)
    distance, found = cKDTree(middles / np.ptp(middles[:, 1])).query(PLACES)
    assert distance.max() < 2e-3 and sorted(found) == list(range(len(PLACES)))
    return np.concatenate([face_colours(part) for part in model.parts])[keep][found]


def _areas(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    corners = vertices[faces]
    return np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)


def load_twice(tmp_path: Path, content: bytes) -> PaintedModel:
    """Returns the model after comparing two readings of it, from two folders, to the byte."""
    models = []
    for number in range(2):
        path = tmp_path / str(number) / "vase.glb"
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
        models.append(load_mesh(path))
    for one, other in zip(*(model.parts for model in models), strict=True):
        for name in ("vertices", "faces", "normals", "uv", "colours"):
            a, b = getattr(one, name), getattr(other, name)
            assert (a is None and b is None) or a.tobytes() == b.tobytes()
    return models[0]


HAS_AREA = _areas(VERTICES.astype(float), FACES) > 1e-6
PLACES = MIDDLES[HAS_AREA] - MIDDLES[HAS_AREA].min(axis=0)
PLACES /= np.ptp(PLACES[:, 1])
"""Middle of each face of the jar that has an area, from the lowest corner of their bounding box, in heights."""


LINEAR = linear_from_srgb(painted(VERTICES) / 255)
LINEAR16 = np.rint(LINEAR * 65535).astype("<u2")
WHITE = np.full((len(VERTICES), 4), 255, "u1")

SAME: dict[str, bytes] = {
    "plain": jar_glb(),
    # placement
    "no scenes": jar_glb(no_scenes),
    "no nodes": jar_glb(both(no_scenes, lambda glb, _: glb.header.pop("nodes") and None)),
    "second scene is the default": jar_glb(scenes([1], [0], default=1)),
    "first scene without a default": jar_glb(scenes([0], [1], default=None)),
    "points, lines, cameras, hidden nodes": jar_glb(other_nodes),
    "far-off node": jar_glb(translation=[5e5, 4.4e6, 120]),
    "millimetres": jar_glb(scale=[300] * 3),
    "tiny": jar_glb(scale=[1e-4] * 3),
    "skin": jar_glb(skinned),
    "morph weight of the node": jar_glb(morphed),
    # parts
    "split by height": split((MIDDLES[:, 1] * 4).astype(int)),
    "split in quarters": split((MIDDLES[:, 0] > 0) * 2 + (MIDDLES[:, 2] > 0)),
    # arrays
    "normalised integers": jar_glb(quantised),
    "integers": jar_glb(integers),
    "sparse without a base": jar_glb(sparse("POSITION", VERTICES, None)),
    "sparse over a base": jar_glb(sparse("POSITION", VERTICES, (VERTICES * [1, 0.5, 1]).astype("<f4"))),
    "sparse coordinates": jar_glb(sparse("TEXCOORD_0", UV, UV[::-1].copy())),
    "interleaved, 8-bit indices": jar_glb(interleaved),
    "strip": jar_glb(lambda glb, primitive: primitive.update(mode=5, indices=glb.accessor(strips()))),
    "8-bit coordinates": jar_glb(attribute("TEXCOORD_0", np.round(UV * 255).astype("u1"), normalized=True)),
    # materials
    "texture transform": jar_glb(transformed((0.5, 0.25), (0.5, 0.5))),
    "texture transform with rotation": jar_glb(transformed((0.2, 0.7), (1.5, 0.4), rotation=0.6)),
    "second coordinates": jar_glb(
        both(
            attribute("TEXCOORD_1", UV),
            attribute("TEXCOORD_0", 0 * UV),
            lambda glb, _: info(glb, texCoord=1),
        )
    ),
    "second coordinates of the transform": jar_glb(
        both(
            attribute("TEXCOORD_1", UV),
            attribute("TEXCOORD_0", 0 * UV),
            lambda glb, _: info(glb, extensions={"KHR_texture_transform": {"texCoord": 1}}),
        )
    ),
    "mirrored wrap": jar_glb(wrapped(33648, UV * [1, -1])),
    "repeated wrap": jar_glb(wrapped(10497, UV + np.array([3, -2]))),
    "clamped wrap": jar_glb(wrapped(33071, np.clip(UV, 0.0, 1.0) + (UV[:, 1:] <= 0) * [0, -0.5])),
    "specular-glossiness": jar_glb(glossy),
    "unlit": jar_glb(lambda glb, _: glb.header["materials"][0].update(extensions={"KHR_materials_unlit": {}})),
    "paint as emission": jar_glb(emission),
    "double-sided": jar_glb(lambda glb, _: glb.header["materials"][0].update(doubleSided=True)),
    "WebP with fallback": jar_glb(
        extension_source("EXT_texture_webp", encoded(picture(), "WEBP"), "image/webp", fallback=True)
    ),
    "WebP alone": jar_glb(
        extension_source("EXT_texture_webp", encoded(picture(), "WEBP"), "image/webp", fallback=False)
    ),
    "KTX2 with fallback": jar_glb(extension_source("KHR_texture_basisu", KTX, "image/ktx2", fallback=True)),
    "embedded data": jar_glb(second_data_uri),
    "palette": jar_glb(texture(encoded(picture().quantize(8)))),
    "OPAQUE with alpha 0": jar_glb(texture(encoded(with_alpha(0)))),
    "BLEND with alpha 255": jar_glb(texture(encoded(with_alpha(255)), alphaMode="BLEND")),
    "MASK with alpha over the cutoff": jar_glb(texture(encoded(with_alpha(90)), alphaMode="MASK", alphaCutoff=0.3)),
    # vertex colours
    "float colours": jar_glb(coloured(LINEAR.astype("<f4"), material=False, uv=False)),
    "16-bit colours": jar_glb(coloured(LINEAR16, material=False, uv=True, normalized=True)),
    "colours with a material": jar_glb(coloured(LINEAR16, material=True, uv=False, normalized=True)),
    "colours with coordinates and no texture": jar_glb(coloured(LINEAR.astype("<f4"), material=True, uv=True)),
    "colours with alpha 0": jar_glb(coloured(np.pad(LINEAR, ((0, 0), (0, 1))).astype("<f4"), material=True, uv=False)),
    "white colours over a texture": jar_glb(attribute("COLOR_0", WHITE, normalized=True)),
    "bytes after the end": jar_glb() + b"\0" * 37,
}
"""Files that show the jar of `tests.fakes.glbs`, at any size and place."""


@pytest.mark.parametrize("name", SAME)
def test_load_mesh_shows_the_jar_that_the_file_declares(tmp_path: Path, name: str) -> None:
    colours = shown(load_twice(tmp_path, SAME[name]))
    expected = painted(MIDDLES[HAS_AREA]).astype(float)
    if "colours" in name and "texture" not in name.removesuffix("no texture"):
        expected = 255 * srgb_from_linear(LINEAR[FACES[HAS_AREA]].mean(axis=1))
    assert np.abs(colours - expected).max() < 2


CMYK = picture().convert("CMYK")
GREY16 = Image.fromarray(np.asarray(picture().convert("L")).astype(np.uint16) * 257)
OTHER: dict[str, tuple[bytes, Callable[[np.ndarray], np.ndarray]]] = {
    "8-bit colours are linear": (
        jar_glb(coloured(np.full((len(VERTICES), 3), 55, "u1"), material=True, uv=False, normalized=True)),
        # 55 / 255 = 0.2157 in linear light: 1.055 * 0.2157 ** (1 / 2.4) - 0.055 = 0.5019 in sRGB
        lambda points: np.full((len(points), 3), 128.0),
    ),
    "colours times texture times factor": (
        jar_glb(
            both(
                attribute("COLOR_0", np.full((len(VERTICES), 4), 128, "u1"), normalized=True),
                lambda glb, _: glb.header["materials"][0]["pbrMetallicRoughness"].update(
                    baseColorFactor=[1, 0.5, 0.5, 1]
                ),
            )
        ),
        lambda points: 255 * srgb_from_linear(linear_from_srgb(painted(points) / 255) * np.array([128, 64, 64]) / 255),
    ),
    "factor alone": (
        jar_glb(
            lambda glb, _: glb.header["materials"][0].update(
                pbrMetallicRoughness={"baseColorFactor": [0.2157, 0.0, 1.0, 1.0]}
            )
        ),
        lambda points: np.tile([128.0, 0.0, 255.0], (len(points), 1)),
    ),
    "16-bit grey": (
        jar_glb(texture(encoded(GREY16))),
        # luma of ITU-R BT.601: (0.299 r + 0.587 g + 0.114 b)
        lambda points: np.repeat(painted(points) @ [[0.299], [0.587], [0.114]], 3, axis=1),
    ),
    "CMYK": (
        jar_glb(texture(encoded(CMYK, "JPEG"), "image/jpeg")),
        # Pillow's conversion to CMYK is the complement without black, so back it is the picture, less JPEG's error
        lambda points: painted(points).astype(float),
    ),
    "no coordinates": (
        jar_glb(lambda glb, primitive: primitive["attributes"].pop("TEXCOORD_0") and None),
        lambda points: np.full((len(points), 3), 20.0),  # the picture's upper left corner is black
    ),
}
"""Files that show the jar in other colours, with these as a function of the place."""


@pytest.mark.parametrize("name", OTHER)
def test_load_mesh_colours_the_jar_as_the_file_declares(tmp_path: Path, name: str) -> None:
    content, colours = OTHER[name]
    expected = colours(MIDDLES[HAS_AREA])
    assert np.abs(shown(load_twice(tmp_path, content)) - expected).max() < (12 if name == "CMYK" else 2)


def test_load_mesh_limits_numbers_that_rounding_moved(tmp_path: Path) -> None:
    path = tmp_path / "vase.glb"
    rounded = {"metallicFactor": 1.0000001, "roughnessFactor": -1e-9}
    path.write_bytes(jar_glb(lambda glb, _: glb.header["materials"][0]["pbrMetallicRoughness"].update(rounded)))
    (part,) = load_mesh(path).parts
    assert (part.paint.metallic, part.paint.roughness) == (1.0, 0.0)
    # the renderer raises an error for larger numbers
    with TurntableRenderer(resolution=32) as turntable:
        turntable.render_views(PaintedModel(parts=[part]), [(0.0, 12.0)])


def test_load_mesh_places_nodes_by_translation_rotation_and_scale(tmp_path: Path) -> None:
    """Scales (2, 3, 2), turns by 90 degrees about y (x to -z, z to x) and shifts by (1, 2, 3), in a mirrored parent."""
    half = math.sqrt(0.5)

    def edit(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
        glb.header["nodes"][0] |= {"rotation": [0, half, 0, half], "scale": [2, 3, 2], "translation": [1, 2, 3]}
        matrix = [-1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]
        glb.header["scenes"][0]["nodes"] = [glb.add("nodes", {"children": [0], "matrix": matrix})]

    (plain,), (placed,) = (
        load_twice(tmp_path / name, content).parts
        for name, content in (("plain", jar_glb()), ("placed", jar_glb(edit)))
    )
    x, y, z = plain.vertices.T
    assert placed.vertices == pytest.approx(np.stack([-(2 * z + 1), 3 * y + 2, -2 * x + 3], axis=1))
    # mirrored, so the corners' order is reversed and the faces still face outwards
    assert np.array_equal(placed.faces, plain.faces[:, ::-1])
    outwards = placed.vertices[:, [0, 2]] - placed.vertices[:, [0, 2]].mean(axis=0)
    wall = slice(2 * (NUM_SIDES + 1), 4 * (NUM_SIDES + 1))
    assert (np.einsum("ij,ij->i", placed.normals[wall][:, [0, 2]], outwards[wall]) > 0).all()


@pytest.mark.parametrize("name", ["split in quarters", "split by height"])
def test_smooth_normals_have_no_seam_between_parts(tmp_path: Path, name: str) -> None:
    """Compares the normals at the belly of the jar in one part with those of the jar in four, which meet there."""
    (whole,) = load_twice(tmp_path / "whole", jar_glb()).parts
    parts = load_twice(tmp_path / "parts", SAME[name]).parts
    belly = np.abs(whole.vertices[:, 1] - 0.6) < 1e-6
    tree = cKDTree(whole.vertices[belly])
    for part in parts:
        at_belly = np.abs(part.vertices[:, 1] - 0.6) < 1e-6
        _, nearest = tree.query(part.vertices[at_belly])
        assert part.normals[at_belly] == pytest.approx(whole.normals[belly][nearest], abs=1e-6)
