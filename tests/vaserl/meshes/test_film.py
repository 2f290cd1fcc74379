"""Tests of what the film of a GLB shows: orientation, alpha, colours of generated models, useless films."""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image
from scipy import ndimage
from skimage.color import deltaE_ciede2000, rgb2lab
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

from tests.fakes.glbs import PROFILE, GlbBuilder, encoded, invisible, jar, jar_glb, monochrome, picture
from tests.fakes.turned_vases import amphora, seen_mask
from vaserl.commands.render import run as run_render
from vaserl.errors import UserError
from vaserl.meshes.cutout.cutout import Cutout
from vaserl.meshes.film import ONE_COLOUR, film_fault, has_light_and_dark_paint, is_one_colour
from vaserl.meshes.generators.finish import finish_mesh
from vaserl.meshes.glb import load_mesh, write_glb
from vaserl.meshes.part import PaintedModel, Part
from vaserl.meshes.turntable import Light, TurntableRenderer, parts_of


@pytest.fixture(scope="module")
def turntable() -> Iterator[TurntableRenderer]:
    with TurntableRenderer(resolution=64) as table:
        yield table


def loaded(tmp_path: Path, content: bytes) -> PaintedModel:
    (tmp_path / "vase.glb").write_bytes(content)
    return load_mesh(tmp_path / "vase.glb")


def volume(parts: list[Part]) -> float:
    return sum(float(trimesh.Trimesh(part.vertices, part.faces, process=False).volume) for part in parts)


def two_walls(*, reversed_inside: bool = False, offset: float = 0.0) -> bytes:
    """Returns a jar whose inside is a primitive of its own, with a green material."""
    glb = GlbBuilder()
    red = glb.material({"index": glb.texture(encoded(picture()))})
    green = glb.material(pbrMetallicRoughness={"baseColorFactor": [0.05, 0.4, 0.1, 1], "metallicFactor": 0})
    primitives = []
    for profile, material in ((PROFILE[:6], red), (PROFILE[5:], green)):
        vertices, uv, faces = jar(profile)
        vertices = vertices + np.array([offset, 0, 0], "<f4")
        part = glb.primitive(vertices.astype("<f4"), faces, TEXCOORD_0=glb.accessor(uv))
        primitives.append(part | {"material": material})
    glb.show(*primitives)
    return glb.content()


@pytest.mark.parametrize("offset", [0.0, 3.0, -3.0])
def test_parts_of_leaves_an_open_part_as_it_is(tmp_path: Path, turntable: TurntableRenderer, offset: float) -> None:
    """Checks that the inside of a jar, an open surface with a negative volume, isn't turned inside out: one looks
    through the mouth at its green wall, not through the wall at the background."""
    model = loaded(tmp_path, two_walls(offset=offset))
    assert all(np.array_equal(a.faces, b.faces) for a, b in zip(parts_of(model), model.parts, strict=True))
    from_above = turntable.render_views(model, [(0.0, 60.0)])[0].astype(int)
    is_green = (from_above[..., 1] > from_above[..., 0] + 20) & (from_above[..., 1] > from_above[..., 2] + 20)
    assert is_green.sum() > 30


def test_parts_of_reverses_an_open_scan_that_is_inside_out_as_a_whole(tmp_path: Path) -> None:
    """Opens the jar by leaving out its foot, then reverses all its parts."""
    faces = jar(PROFILE[1:])[2]
    whole = jar_glb(lambda glb, primitive: primitive.update(indices=glb.accessor(faces[:, ::-1].copy().ravel())))
    model = loaded(tmp_path, whole)
    assert volume(list(model.parts)) < 0 < volume(parts_of(model))


def test_parts_of_judges_closed_parts_alone() -> None:
    """Combines a sphere with another that is inside out: only this one is reversed."""
    inside_out, far = trimesh.creation.icosphere(subdivisions=2), trimesh.creation.icosphere(subdivisions=2)
    inside_out.invert()
    far.apply_translation([5, 0, 0])
    found = parts_of(trimesh.Scene([inside_out, far]))
    assert [volume([part]) > 0 for part in found] == [True, True]


def masked(cutoff: float) -> Callable[[GlbBuilder, dict[str, Any]], None]:
    """Gives the belly of the jar an alpha of 0.5 and the mode MASK."""

    def edit(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
        image = picture().convert("RGBA")
        alpha = np.full((48, 48), 255, np.uint8)
        alpha[12:36] = 128
        image.putalpha(Image.fromarray(alpha))
        glb.header["textures"][0]["source"] = glb.add(
            "images", {"bufferView": glb.view(encoded(image)), "mimeType": "image/png"}
        )
        glb.header["materials"][0] |= {"alphaMode": "MASK", "alphaCutoff": cutoff}

    return edit


def test_render_views_leave_out_what_alpha_masks(tmp_path: Path, turntable: TurntableRenderer) -> None:
    """Compares the film's middle with the background for cutoffs below and above the belly's alpha."""
    faces = jar(PROFILE[:6])[2]  # without an inside, which would show through

    def centre(cutoff: float) -> int:
        def edit(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
            masked(cutoff)(glb, primitive)
            primitive["indices"] = glb.accessor(faces.ravel())

        frame = turntable.render_views(loaded(tmp_path, jar_glb(edit)), [(0.0, 0.0)])[0]
        return int(np.abs(frame[32, 32].astype(int) - 219).max())

    assert centre(0.4) > 60
    assert centre(0.6) < 3


def test_render_views_show_textures_of_any_width(turntable: TurntableRenderer) -> None:
    """Compares the film of a texture of 7 pixels a row, whose 21 bytes OpenGL would pad, with that of 8 pixels."""
    frames = []
    for width in (7, 8):
        pixels = np.zeros((64, width, 3), np.uint8)
        pixels[:32], pixels[32:] = (200, 40, 40), (40, 40, 200)
        corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], float)
        square = trimesh.Trimesh(corners, [[0, 1, 2], [0, 2, 3]], process=False)
        material = PBRMaterial(baseColorTexture=Image.fromarray(pixels), metallicFactor=0.0)
        square.visual = TextureVisuals(uv=(corners[:, :2] + 1) / 2, material=material)
        frames.append(turntable.render_views(square, [(0.0, 0.0)])[0].astype(int))
    assert np.abs(frames[0] - frames[1]).max() < 12
    assert frames[0][26, 32, 0] > frames[0][26, 32, 2] + 80 and frames[0][38, 32, 2] > frames[0][38, 32, 0] + 80


def test_render_views_light_the_back_of_a_double_sided_wall(tmp_path: Path, turntable: TurntableRenderer) -> None:
    """Compares a wall that faces away with the same wall towards the camera: the back is lit from its own side."""

    def brightness(faces: list[list[int]]) -> float:
        glb = GlbBuilder()
        corners = np.array([[-1, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]], "<f4")
        part = glb.primitive(corners, np.array(faces, "<u4"))
        base = {"baseColorFactor": [0.3, 0.3, 0.3, 1], "metallicFactor": 0}
        glb.show(part | {"material": glb.material(pbrMetallicRoughness=base, doubleSided=True)})
        return float(turntable.render_views(loaded(tmp_path, glb.content()), [(0.0, 0.0)])[0][32, 32].mean())

    front, back = brightness([[0, 1, 2], [0, 2, 3]]), brightness([[2, 1, 0], [3, 2, 0]])
    assert back == pytest.approx(front, abs=2)


def test_finish_mesh_colours_come_back_from_the_film(tmp_path: Path, turntable: TurntableRenderer) -> None:
    """Compares a photograph's colours with those of the film of the written GLB: slip, clay, white ground and added
    colour, in bands around the belly, differ by less than 3 (CIEDE2000)."""
    rows, columns = np.mgrid[:128, :128]
    mask = ((columns - 64) / 30) ** 2 + ((rows - 64) / 60) ** 2 < 1
    colours = np.array([(30, 26, 24), (196, 104, 52), (225, 210, 190), (120, 60, 40)], np.uint8)
    photo = np.where(mask[..., None], colours[np.clip((rows - 44) // 10, 0, 3)], np.uint8(230))
    surface = trimesh.creation.icosphere(subdivisions=4)
    surface.apply_scale([0.5, 1.0, 0.5])
    mesh = finish_mesh(surface, Cutout(photo=Image.fromarray(photo), mask=mask), 20_000)
    write_glb(tmp_path / "vase.glb", mesh)
    (frame,) = turntable.render_views(load_mesh(tmp_path / "vase.glb"), [(0.0, 0.0)])
    # the film shows the vase's height, 120 rows of the photograph, in this number of rows
    height = np.ptp(np.nonzero(np.abs(frame.astype(int) - 219).max(axis=-1) > 8)[0]) + 1
    seen = frame[np.rint(31.5 + (np.array([49, 59, 69, 79]) - 64) * height / 120).astype(int), 32]
    difference = deltaE_ciede2000(rgb2lab(seen[None] / 255), rgb2lab(colours[None] / 255))[0]
    assert difference.max() < 3.0, (seen, difference)


def test_finish_mesh_colours_come_back_everywhere_without_shading(tmp_path: Path) -> None:
    """Compares a photograph's clay and slip with the film under ambient light alone, shoulder and foot included.

    What is left is that the renderer approximates sRGB by a power of 2.2: black slip, of 0.0103 in linear light, is
    seen as 0.0103^(1/2.2) = 0.125 or 32 for its 26, a difference of 2 (CIEDE2000).
    """
    mask = seen_mask()
    heights = np.linspace(0, 1, 40)
    surface = trimesh.creation.revolve(np.c_[np.r_[0, amphora(heights), 0], np.r_[0, heights, 1]], sections=48)
    surface.apply_transform(trimesh.transformations.rotation_matrix(-np.pi / 2, [1, 0, 0]))
    clay, slip = np.array([(196, 104, 52), (30, 26, 24)], np.uint8)
    halves = np.where(np.arange(mask.shape[1])[None, :, None] < mask.shape[1] / 2, clay, slip)
    photo = np.where(mask[..., None], halves, np.uint8(238))
    mesh = finish_mesh(surface, Cutout(photo=Image.fromarray(photo), mask=mask), 20_000)
    write_glb(tmp_path / "vase.glb", mesh)
    unlit = Light(ambient=1.0, key=0.0, fill=0.0)
    with TurntableRenderer(resolution=96) as turntable:
        (frame,) = turntable.render_views(load_mesh(tmp_path / "vase.glb"), [(0.0, 12.0)], light=unlit)
    vase = ndimage.binary_erosion(np.abs(frame.astype(int) - 219).max(axis=-1) > 8, iterations=2)
    for columns, colour, limit in ((slice(0, 43), clay, 1.0), (slice(53, 96), slip, 2.2)):
        seen = frame[:, columns][vase[:, columns]]
        assert len(seen) > 400
        assert deltaE_ciede2000(rgb2lab(seen[None] / 255), rgb2lab(colour[None, None] / 255)).max() < limit


def test_render_verb_refuses_an_empty_film_and_warns_of_one_colour(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:

    arguments = argparse.Namespace(file=tmp_path / "vase.glb", out=tmp_path / "out", num_frames=2, resolution=48)
    arguments.file.write_bytes(jar_glb(invisible))
    with pytest.raises(UserError, match=r"vase\.glb: the turntable video is empty"):
        run_render(arguments)
    assert not arguments.out.exists()
    arguments.file.write_bytes(jar_glb(monochrome))
    run_render(arguments)
    assert ONE_COLOUR in capsys.readouterr().err and (arguments.out / "turntable.mp4").is_file()


def test_is_one_colour_takes_the_outlines_mixtures_for_the_colour() -> None:
    views = np.zeros((1, 20, 20, 3), np.uint8)
    views[..., 1] = 255
    views[0, 5:15, 5:15] = (200, 90, 40)
    views[0, 5:15, 4] = (100, 172, 20)  # half of each
    background = np.array([0.0, 255.0, 0.0])
    assert is_one_colour(views, background)
    views[0, 8, 8:10] = (40, 30, 20)
    assert not is_one_colour(views, background)
    assert is_one_colour(np.broadcast_to(np.array([0, 255, 0], np.uint8), (1, 4, 4, 3)), background)


def test_has_light_and_dark_paint_is_not_caused_by_shading(turntable: TurntableRenderer) -> None:
    """Films one colour each, from black slip to white ground; then black and clay."""
    for grey in (0.01, 0.1, 0.3, 0.8):
        ball = trimesh.creation.icosphere(subdivisions=3, radius=1.0)
        ball.visual.vertex_colors = [int(255 * grey)] * 3 + [255]  # type: ignore[union-attr]
        assert not has_light_and_dark_paint(turntable.render_clip(ball, num_frames=2).frames)
    ball.visual.vertex_colors[ball.vertices[:, 1] > 0] = [3, 3, 3, 255]  # type: ignore[union-attr]
    clip = turntable.render_clip(ball, num_frames=2)
    assert has_light_and_dark_paint(clip.frames) and film_fault(ball, clip) == ""
