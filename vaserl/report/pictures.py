"""Converts photographs and turntable videos to data URIs, which an HTML page can show without loading other files."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vaserl.files.clip import read_mp4
from vaserl.files.photograph import UnreadablePhotograph, read_photograph

MAX_TURNTABLE_FRAMES = 16
"""Largest number of frames in an animation: 16 frames still look like a rotation and need half the bytes of 32."""
TURN_S = 4.0
"""Duration of one turn on the page in seconds, independent of the clip's frame rate."""
WEBP_QUALITY = 60
"""WebP quality (0 to 100) at which the painted bands of a vase remain sharp."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TurntableFrames:
    """A turntable as an animation, and a still image for print and for readers who prefer reduced motion."""

    animated: str
    """Animation as an animated WebP image in a data URI."""
    still: str
    """First frame of the animation, as a WebP image in a data URI."""


def photograph_uri(path: Path, side: int) -> str | None:
    """Returns a photograph as a data URI, scaled down so that its longer side has at most `side` pixels.

    Returns None if the file is missing or can't be read as a photograph.
    """
    try:
        flat = read_photograph(path, shorter_side=side)
    except UnreadablePhotograph:
        return None
    flat.thumbnail((side, side), Image.Resampling.LANCZOS)
    return _webp([flat])


def turntable(path: Path, side: int) -> TurntableFrames:
    """Returns a turntable video as an endless animation, scaled down to at most `side` pixels on the longer side.

    Raises: UserError if the video can't be read.
    """
    frames = read_mp4(path).frames
    step = -(-len(frames) // MAX_TURNTABLE_FRAMES)
    images = [_fit(frame, side) for frame in frames[::step]]
    return TurntableFrames(animated=_webp(images), still=_webp(images[:1]))


def _fit(frame: np.ndarray, side: int) -> Image.Image:
    image = Image.fromarray(frame)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    return image


def _webp(images: list[Image.Image]) -> str:
    file = io.BytesIO()
    animation = {}
    if len(images) > 1:
        milliseconds = round(1000 * TURN_S / len(images))
        animation = {"save_all": True, "append_images": images[1:], "duration": milliseconds, "loop": 0}
    images[0].save(file, "WEBP", quality=WEBP_QUALITY, method=4, **animation)
    return data_uri("image/webp", file.getvalue())


def data_uri(media_type: str, content: bytes) -> str:
    """Returns the content of a file as a data URI, which an HTML page can embed."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
