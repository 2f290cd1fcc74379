"""Reads the accessors of a checked GLB as arrays: strides, sparse replacements and normalised integers (glTF 2.0,
sections 3.6.2 and 3.11)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from vaserl.files.glb import GlbContent, UnsoundGlb

_DTYPES = {5120: "<i1", 5121: "<u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_COLUMNS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def read_accessor(content: GlbContent, index: int, *, normalised: bool = False) -> np.ndarray:
    """Returns an accessor's N values with C components each, [N, C]: float64, or int64 for integers that stay integers.

    Integers are divided by their type's largest value if the accessor is declared normalised or if `normalised` is
    true, as for vertex colours, which glTF has in no other form. Negative values are clipped at -1.

    Raises: UnsoundGlb for a type of accessor that meshes don't use, and for damaged sparse indices.
    """
    accessor = content.entry("accessors", index)
    if accessor["type"] not in _COLUMNS:
        raise UnsoundGlb(f"damaged GLB model: values of type {accessor['type']!r:.20} in a mesh")
    raw = _raw(content, accessor)
    if raw.dtype.kind == "f":
        return raw.astype(np.float64)
    if not (normalised or accessor.get("normalized", False)):
        return raw.astype(np.int64)
    return np.maximum(raw.astype(np.float64) / np.iinfo(raw.dtype).max, -1.0)


def _raw(content: GlbContent, accessor: Mapping[str, Any]) -> np.ndarray:
    """Returns an accessor's values as they are stored, [N, C], with its sparse replacements done."""
    count, columns = accessor["count"], _COLUMNS[accessor["type"]]
    dtype = np.dtype(_DTYPES[accessor["componentType"]])
    if "bufferView" in accessor:
        values = _strided(content, accessor, dtype, (count, columns))
    else:
        values = np.zeros((count, columns), dtype)
    if "sparse" not in accessor:
        return values
    sparse = accessor["sparse"]
    index_type = np.dtype(_DTYPES[sparse["indices"]["componentType"]])
    at = _strided(content, sparse["indices"], index_type, (sparse["count"], 1))[:, 0].astype(np.int64)
    if len(at) and (at.min() < 0 or at.max() >= count):
        raise UnsoundGlb("damaged GLB model: a sparse accessor replaces values that don't exist")
    values = values.copy()
    values[at] = _strided(content, sparse["values"], dtype, (len(at), columns))
    return values


def _strided(content: GlbContent, where: Mapping[str, Any], dtype: np.dtype[Any], shape: tuple[int, int]) -> np.ndarray:
    """Returns a view of the values that `where`, an accessor or a part of a sparse one, refers to; its extent has been
    checked."""
    if not shape[0]:
        return np.zeros(shape, dtype)
    view = content.entry("bufferViews", where["bufferView"])
    held = np.frombuffer(content.view(where["bufferView"]), np.uint8)[where.get("byteOffset", 0) :]
    size = dtype.itemsize * shape[1]
    stride = view.get("byteStride", 0) or size
    rows = np.lib.stride_tricks.as_strided(held, (shape[0], size), (stride, 1), writeable=False)
    return np.ascontiguousarray(rows).view(dtype)
