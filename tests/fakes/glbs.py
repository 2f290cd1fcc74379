"""Generated GLBs of a painted jar, in the ways that scanners, exporters and optimisers write them."""

import io
import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

RED, BLUE, BLACK = (190, 80, 40), (40, 70, 170), (20, 20, 20)
NUM_SIDES = 12
PROFILE = np.array([[0, 0], [0.15, 0], [0.15, 0.1], [0.3, 0.6], [0.12, 0.9], [0.16, 1], [0.1, 0.9], [0, 0.2]])
"""Radius and height of the jar's outside, from the middle of its foot to the lip, and of its inside."""
_COMPONENTS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}


def jar(profile: np.ndarray = PROFILE) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns vertices, texture coordinates (v counts downwards, as in glTF) and triangles of a surface of
    revolution."""
    angle = np.linspace(-np.pi, np.pi, NUM_SIDES + 1)
    radius, height = profile[:, :1], np.repeat(profile[:, 1:], NUM_SIDES + 1, 1)
    vertices = np.stack([radius * np.sin(angle), height, radius * np.cos(angle)], -1).reshape(-1, 3)
    uv = np.stack([np.tile(np.linspace(0, 1, NUM_SIDES + 1), len(profile)), 1 - height.ravel()], -1)
    row, column = np.meshgrid(np.arange(len(profile) - 1), np.arange(NUM_SIDES), indexing="ij")
    k = (row * (NUM_SIDES + 1) + column).ravel()
    above = k + NUM_SIDES + 1
    faces = np.concatenate([np.stack([k, k + 1, above + 1], 1), np.stack([k, above + 1, above], 1)])
    return vertices.astype("<f4"), uv.astype("<f4"), faces.astype("<u4")


def picture(size: int = 48) -> Image.Image:
    """Returns the jar's texture: front half red, back half blue, lip and foot black."""
    pixels = np.full((size, size, 3), BLUE, np.uint8)
    pixels[:, size // 4 : 3 * size // 4] = RED
    pixels[: size // 8] = pixels[-size // 8 :] = BLACK
    return Image.fromarray(pixels)


def painted(points: np.ndarray) -> np.ndarray:
    """Returns the colours, uint8 [N, 3], that the jar has at points [N, 3] off the texture's edges."""
    colours = np.where(points[:, 2:] > 0, RED, BLUE)
    return np.where(np.abs(points[:, 1:2] - 0.5) > 0.375, BLACK, colours).astype(np.uint8)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    """Returns the image as the content of a file."""
    file = io.BytesIO()
    image.save(file, kind, **({"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}))
    return file.getvalue()


class GlbBuilder:
    """A GLB under construction: a JSON header and one buffer."""

    def __init__(self) -> None:
        self.data = b""
        self.header: dict[str, Any] = {"asset": {"version": "2.0"}, "scene": 0}

    def add(self, kind: str, entry: dict[str, Any]) -> int:
        """Appends an entry to one of the header's lists and returns its index."""
        self.header.setdefault(kind, []).append(entry)
        return len(self.header[kind]) - 1

    def view(self, data: bytes, **fields: Any) -> int:
        """Appends a buffer view with the data."""
        self.data += b"\0" * (-len(self.data) % 4)
        view = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data), **fields}
        self.data += data
        return self.add("bufferViews", view)

    def accessor(self, values: np.ndarray, **fields: Any) -> int:
        """Appends an accessor with the values, [N] or [N, C]."""
        values = np.ascontiguousarray(values)
        kind = "SCALAR" if values.ndim == 1 else {16: "MAT4"}.get(values.shape[1], f"VEC{values.shape[1]}")
        entry = {"componentType": _COMPONENTS[values.dtype.str[1:]], "count": len(values), "type": kind}
        if not {"bufferView", "sparse"} & fields.keys():
            entry["bufferView"] = self.view(values.tobytes())
        return self.add("accessors", entry | fields)

    def texture(self, data: bytes, mime_type: str = "image/png", **fields: Any) -> int:
        """Appends a texture with an encoded image."""
        image = self.add("images", {"bufferView": self.view(data), "mimeType": mime_type})
        return self.add("textures", {"source": image, **fields})

    def material(self, texture: dict[str, Any] | None = None, **fields: Any) -> int:
        """Appends a matt material with a texture's info."""
        base: dict[str, Any] = {"metallicFactor": 0, "roughnessFactor": 0.9}
        return self.add(
            "materials",
            {"pbrMetallicRoughness": base if texture is None else base | {"baseColorTexture": texture}} | fields,
        )

    def primitive(self, vertices: np.ndarray, faces: np.ndarray | None, **attributes: int) -> dict[str, Any]:
        """Returns a primitive; attributes are indices of accessors."""
        found: dict[str, Any] = {"attributes": {"POSITION": self.accessor(vertices)} | attributes}
        return found if faces is None else found | {"indices": self.accessor(faces.ravel())}

    def show(self, *primitives: dict[str, Any], **node: Any) -> None:
        """Appends a node with the primitives to the scene."""
        index = self.add("nodes", {"mesh": self.add("meshes", {"primitives": list(primitives)}), **node})
        self.header.setdefault("scenes", [{"nodes": []}])[0]["nodes"].append(index)

    def content(self, tail: bytes = b"") -> bytes:
        """Returns the file."""
        if self.data:
            self.header.setdefault("buffers", []).insert(0, {"byteLength": len(self.data)})
        text = json.dumps(self.header).encode()
        text += b" " * (-len(text) % 4)
        data = self.data + b"\0" * (-len(self.data) % 4)
        body = struct.pack("<I4s", len(text), b"JSON") + text + struct.pack("<I4s", len(data), b"BIN\0") + data
        return struct.pack("<4sII", b"glTF", 2, 12 + len(body)) + body + tail


def jar_glb(edit: Callable[[GlbBuilder, dict[str, Any]], None] = lambda glb, primitive: None, **node: Any) -> bytes:
    """Returns the jar as one textured primitive, after a change to the builder and the primitive."""
    glb, (vertices, uv, faces) = GlbBuilder(), jar()
    primitive = glb.primitive(vertices, faces, TEXCOORD_0=glb.accessor(uv))
    primitive["material"] = glb.material({"index": glb.texture(encoded(picture()))})
    glb.show(primitive, **node)
    edit(glb, primitive)
    return glb.content()


def invisible(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
    """Hides the whole jar: no alpha reaches the cutoff."""
    glb.header["materials"][0] |= {"alphaMode": "MASK", "alphaCutoff": 1.5}


def monochrome(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
    """Gives the whole jar the colour of one point of its texture."""
    primitive["attributes"]["TEXCOORD_0"] = glb.accessor(np.zeros((104, 2), "<f4"))


def pale(glb: GlbBuilder, primitive: dict[str, Any]) -> None:
    """Paints the jar in two colours of about the same lightness."""
    pixels = np.full((8, 8, 3), (190, 120, 80), np.uint8)
    pixels[:, :3] = (90, 130, 150)
    glb.header["textures"][0]["source"] = glb.add(
        "images", {"bufferView": glb.view(encoded(Image.fromarray(pixels))), "mimeType": "image/png"}
    )
