"""Small picture files of the kinds that museums, scanners and scrapers hand over, written byte by byte where no library
writes them."""

import io
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from PIL import Image

from tests.fakes.hostile_pictures import png_of

WIDTH, HEIGHT = 40, 60
ADOBE_TO_XYZ = np.array([[0.57667, 0.18556, 0.18823], [0.29734, 0.62736, 0.07529], [0.02703, 0.07069, 0.99134]])
SRGB_TO_XYZ = np.array([[0.41239, 0.35758, 0.18048], [0.21264, 0.71517, 0.07219], [0.01933, 0.11919, 0.95053]])
"""The matrices that the two standards print, for white D65."""


def picture() -> np.ndarray:
    """Returns a pot on a pale ground, darker at its left, with a mark at its top left: uint8 [60, 40, 3]."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    pixels = np.full((HEIGHT, WIDTH, 3), (230, 228, 224), np.uint8)
    body = ((columns - 20) / 14) ** 2 + ((rows - 34) / 22) ** 2 < 1
    pixels[body] = (196, 104, 52)
    pixels[body & (rows > 30) & (rows < 36)] = (30, 26, 24)
    pixels[:, :6] //= 2
    pixels[4:12, 4:12] = (20, 60, 160)
    return pixels


def grey() -> np.ndarray:
    """Returns the picture in grey: uint8 [60, 40]."""
    return np.asarray(Image.fromarray(picture()).convert("L"))


def alpha() -> np.ndarray:
    """Returns an alpha channel, 0 in the upper third and 255 below: uint8 [60, 40]."""
    channel = np.full((HEIGHT, WIDTH), 255, np.uint8)
    channel[:20] = 0
    return channel


def saved(image: Image.Image, kind: str, **options) -> bytes:
    """Returns the image as a file of a kind that Pillow writes."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png16(samples: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """Returns a PNG of 16 bits a channel with extra chunks; samples: uint16 [H, W] or [H, W, 2 to 4]."""
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    colour = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    height, width = samples.shape[:2]
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    return png_of((b"IHDR", header), *chunks, (b"IDAT", zlib.compress(raw)), (b"IEND", b""))


def png8(pixels: np.ndarray, *chunks: tuple[bytes, bytes]) -> bytes:
    """Returns an RGB PNG with extra chunks before its pixels; pixels: uint8 [H, W, 3]."""
    raw = b"".join(b"\0" + row.tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 8, 2, 0, 0, 0)
    return png_of((b"IHDR", header), *chunks, (b"IDAT", zlib.compress(raw)), (b"IEND", b""))


def tiff(*pages: tuple[np.ndarray, dict[int, int]]) -> bytes:
    """Returns an uncompressed little-endian TIFF. A page is its samples, [H, W] or [H, W, 3], of any number type, and
    further tags with one number each; these replace the tags that the samples give."""
    content, link = b"II*\0\0\0\0\0", 4
    for samples, extra in pages:
        data = np.ascontiguousarray(samples.astype(samples.dtype.newbyteorder("<"))).tobytes()
        channels = 1 if samples.ndim == 2 else samples.shape[2]
        kind = {"u": 1, "i": 2, "f": 3}[samples.dtype.kind]
        tags: dict[int, int | Sequence[int]] = {
            **{256: samples.shape[1], 257: samples.shape[0], 259: 1, 262: 1 if channels == 1 else 2},
            **{273: len(content), 277: channels, 278: samples.shape[0], 279: len(data), 339: kind},
            258: 8 * samples.dtype.itemsize,
        } | extra
        bits_at = len(content) + len(data)
        if channels > 1:
            tags[258] = tags[339] = ()
        content += data + struct.pack("<3H", *[8 * samples.dtype.itemsize] * 3) + struct.pack("<3H", *[kind] * 3)
        content = content[:link] + struct.pack("<I", len(content)) + content[link + 4 :]
        content += struct.pack("<H", len(tags))
        for tag, value in sorted(tags.items()):
            if isinstance(value, int):
                content += struct.pack("<HHII", tag, 4, 1, value)
            else:  # three short numbers, stored elsewhere
                content += struct.pack("<HHII", tag, 3, 3, bits_at + (6 if tag == 339 else 0))
        link = len(content)
        content += b"\0\0\0\0"
    return content


def adobe_from_srgb(pixels: np.ndarray) -> np.ndarray:
    """Returns the picture with the same colours in Adobe RGB, by the formulas of the two standards: uint8 [H, W, 3]."""
    value = pixels / 255
    light = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    adobe = np.clip(light @ (np.linalg.inv(ADOBE_TO_XYZ) @ SRGB_TO_XYZ).T, 0, 1)
    return np.round(255 * adobe ** (256 / 563)).astype(np.uint8)
