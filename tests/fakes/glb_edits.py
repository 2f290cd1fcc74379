"""Changes to a generated GLB of a jar: what files declare, each as a function that edits it."""

import base64
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from tests.fakes.glbs import NUM_SIDES, PROFILE, GlbBuilder, encoded, jar, picture

Edit = Callable[[GlbBuilder, dict[str, Any]], None]
"""Function that changes a file and its primitive."""

KTX = b"\xabKTX 20\xbb\r\n\x1a\n" + bytes(64)
"""Start of a KTX2 file, which isn't supported as a picture."""
VERTICES, UV, FACES = jar()


def attribute(name: str, values: np.ndarray, **fields: Any) -> Edit:
    def edit(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
        primitive["attributes"][name] = glb.accessor(values, **fields)

    return edit


def texture(content: bytes, mime_type: str = "image/png", **material: Any) -> Edit:
    """Replaces the jar's texture, and adds fields to its material."""

    def edit(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
        index = glb.texture(content, mime_type)
        glb.header["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"] = {"index": index}
        glb.header["materials"][0] |= material

    return edit


def info(glb: GlbBuilder, **fields: Any) -> None:
    """Adds fields to the info of the jar's texture."""
    glb.header["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"] |= fields


def transformed(offset: tuple[float, float], scale: tuple[float, float], rotation: float = 0.0) -> Edit:
    """Declares a texture transform, and writes coordinates from which it makes the jar's."""

    def edit(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
        turned = (UV - offset) @ np.array(
            [[math.cos(rotation), math.sin(rotation)], [-math.sin(rotation), math.cos(rotation)]]
        )
        # the columns of the matrix above are those of the inverse rotation for v that counts downwards
        primitive["attributes"]["TEXCOORD_0"] = glb.accessor((turned / scale).astype("<f4"))
        transform = {"offset": offset, "scale": scale, "rotation": rotation}
        info(glb, extensions={"KHR_texture_transform": transform})

    return edit


def sparse(name: str, values: np.ndarray, base: np.ndarray | None) -> Edit:
    def edit(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
        at = np.flatnonzero((values != (0 if base is None else base)).any(axis=1)).astype("<u2")
        fields: dict[str, Any] = {} if base is None else {"bufferView": glb.view(base.tobytes())}
        fields["sparse"] = {
            "count": len(at),
            "indices": {"bufferView": glb.view(at.tobytes()), "componentType": 5123},
            "values": {"bufferView": glb.view(values[at].tobytes())},
        }
        primitive["attributes"][name] = glb.accessor(values, **fields)

    return edit


def without_texture(glb: GlbBuilder) -> None:
    glb.header["materials"][0]["pbrMetallicRoughness"].pop("baseColorTexture")


def coloured(values: np.ndarray, *, material: bool, uv: bool, **fields: Any) -> Edit:
    """Gives the jar vertex colours instead of its texture."""

    def edit(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
        without_texture(glb)
        if not material:
            primitive.pop("material")
        if not uv:
            primitive["attributes"].pop("TEXCOORD_0")
        attribute("COLOR_0", values, **fields)(glb, primitive)

    return edit


def both(*edits: Edit) -> Edit:
    def edit(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
        for change in edits:
            change(glb, primitive)

    return edit


def with_alpha(alpha: int) -> Image.Image:
    image = picture().convert("RGBA")
    image.putalpha(alpha)
    return image


def strips() -> np.ndarray:
    n, rows = NUM_SIDES + 1, len(PROFILE)
    corners: list[int] = []
    for row in range(rows - 1):
        band = [k for column in range(n) for k in ((row + 1) * n + column, row * n + column)]
        corners += ([corners[-1], band[0]] if corners else []) + band
    return np.array(corners, "<u4")


def split(keys: np.ndarray) -> bytes:
    """Returns the jar in one primitive for each key of a face."""
    glb = GlbBuilder()
    material = glb.material({"index": glb.texture(encoded(picture()))})
    primitives = []
    for key in np.unique(keys):
        used, corners = np.unique(FACES[keys == key], return_inverse=True)
        part = glb.primitive(VERTICES[used], corners.astype("<u4"), TEXCOORD_0=glb.accessor(UV[used]))
        primitives.append(part | {"material": material})
    glb.show(*primitives)
    return glb.content()


def second_data_uri(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
    body = base64.b64encode(encoded(picture())).decode()
    glb.header["images"] = [{"uri": f"data:image/png;base64,{body}"}]


def quantised(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
    """Writes positions as normalised int16 with padding and coordinates as normalised uint16, as gltfpack does."""
    packed = np.zeros((len(VERTICES), 4), "<i2")
    packed[:, :3] = np.round((VERTICES - [0, 0.5, 0]) * 2 * 32767)
    view = glb.view(packed.tobytes(), byteStride=8)
    fields = {"bufferView": view, "type": "VEC3", "normalized": True}
    attribute("POSITION", packed, **fields)(glb, primitive)
    attribute("TEXCOORD_0", np.round(UV * 65535).astype("<u2"), normalized=True)(glb, primitive)
    glb.header["nodes"][0] |= {"scale": [0.5] * 3, "translation": [0, 0.5, 0]}
    glb.header["extensionsRequired"] = ["KHR_mesh_quantization"]


def integers(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
    positions = np.round((VERTICES + np.array([1, 0, 1])) * 1000).astype("<u2")
    attribute(
        "POSITION",
        np.pad(positions, ((0, 0), (0, 1))),
        type="VEC3",
        bufferView=glb.view(np.pad(positions, ((0, 0), (0, 1))).tobytes(), byteStride=8),
    )(glb, primitive)
    glb.header["nodes"][0] |= {"scale": [0.001] * 3, "translation": [-1, 0, -1]}


def skinned(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
    """Moves the jar by a node and back by a skin, which replaces the node's transform."""
    joint = glb.add("nodes", {"translation": [0, 5, 0]})
    bind = np.eye(4, dtype="<f4")
    bind[3, :3] = [0, -5, 0]  # column-major
    glb.add("skins", {"joints": [joint], "inverseBindMatrices": glb.accessor(bind.reshape(1, 16))})
    glb.header["nodes"][0] |= {"skin": 0, "translation": [9, 9, 9]}
    glb.header["scenes"][0]["nodes"].append(joint)
    attribute("JOINTS_0", np.zeros((len(VERTICES), 4), "u1"))(glb, primitive)
    attribute("WEIGHTS_0", np.tile(np.array([[255, 0, 0, 0]], "u1"), (len(VERTICES), 1)), normalized=True)(
        glb, primitive
    )


def morphed(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
    """Stores the jar at half its height, and the other half as a morph target of weight 0.5."""
    attribute("POSITION", (VERTICES * [1, 0.5, 1]).astype("<f4"))(glb, primitive)
    primitive["targets"] = [{"POSITION": glb.accessor((VERTICES * [0, 1, 0]).astype("<f4"))}]
    glb.header["meshes"][0]["weights"] = [0.9]
    glb.header["nodes"][0]["weights"] = [0.5]


def emission(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
    material = glb.header["materials"][0]
    texture_info = material["pbrMetallicRoughness"].pop("baseColorTexture")
    material["pbrMetallicRoughness"]["baseColorFactor"] = [0, 0, 0, 1]
    material |= {"emissiveTexture": texture_info, "emissiveFactor": [1, 1, 1]}


def extension_source(name: str, data: bytes, mime_type: str, *, fallback: bool) -> Edit:
    def edit(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
        source = glb.add("images", {"bufferView": glb.view(data), "mimeType": mime_type})
        glb.header["textures"][0]["extensions"] = {name: {"source": source}}
        if not fallback:
            glb.header["textures"][0].pop("source")

    return edit


def glossy(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
    base = glb.header["materials"][0].pop("pbrMetallicRoughness")
    glb.header["materials"][0]["extensions"] = {
        "KHR_materials_pbrSpecularGlossiness": {"diffuseTexture": base["baseColorTexture"]}
    }


def other_nodes(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
    """Adds points, lines, a camera above the jar, a hidden node and one outside of the scene."""
    points = glb.accessor(np.full((6, 3), 7, "<f4"))
    glb.show({"attributes": {"POSITION": points}, "mode": 0})
    glb.show({"attributes": {"POSITION": points}, "mode": 1})
    glb.show(primitive, translation=[3, 0, 0], extensions={"KHR_node_visibility": {"visible": False}})
    glb.add("nodes", {"mesh": 0, "translation": [4, 0, 0]})
    camera = glb.add("nodes", {"camera": 0, "children": [0]})
    glb.header["scenes"][0]["nodes"][0] = camera


def wrapped(mode: int, uv: np.ndarray) -> Edit:
    def edit(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
        attribute("TEXCOORD_0", uv.astype("<f4"))(glb, primitive)
        glb.header["textures"][0]["sampler"] = glb.add("samplers", {"wrapS": mode, "wrapT": mode})

    return edit


def interleaved(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
    rows = np.zeros((len(VERTICES), 8), "<f4")
    rows[:, :3], rows[:, 6:] = VERTICES, UV
    view = glb.view(rows.tobytes(), byteStride=32)
    attribute("POSITION", VERTICES, bufferView=view)(glb, primitive)
    attribute("TEXCOORD_0", UV, bufferView=view, byteOffset=24)(glb, primitive)
    primitive["indices"] = glb.accessor(FACES.ravel().astype("u1"))


def scenes(*nodes: list[int], default: int | None) -> Edit:
    def edit(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
        glb.add("nodes", {"mesh": 0, "translation": [5, 0, 0]})
        glb.header["scenes"] = [{"nodes": list(found)} for found in nodes]
        glb.header.pop("scene")
        if default is not None:
            glb.header["scene"] = default

    return edit


def no_scenes(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
    for name in ("scene", "scenes"):
        glb.header.pop(name)
