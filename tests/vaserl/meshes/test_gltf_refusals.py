"""Tests that the reader of GLB files refuses by name what it doesn't support, and what is damaged."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.glb_edits import (
    KTX,
    VERTICES,
    Edit,
    attribute,
    both,
    extension_source,
    glossy,
    scenes,
    skinned,
    sparse,
    texture,
)
from tests.fakes.glbs import (
    GlbBuilder,
    encoded,
    jar_glb,
    picture,
)
from vaserl.errors import UserError
from vaserl.meshes.glb import load_mesh


def far_off(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
    attribute("POSITION", VERTICES + np.array([5e5, 0, 0], "<f4"))(glb, primitive)


def draco(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
    view = glb.view(b"DRACO" + bytes(64))
    primitive["extensions"] = {"KHR_draco_mesh_compression": {"bufferView": view, "attributes": {"POSITION": 0}}}
    for accessor in glb.header["accessors"]:
        accessor.pop("bufferView")


def glow_elsewhere(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
    glb.header["materials"][0] |= {"emissiveTexture": {"index": 0, "texCoord": 1}, "emissiveFactor": [1, 1, 1]}


def of_view(name: str) -> Edit:
    return lambda glb, primitive: glb.header["bufferViews"][0].update(extensions={name: {"buffer": 0}})


def damaged_sparse(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
    sparse("POSITION", VERTICES, None)(glb, primitive)
    found = glb.header["accessors"][-1]["sparse"]
    found["indices"]["bufferView"] = glb.view(np.full(found["count"], 60_000, "<u2").tobytes())


def gloss_of(factor: float) -> Edit:
    def edit(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
        glb.header["materials"][0]["extensions"]["KHR_materials_pbrSpecularGlossiness"]["glossinessFactor"] = factor

    return edit


REFUSED: dict[str, tuple[bytes, str]] = {
    "Draco that isn't declared as required": (
        jar_glb(draco),
        "needs KHR_draco_mesh_compression, which isn't supported",
    ),
    "meshopt": (jar_glb(of_view("EXT_meshopt_compression")), "needs EXT_meshopt_compression, which isn't supported"),
    "meshopt of Khronos": (jar_glb(of_view("KHR_meshopt_compression")), "needs KHR_meshopt_compression"),
    "required extension": (
        jar_glb(lambda glb, _: glb.header.update(extensionsRequired=["EXT_of_tomorrow"])),
        "needs EXT_of_tomorrow, which isn't supported",
    ),
    "instances": (
        jar_glb(extensions={"EXT_mesh_gpu_instancing": {"attributes": {}}}),
        "needs EXT_mesh_gpu_instancing, which isn't supported",
    ),
    "KTX2 alone": (
        jar_glb(extension_source("KHR_texture_basisu", KTX, "image/ktx2", fallback=False)),
        "needs KHR_texture_basisu for a texture",
    ),
    "AVIF alone": (
        jar_glb(extension_source("EXT_texture_avif", b"\0\0\0\x1cftypavif", "image/avif", fallback=False)),
        "needs EXT_texture_avif for a texture",
    ),
    "texture beside the file": (
        jar_glb(lambda glb, _: glb.header.update(images=[{"uri": "texture.png"}])),
        "refers to 'texture.png' outside the file",
    ),
    "scene without nodes": (jar_glb(scenes([], default=0)), "no triangles in the scene that it shows"),
    "scene that doesn't exist": (jar_glb(scenes([0], default=3)), "shows scene 3 of 1"),
    "points": (jar_glb(lambda glb, primitive: primitive.update(mode=0)), "no triangles"),
    "far-off vertices": (
        jar_glb(far_off),
        "single precision leaves its vertices 3[0-9] steps",
    ),
    "emission elsewhere": (jar_glb(glow_elsewhere), "colour and emission with different coordinates"),
    "sparse index": (jar_glb(damaged_sparse), "a sparse accessor replaces values that don't exist"),
    "colours of another length": (
        jar_glb(attribute("COLOR_0", np.full((7, 4), 255, "u1"), normalized=True)),
        "an attribute has 7 values for 104 vertices",
    ),
    "alpha mode": (jar_glb(texture(encoded(picture()), alphaMode="GLASS")), "alpha mode 'GLASS'"),
    "factor of three numbers": (
        jar_glb(lambda glb, _: glb.header["materials"][0].update(pbrMetallicRoughness={"baseColorFactor": [1, 1, 1]})),
        "a material has 3 numbers where 4 are expected",
    ),
    "broken picture": (jar_glb(texture(encoded(picture())[:120])), "has a texture that can't be decoded"),
    "material that doesn't exist": (
        jar_glb(lambda glb, primitive: primitive.update(material=9)),
        "refers to number 9 of materials, of which it has 1",
    ),
    "material -1, for none": (
        jar_glb(lambda glb, primitive: primitive.update(material=-1)),
        "-1 where a natural number is expected",
    ),
    "node -1": (jar_glb(scenes([-1], default=0)), "-1 where a natural number is expected"),
    "joint -1": (
        jar_glb(both(skinned, lambda glb, _: glb.header["skins"][0].update(joints=[-1]))),
        "-1 where a natural number is expected",
    ),
    "mode of primitives": (jar_glb(lambda glb, primitive: primitive.update(mode=9)), "a primitive of mode 9"),
    "metal beyond 1": (
        jar_glb(lambda glb, _: glb.header["materials"][0]["pbrMetallicRoughness"].update(metallicFactor=5)),
        "the metallicFactor of a material is 5; expected a number from 0 to 1",
    ),
    "gloss that is no number": (
        jar_glb(both(glossy, gloss_of(float("nan")))),
        "the glossinessFactor of a material is nan; expected a number from 0 to 1",
    ),
    "infinite emission": (
        jar_glb(
            texture(
                encoded(picture()),
                extensions={"KHR_materials_emissive_strength": {"emissiveStrength": math.inf}},
            )
        ),
        "the emissiveStrength of a material is inf; expected a number of at least 0",
    ),
    "negative emission": (
        jar_glb(texture(encoded(picture()), emissiveFactor=[0, -1, 0])),
        "a material emits less than no light",
    ),
}
"""Files that can't be read, with the reason."""


@pytest.mark.parametrize("name", REFUSED)
def test_load_mesh_refuses_what_it_can_not_do_by_name(tmp_path: Path, name: str) -> None:
    content, reason = REFUSED[name]
    reasons = set()
    for number in range(2):
        path = tmp_path / str(number) / "vase.glb"
        path.parent.mkdir()
        path.write_bytes(content)
        with pytest.raises(UserError, match=reason) as caught:
            load_mesh(path)
        reasons.add(str(caught.value).removeprefix(f"{path}: "))
    (text,) = reasons
    assert str(tmp_path) not in text and " object at 0x" not in text and "Error" not in text
