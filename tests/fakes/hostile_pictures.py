"""Damaged and hostile PNG files."""

import struct
import zlib


def png_of(*chunks: tuple[bytes, bytes]) -> bytes:
    """Returns a PNG file of these chunks, each given as (kind, data), with correct checksums."""
    parts = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def png_header(width: int, height: int) -> tuple[bytes, bytes]:
    """Returns the header chunk of an RGB image of this size."""
    return b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)


def png_claiming(width: int, height: int) -> bytes:
    """Returns a PNG file whose valid header claims this size, with the data of only one pixel."""
    return png_of(png_header(width, height), (b"IDAT", zlib.compress(b"\0" * 4)), (b"IEND", b""))


def png_torn_in_its_pixels() -> bytes:
    """Returns a PNG file whose pixel data is followed by an invalid chunk, which only decoding detects."""
    pixels = zlib.compress(b"\0" * (1 + 3 * 64) * 64, level=0)
    return png_of(png_header(64, 64), (b"IDAT", pixels[:3000])) + b"\0\0\0\x09\0\1\2\3" + b"x" * 200
