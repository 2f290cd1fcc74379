"""safetensors files in memory, written into and read from one flat buffer without further copies.

A file consists of eight bytes with the header's length, a JSON header with each tensor's type, shape and offsets, and
the tensors' raw bytes, little-endian and row-major (https://github.com/huggingface/safetensors, "Format").

The `save` and `load` of the safetensors package copy each tensor and the whole file through Python bytes. That takes
0.36 s of a core for an adapter of 161 MB; this module takes 0.03 s. The time is spent whenever weights are sent to the
engines, so `adapter`, `merge` and the actors use this module.
"""

import json
import math
import warnings
from collections.abc import Mapping

import numpy as np
import torch

FileContent = bytes | np.ndarray
"""A file's content: bytes, or a [num_bytes] uint8 array, which Ray's object store shares between processes."""

_NAMES = {
    torch.float64: "F64",
    torch.int64: "I64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.uint8: "U8",
}
_TYPES = {name: dtype for dtype, name in _NAMES.items()}


class TensorFile:
    """A safetensors file in memory. Its buffer is reused for new values of tensors with the same names, types and
    shapes.

    The buffer is page-locked when the tensors are on a GPU, so that copies from the GPU run at full bus bandwidth.
    """

    def __init__(self):
        self._header = b""
        self._buffer = torch.empty(0, dtype=torch.uint8)

    def fill(self, tensors: Mapping[str, torch.Tensor]) -> np.ndarray:
        """Returns the safetensors file that contains `tensors`, [num_bytes] uint8. The next call overwrites the
        returned array.

        Raises: KeyError when a tensor has an unsupported type.
        """
        # the widest types first: each tensor then begins at a multiple of its own item size
        names = sorted(tensors, key=lambda name: (-tensors[name].element_size(), name))
        header = _header(tensors, names)
        if header != self._header:
            num_bytes = len(header) + sum(tensors[name].nbytes for name in names)
            on_gpu = any(tensor.is_cuda for tensor in tensors.values())
            self._header, self._buffer = header, torch.empty(num_bytes, dtype=torch.uint8, pin_memory=on_gpu)
            self._buffer.numpy()[: len(header)] = np.frombuffer(header, np.uint8)
        start = len(header)
        for name in names:
            tensor = tensors[name].detach()
            place = self._buffer[start : start + tensor.nbytes]
            place.view(tensor.dtype).view(tensor.shape).copy_(tensor, non_blocking=True)
            start += tensor.nbytes
        if self._buffer.is_pinned():
            torch.cuda.synchronize()
        return self._buffer.numpy()


def byte_view(content: FileContent) -> memoryview:
    """Returns a view of a file's content as bytes, without a copy."""
    return np.frombuffer(content, np.uint8).data


def read_tensors(content: FileContent, device: torch.device | str = "cpu") -> dict[str, torch.Tensor]:
    """Returns the tensors of a safetensors file as a dict from name to tensor.

    On the CPU, the tensors share `content`'s memory and must not be changed. If `device` is another device, the whole
    file is copied to it at once.

    Raises: ValueError when `content` is not a safetensors file or is truncated.
    """
    data = np.frombuffer(content, np.uint8)
    length = int.from_bytes(data[:8].tobytes(), "little")
    if len(data) < 8 or length > len(data) - 8:
        raise ValueError(f"not a safetensors file: {len(data)} bytes in all can't contain a header of {length} bytes")
    header = json.loads(data[8 : 8 + length].tobytes())
    header.pop("__metadata__", None)
    body = data[8 + length :]
    if body.size != max((entry["data_offsets"][1] for entry in header.values()), default=0):
        raise ValueError(f"damaged safetensors file: its size of {len(data)} bytes does not match its header")
    with warnings.catch_warnings():
        # the content may lie in the object store, which is read-only; no caller writes to these tensors
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        flat = torch.from_numpy(body).to(device)
    tensors = {}
    for name, entry in header.items():
        first, end = entry["data_offsets"]
        piece = flat[first:end]
        dtype, shape = _TYPES[entry["dtype"]], entry["shape"]
        if math.prod(shape) * dtype.itemsize != end - first:
            raise ValueError(f"damaged safetensors file: tensor {name} of shape {shape} has {end - first} bytes")
        aligned = piece if (piece.data_ptr() % dtype.itemsize) == 0 else piece.clone()
        tensors[name] = aligned.view(dtype).view(shape)
    return tensors


def _header(tensors: Mapping[str, torch.Tensor], names: list[str]) -> bytes:
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name in names:
        tensor = tensors[name]
        end = start + tensor.nbytes
        entries[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
        start = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # so that the tensors begin at a multiple of eight
    return len(text).to_bytes(8, "little") + text
