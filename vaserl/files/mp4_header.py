"""Reads the size of a video from the header of an mp4 file, without a decoder.

Opening a file with PyAV takes some milliseconds, because it also decodes the first frames; for the clips of a large
data set that is minutes. An mp4 file is a tree of boxes, each with its length and a type of four letters (ISO/IEC
14496-12, sections 4.2 and 8). The number of frames and their size are in the box `moov`, which is a few kilobytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from vaserl.errors import UserError

_MAX_HEADER = 64 << 20
"""Largest size in bytes of a `moov` box; a larger one is taken for damage."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class VideoSize:
    """Number of frames of a video, and the size of each in pixels."""

    num_frames: int
    height: int
    width: int


def read_video_size(path: Path) -> VideoSize:
    """Returns the size of the first video track of an mp4 file.

    Raises: UserError with the path when the file is missing, or is not an mp4 with a video track.
    """
    try:
        with path.open("rb") as file:
            return video_size(file, str(path))
    except OSError as error:
        raise UserError(f"{path}: can't be read as an mp4 ({error})") from error


def video_size(file: BinaryIO, what: str) -> VideoSize:
    """Returns the size of the first video track of an open mp4 file, which `what` names in error messages.

    Raises: UserError when the file is not an mp4 with a video track.
    """
    try:
        header = _header(file)
        for kind, track in _boxes(header):
            if kind == b"trak" and (size := _track_size(track)) is not None:
                return size
    except (OSError, ValueError) as error:
        raise UserError(f"{what}: can't be read as an mp4 ({error})") from error
    except LookupError as error:
        raise UserError(f"{what}: can't be read as an mp4 (its header has no box {error})") from error
    raise UserError(f"{what}: the file has no video track; expected an mp4")


def _header(file: BinaryIO) -> bytes:
    """Returns the content of the box `moov`. It may stand behind the frames, so the other boxes are skipped."""
    while start := file.read(8):
        length, kind, read = int.from_bytes(start[:4]), start[4:], 8
        if length == 1:  # the length of a box beyond 4 GiB follows in 8 bytes
            length, read = int.from_bytes(file.read(8)), 16
        if kind == b"moov":
            if not read <= length <= _MAX_HEADER:
                raise ValueError(f"its header has the length {length}")
            return file.read(length - read)
        if length < read:  # 0 means up to the end of the file
            break
        file.seek(length - read, 1)
    raise ValueError("it has no header")


def _track_size(track: bytes) -> VideoSize | None:
    """Returns the size of a track, None if it is no video."""
    media = dict(_boxes(dict(_boxes(track))[b"mdia"])) if b"mdia" in dict(_boxes(track)) else {}
    if media.get(b"hdlr", b"")[8:12] != b"vide":
        return None
    table = dict(_boxes(dict(_boxes(media[b"minf"]))[b"stbl"]))
    entry = table[b"stsd"][8:]
    return VideoSize(
        num_frames=int.from_bytes(table[b"stsz"][8:12]),
        height=int.from_bytes(entry[34:36]),
        width=int.from_bytes(entry[32:34]),
    )


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yields type and content of each box in `content`."""
    start = 0
    while start + 8 <= len(content):
        length = int.from_bytes(content[start : start + 4]) or len(content) - start
        if length < 8:
            raise ValueError(f"a box in its header has the length {length}")
        yield content[start + 4 : start + 8], content[start + 8 : start + length]
        start += length
