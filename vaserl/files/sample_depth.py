"""Reduces pictures with more than 8 bits a channel to 8 bits, by the range of their values.

Pillow clips such values at 255, which turns a photograph white. It keeps the upper 8 bits of colour pictures with 16
bits a channel itself, so here those are only checked.
"""

import numpy as np
from PIL import Image, TiffImagePlugin

_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339
"""Numbers of TIFF tags."""
_WIDTHS = (1, 8, 10, 12, 14, 16)
"""Numbers of bits of which scanners and cameras make use in wider integers."""
_FLOAT_TOPS = (1.0, 255.0, 65_535.0)
"""Values that programs write for white in pictures of floating-point numbers."""
_OVERSHOOT = 1.25
"""Largest factor by which the bright values of a float picture may exceed white, after resampling or for highlights."""
_DARKEST = 16
"""Largest factor by which white may exceed the bright values of a float picture. Otherwise its range is its own: values
up to 3 are those of bright lights, with white at 1 or at nothing in particular, and not a black picture up to 255."""
_MIN_TOP = 64
"""Smallest brightest value, of 255, with which a colour picture of 16 bits a channel is used. Below it, the values use
14 or fewer of the 16 bits, of which Pillow keeps the empty ones."""


class ShallowPicture(Exception):
    """Error for a picture whose values can't be told from its upper 8 bits. The message is the reason."""


def is_deep(image: Image.Image) -> bool:
    """Tells whether the file, which is not decoded yet, has more than 8 bits a channel."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return max(_numbers(image, _BITS_PER_SAMPLE), default=1) > 8
    return any(";16" in str(tile.args) for tile in getattr(image, "tile", ()))


def with_eight_bits(image: Image.Image, was_deep: bool) -> tuple[Image.Image, str]:
    """Returns (picture, note): the picture with 8 bits a channel, and a note on how its values were scaled, or "".

    was_deep: what `is_deep` returned before the picture was decoded.

    Raises: ShallowPicture if the file's colours need a decoder for more than 8 bits.
    """
    if image.mode.startswith("I"):
        return _from_integers(image)
    if image.mode == "F":
        return _from_floats(image)
    if not was_deep:
        return image, ""
    bands = image.getbands()
    colour = [band for band in bands if band not in ("A", "a")]
    top = max(_top(image.getchannel(band)) for band in colour) if len(colour) < 4 else 255
    if 0 < top < _MIN_TOP:
        raise ShallowPicture(
            f"16 bits a channel, of which the upper ones are nearly empty: the brightest value is {top} of 255; the "
            "file has 14 or fewer bits; scale its values to the whole range"
        )
    if isinstance(key := image.info.get("transparency"), tuple):  # a transparent colour, with 16 bits too
        image.info["transparency"] = tuple(value >> 8 for value in key)
    elif isinstance(key, int):
        image.info["transparency"] = key >> 8
    return image, ""


def _from_integers(image: Image.Image) -> tuple[Image.Image, str]:
    values = np.asarray(image)
    if image.mode == "I" and _numbers(image, _BITS_PER_SAMPLE) == (32,) and _numbers(image, _SAMPLE_FORMAT) != (2,):
        values = values.view(np.uint32)  # Pillow has signed 32-bit integers only
    top, lowest = int(values.max()), int(values.min())
    stated = _numbers(image, _BITS_PER_SAMPLE)
    note = "" if lowest >= 0 else "values below 0 are black"
    if stated and 8 < stated[0] < 16:
        white = 2 ** stated[0] - 1
    elif top <= 65_535:
        white = 2 ** next(bits for bits in _WIDTHS if top < 2**bits) - 1
        if white not in (65_535, 1):
            note = f"values up to {top:,} are taken for {white.bit_length()} bits: white is {white:,}"
    else:
        white, note = top, f"32-bit integers, of which the largest, {top:,}, is white"
    return _grey(image, values, max(white, 1)), note


def _from_floats(image: Image.Image) -> tuple[Image.Image, str]:
    values = np.nan_to_num(np.asarray(image), nan=0.0, posinf=0.0, neginf=0.0)
    bright = float(np.percentile(values, 99.9))
    white = next((top for top in _FLOAT_TOPS if top / _DARKEST <= bright <= _OVERSHOOT * top), bright)
    white = white if white > 0 else 1.0
    return _grey(image, values, white), f"floating-point values, of which {white:,.6g} is white"


def _grey(image: Image.Image, values: np.ndarray, white: float) -> Image.Image:
    """Returns the picture as 8-bit grey, with the info of `image`; its transparent value becomes an alpha channel."""
    scaled = np.clip(values.astype(np.float32) * np.float32(255 / white) + np.float32(0.5), 0, 255).astype(np.uint8)
    if _numbers(image, _PHOTOMETRIC) == (0,):  # WhiteIsZero, which Pillow inverts up to 8 bits only
        scaled = 255 - scaled
    grey = Image.fromarray(scaled)
    grey.info = {name: value for name, value in image.info.items() if name != "transparency"}
    if isinstance(key := image.info.get("transparency"), int):
        alpha = Image.fromarray(np.where(values == key, np.uint8(0), np.uint8(255)))
        grey, info = Image.merge("LA", (grey, alpha)), grey.info
        grey.info = info
    return grey


def _top(band: Image.Image) -> int:
    return int(np.asarray(band).max())


def _numbers(image: Image.Image, tag: int) -> tuple[int, ...]:
    """Returns the numbers of a TIFF tag; none if the picture is no TIFF or lacks the tag."""
    tags = getattr(image, "tag_v2", None)
    found = () if tags is None else tags.get(tag, ())
    return tuple(int(value) for value in (found if isinstance(found, tuple) else (found,)))
