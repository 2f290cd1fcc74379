"""Checks an untrusted GLB file before its meshes and textures are decoded.

A file of a few hundred bytes can claim ten million faces, refer to other files on this machine, or contain a texture
that fills the memory when decoded. Parsers trust the file's JSON header. Therefore this check compares the numbers in
the header with the size of the file and with the limits below. It parses only the JSON header, lengths, and the headers
of textures. Sections 3.6, 3.9 and 4.4 of the glTF 2.0 specification define the format.

A file whose geometry is compressed is refused with the extension's name, even where the file doesn't declare that it
requires the extension. Messages hold neither the text of an exception nor a path other than the file's, because they
are stored as reasons, and equal files must give equal reasons.
"""

import base64
import binascii
import io
import json
import struct
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from vaserl.errors import UserError

MAX_FILE_BYTES = 512 * 2**20
MAX_HEADER_BYTES = 16 * 2**20
MAX_FACES = 5_000_000
"""Largest number of faces of a file. A mesh that ten nodes refer to counts ten times."""
MAX_VERTICES = 8_000_000
MAX_TEXTURE_PIXELS = 8192 * 8192
"""Largest number of pixels of one texture. A texture of this size needs 200 MB when decoded."""
MAX_TEXTURES = 32
MAX_NODES = 10_000

_UNREAD_IMAGES = {"image/ktx2", "image/avif", "image/vnd-ms.dds"}
"""MIME types of images that extensions allow and that aren't read. A texture that names one may have another image."""

_BYTES_OF_COMPONENT = {5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4}
_COMPONENTS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_TRIANGLES = 4
"""Value of a primitive's `mode` in glTF for separate triangles; this is the default."""
_UNDERSTOOD = {
    *("KHR_mesh_quantization", "KHR_texture_transform", "KHR_texture_basisu", "EXT_texture_webp"),
    *("KHR_lights_punctual", "KHR_xmp_json_ld", "KHR_animation_pointer", "KHR_node_visibility"),
}
"""Extensions that a file may require, besides those of materials (KHR_materials_…). KTX2 textures of KHR_texture_basisu
aren't read; a texture that has no PNG, JPEG or WebP besides is refused when it is used."""

MISUSED_FIELD = "damaged GLB model: its header lacks a field or holds one of another kind"
"""Reason for errors that the types and ranges of the header's fields cause."""


class UnsoundGlb(Exception):
    """An error in a GLB file. The message is the reason for rejecting the file and the remedy, without the path."""

    def __init__(self, reason: str, remedy: str = "export it again as a self-contained binary glTF") -> None:
        super().__init__(f"{reason}; {remedy}")


@dataclass(frozen=True, slots=True, kw_only=True)
class GlbContent:
    """A checked GLB file's JSON header and buffers."""

    header: Mapping[str, Any]
    """The parsed JSON header."""
    buffers: Sequence[memoryview]
    """Content of each buffer of the header, as bytes."""

    def entry(self, kind: str, index: int) -> Mapping[str, Any]:
        """Returns an entry of one of the header's lists, such as "materials".

        Python would take -1, which some exporters write for "none", for the last entry.

        Raises: UnsoundGlb if the list has no such entry.
        """
        entries = self.header.get(kind, [])
        if _natural(index) >= len(entries):
            raise UnsoundGlb(f"damaged GLB model: refers to number {index} of {kind}, of which it has {len(entries)}")
        return entries[index]

    def view(self, index: int) -> memoryview:
        """Returns the bytes of a buffer view."""
        return _view_bytes(self.entry("bufferViews", index), self.buffers)

    def image(self, index: int) -> bytes:
        """Returns the encoded bytes of an image."""
        return _image_bytes(self.entry("images", index), self.header.get("bufferViews", []), self.buffers)


def check_glb(path: Path) -> None:
    """Checks that the GLB file is complete, contains everything that it refers to, and is within the limits.

    Raises: UserError with the path and the reason if it isn't.
    """
    open_glb(path)


def open_glb(path: Path) -> GlbContent:
    """Reads a GLB file and checks that it is complete, contains everything that it refers to, and is within the limits.

    Raises: UserError with the path and the reason if it isn't.
    """
    try:
        header, binary = _chunks(path)
        return GlbContent(header=header, buffers=_checked_buffers(header, binary))
    except UnsoundGlb as error:
        raise UserError(f"{path}: {error}") from error
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: {UnsoundGlb(MISUSED_FIELD)}") from error


def _chunks(path: Path) -> tuple[dict[str, Any], memoryview]:
    """Returns the file's parsed JSON header and the content of its binary chunk, which is empty if it has none."""
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise UnsoundGlb(f"{size:,} bytes; the limit is {MAX_FILE_BYTES:,}")
    with path.open("rb") as file:
        start = file.read(20)
        if len(start) < 20:
            raise UnsoundGlb(f"damaged GLB model: it ends after {size} bytes")
        magic, version, length, json_length, kind = struct.unpack("<4sIII4s", start)
        if magic != b"glTF":
            raise UnsoundGlb("not a GLB model")
        if version != 2:  # version 1 has no chunks, so its fifth number is no kind
            raise UnsoundGlb(f"binary glTF of version {version}; only version 2 is supported")
        if kind != b"JSON":
            raise UnsoundGlb("not a GLB model")
        if length > size:
            raise UnsoundGlb(f"damaged GLB model: cut off, {size:,} bytes of {length:,}")
        if json_length > min(MAX_HEADER_BYTES, size - 20):
            raise UnsoundGlb(f"damaged GLB model: its header claims {json_length:,} bytes")
        try:
            header = json.loads(file.read(json_length))
        except (ValueError, RecursionError) as error:
            raise UnsoundGlb("damaged GLB model: its header is not valid JSON") from error
        binary = memoryview(file.read())
    if not isinstance(header, dict):
        raise UnsoundGlb("damaged GLB model: its header is not a JSON object")
    chunk_length, kind = struct.unpack("<I4s", binary[:8]) if len(binary) >= 8 else (0, b"")
    if kind != b"BIN\0":  # a chunk of another kind has no data for the header
        return header, binary[:0]
    if chunk_length > len(binary) - 8:
        raise UnsoundGlb(f"damaged GLB model: cut off, {len(binary) - 8:,} bytes of data of {chunk_length:,}")
    return header, binary[8 : 8 + chunk_length]


def _checked_buffers(header: Mapping[str, Any], binary: memoryview) -> list[memoryview]:
    """Returns the file's buffers after checking everything in the header that refers to them."""
    unknown = _unknown_extensions(header)
    if unknown:
        raise UnsoundGlb(f"needs {', '.join(unknown)}, which isn't supported", "export it without")
    buffers = [_buffer(buffer, binary) for buffer in header.get("buffers", [])]
    views = header.get("bufferViews", [])
    for view in views:
        offset, length = _natural(view.get("byteOffset", 0)), _natural(view["byteLength"])
        if offset + length > len(buffers[_natural(view["buffer"])]):
            raise UnsoundGlb("damaged GLB model: a buffer view exceeds its buffer")
    for accessor in header.get("accessors", []):
        _check_accessor(accessor, views)
    _check_geometry(header)
    images = header.get("images", [])
    if len(images) > MAX_TEXTURES:
        raise UnsoundGlb(f"{len(images)} textures; the limit is {MAX_TEXTURES}")
    for image in images:
        content = _image_bytes(image, views, buffers)
        if not is_unread_image(content, image.get("mimeType", "")):
            _check_image(content)
    return buffers


def _unknown_extensions(header: Mapping[str, Any]) -> list[str]:
    """Returns the names of the extensions without which the file's geometry can't be read, sorted.

    Those that the file requires, those that compress the data of a primitive or a buffer view, and those that multiply
    a node's mesh.
    """
    required = {name for name in header.get("extensionsRequired", []) if not name.startswith("KHR_materials_")}
    used = {name for view in header.get("bufferViews", []) for name in view.get("extensions", {})}
    for mesh in header.get("meshes", []):
        used |= {name for part in mesh["primitives"] for name in part.get("extensions", {})}
    for node in header.get("nodes", []):
        used |= {name for name in node.get("extensions", {}) if "instancing" in name}
    return sorted((required - _UNDERSTOOD) | {name for name in used if "compression" in name or "instancing" in name})


def is_unread_image(content: bytes, mime_type: str) -> bool:
    """Tells whether an image has a format of an extension that isn't read: KTX2, AVIF or DDS."""
    return mime_type in _UNREAD_IMAGES or content.startswith(b"\xabKTX 20")


def _buffer(buffer: Mapping[str, Any], binary: memoryview) -> memoryview:
    claimed, held = _natural(buffer["byteLength"]), binary if "uri" not in buffer else _embedded(buffer["uri"])
    if claimed > len(held):
        raise UnsoundGlb(f"damaged GLB model: claims {claimed:,} bytes of data and has {len(held):,}")
    return memoryview(held)[:claimed]


def _check_accessor(accessor: Mapping[str, Any], views: Sequence[Mapping[str, Any]]) -> None:
    count = _natural(accessor["count"])
    if count > 3 * MAX_FACES:
        raise UnsoundGlb(f"claims {count:,} values in one accessor; the limit is {3 * MAX_FACES:,}")
    size = _BYTES_OF_COMPONENT[accessor["componentType"]] * _COMPONENTS[accessor["type"]]
    if "bufferView" in accessor:  # without it, all values are zero; their count is limited above
        _check_extent(accessor, views, count, size)
    if "sparse" in accessor:
        sparse = accessor["sparse"]
        num_replaced, index = _natural(sparse["count"]), sparse["indices"]
        if num_replaced > count:
            raise UnsoundGlb(f"damaged GLB model: {num_replaced:,} sparse values in an accessor of {count:,}")
        _check_extent(index, views, num_replaced, _BYTES_OF_COMPONENT[index["componentType"]])
        _check_extent(sparse["values"], views, num_replaced, size)


def _check_extent(where: Mapping[str, Any], views: Sequence[Mapping[str, Any]], count: int, size: int) -> None:
    """Checks that `count` values of `size` bytes each fit the buffer view that `where` refers to."""
    view = views[_natural(where["bufferView"])]
    stride = _natural(view.get("byteStride", 0)) or size
    if stride < size:
        raise UnsoundGlb(f"damaged GLB model: values of {size} bytes every {stride} bytes")
    needed = _natural(where.get("byteOffset", 0)) + (stride * (count - 1) + size if count else 0)
    if needed > view["byteLength"]:
        raise UnsoundGlb(
            f"damaged GLB model: an accessor of {count:,} values doesn't fit its {view['byteLength']:,} bytes"
        )


def _check_geometry(header: Mapping[str, Any]) -> None:
    """Checks that faces and vertices are within the limits and that the nodes form a tree.

    A mesh is counted once for each node that refers to it.
    """
    accessors, meshes, nodes = header.get("accessors", []), header.get("meshes", []), header.get("nodes", [])
    if len(nodes) > MAX_NODES:
        raise UnsoundGlb(f"{len(nodes):,} nodes; the limit is {MAX_NODES:,}")
    children = [_natural(child) for node in nodes for child in node.get("children", [])]
    if len(children) != len(set(children)) or _is_cyclic(nodes):
        raise UnsoundGlb("damaged GLB model: its nodes don't form a tree")
    sizes = []
    for mesh in meshes:
        num_faces = num_vertices = 0
        for part in mesh["primitives"]:
            points = _natural(accessors[_natural(part["attributes"]["POSITION"])]["count"])
            corners = _natural(accessors[_natural(part["indices"])]["count"]) if "indices" in part else points
            num_faces += corners // 3 if part.get("mode", _TRIANGLES) == _TRIANGLES else corners
            num_vertices += points
        sizes.append((num_faces, num_vertices))
    placed = [sizes[_natural(node["mesh"])] for node in nodes if "mesh" in node]
    num_faces, num_vertices = (max(sum(s[k] for s in placed), sum(s[k] for s in sizes)) for k in (0, 1))
    if num_faces > MAX_FACES or num_vertices > MAX_VERTICES:
        raise UnsoundGlb(
            f"{num_faces:,} faces on {num_vertices:,} vertices; the limits are {MAX_FACES:,} and {MAX_VERTICES:,}",
            "decimate it",
        )


def _is_cyclic(nodes: Sequence[Mapping[str, Any]]) -> bool:
    """Tells whether the graph of the nodes contains a cycle. No node may have two parents.

    The nodes of a cycle can't be reached from any root, since none of them has a second parent.
    """
    all_children = {child for node in nodes for child in node.get("children", [])}
    waiting = [index for index in range(len(nodes)) if index not in all_children]
    num_reached = 0
    while waiting:
        num_reached += 1
        waiting += nodes[waiting.pop()].get("children", [])
    return num_reached != len(nodes)


def _image_bytes(image: Mapping[str, Any], views: Sequence[Mapping[str, Any]], buffers: Sequence[memoryview]) -> bytes:
    if "uri" in image:
        return _embedded(image["uri"])
    return bytes(_view_bytes(views[_natural(image["bufferView"])], buffers))


def _view_bytes(view: Mapping[str, Any], buffers: Sequence[memoryview]) -> memoryview:
    start = _natural(view.get("byteOffset", 0))
    return buffers[_natural(view["buffer"])][start : start + _natural(view["byteLength"])]


def _check_image(content: bytes) -> None:
    """Checks an image's size in pixels, and that it is a PNG, JPEG or WebP."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is checked below
            with Image.open(io.BytesIO(content), formats=("PNG", "JPEG", "WEBP")) as picture:
                width, height = picture.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UnsoundGlb("has a texture that can't be read as PNG, JPEG or WebP") from error
    if width * height > MAX_TEXTURE_PIXELS:
        raise UnsoundGlb(f"has a texture of {width} x {height} pixels; the limit is {MAX_TEXTURE_PIXELS:,}")


def _embedded(uri: str) -> bytes:
    """Returns the bytes in a base64 data URI.

    Any other URI is rejected: it refers to a file or a host, which an untrusted model must not do.
    """
    head, comma, body = uri.partition(",")
    if not head.startswith("data:"):
        raise UnsoundGlb(f"refers to {uri[:80]!r} outside the file")
    if not comma or not head.endswith(";base64"):
        raise UnsoundGlb("embeds data in another way than as base64, which isn't supported")
    try:
        return base64.b64decode(body, validate=True)
    except binascii.Error as error:
        raise UnsoundGlb("damaged GLB model: embedded base64 data can't be decoded") from error


def _natural(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UnsoundGlb(f"damaged GLB model: {value!r} where a natural number is expected")
    return value
