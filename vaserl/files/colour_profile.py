"""Converts pictures from the colours that their file declares to sRGB, with LittleCMS.

A file declares colours by an embedded ICC profile, by a PNG's gamma and chromaticities, or by the Exif sign of Adobe
RGB that cameras write without a profile. Without any of these, colours are sRGB. Reading other colours as sRGB makes a
photograph in Adobe RGB a quarter less colourful.
"""

import functools
import io
import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageCms

ADOBE_RGB = ((0.64, 0.33, 0.21, 0.71, 0.15, 0.06), (0.3127, 0.3290), 563 / 256)
"""Adobe RGB (1998): chromaticities x, y of red, green and blue, those of white, and the exponent."""
_SRGB_PRIMARIES = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06)
_D65, _D50 = (0.3127, 0.3290), (0.9642, 1.0, 0.8249)
_SRGB_GAMMA = 1 / 2.2
"""Gamma that a PNG states for sRGB."""
_SPACES = {b"RGB ": "RGB", b"GRAY": "L", b"CMYK": "CMYK", b"Lab ": "LAB"}
"""Modes of the pictures that a profile of this colour space describes."""
_CLASSES = (b"mntr", b"scnr", b"prtr", b"spac")
"""Classes of profiles that describe colours; the others convert between profiles."""
_EXIF_IFD, _INTEROP_IFD, _COLOUR_SPACE = 0x8769, 0xA005, 0xA001
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_FLAGS = ImageCms.Flags.BLACKPOINTCOMPENSATION


def in_srgb(image: Image.Image) -> tuple[Image.Image, str]:
    """Returns (picture, note): the decoded picture of mode L, LA, RGB, RGBA, CMYK or LAB in sRGB, and a note, or "".

    A picture without declared colours, or with those of sRGB, is returned unchanged. A CMYK or LAB picture becomes RGB.
    A damaged profile, or one for another kind of picture, is ignored, and the note says so.
    """
    profile, note = image.info.get("icc_profile"), ""
    if profile:
        try:
            return _converted(image, bytes(profile)), ""
        except (ImageCms.PyCMSError, OSError, ValueError, TypeError, struct.error):
            note = "its colour profile is damaged or of another kind than the picture, and ignored"
    elif image.mode not in ("CMYK", "LAB") and (declared := _declared(image)):
        return _converted(image, declared), ""
    if image.mode == "LAB":
        return _transformed(image, _lab_to_srgb()), note
    if image.mode == "CMYK":
        return image.convert("RGB"), note or "CMYK without a usable colour profile: its colours are approximate"
    return image, note


def matrix_profile(primaries: Sequence[float], white: Sequence[float], exponent: float) -> bytes:
    """Returns an ICC profile (version 2) of an RGB space.

    primaries: chromaticities x, y of red, green and blue, as six numbers. white: x, y of white. exponent: the power
    that converts a value from 0 to 1 to light.

    Raises: ValueError if the chromaticities span no space.
    """
    columns = np.array([_xyz(*primaries[k : k + 2]) for k in (0, 2, 4)]).T
    white_xyz = _xyz(*white)
    try:
        matrix = columns * np.linalg.solve(columns, white_xyz)
    except np.linalg.LinAlgError as error:
        raise ValueError("the chromaticities lie on a line") from error
    adapted = _adaptation(white_xyz, np.array(_D50)) @ matrix
    if not np.isfinite(adapted).all() or np.abs(adapted).max() > 4:
        raise ValueError("the chromaticities span no space")
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(exponent * 256)) + b"\0\0"
    name = b"vaserl\0"
    description = b"desc\0\0\0\0" + struct.pack(">I", len(name)) + name + bytes(12 + 67)
    tags = {
        b"desc": description + bytes(-len(description) % 4),
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": _xyz_tag(_D50),
        **{sign: _xyz_tag(column) for sign, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), adapted.T, strict=True)},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    start = 128 + 4 + 12 * len(tags)
    table, data = struct.pack(">I", len(tags)), b""
    for sign, content in tags.items():
        table += struct.pack(">4sII", sign, start + len(data), len(content))
        data += content
    header = struct.pack(">I4xI4s4s4s", start + len(data), 0x02100000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H4s", 2000, 1, 1, 0, 0, 0, b"acsp") + bytes(28) + _xyz_tag(_D50)[8:]
    return header + bytes(128 - len(header)) + table + data


def _converted(image: Image.Image, profile: bytes) -> Image.Image:
    """Returns the picture in sRGB. Raises: ValueError or PyCMSError if the profile doesn't describe the picture."""
    space = _SPACES.get(profile[16:20])
    if space is None or profile[12:16] not in (_CLASSES if space != "LAB" else (*_CLASSES, b"abst")):
        raise ValueError("a profile of another kind")
    grey = image.mode in ("L", "LA")
    if image.mode not in (space, space + "A") and not (grey and space == "RGB"):
        raise ValueError("a profile for other pictures")
    transform = _to_srgb(profile, space)
    if transform is None:
        return image
    if image.mode in ("LA", "RGBA"):
        colour = _transformed(image.convert(space), transform)
        colour.putalpha(image.getchannel("A"))
        return colour
    return _transformed(image.convert(space) if grey and space == "RGB" else image, transform)


def _transformed(image: Image.Image, transform: Any) -> Image.Image:
    if image.mode != "RGB":
        return ImageCms.applyTransform(image, transform) or image
    ImageCms.applyTransform(image, transform, inPlace=True)  # a large photograph is in memory once
    return image


@functools.lru_cache(maxsize=16)
def _to_srgb(profile: bytes, mode: str) -> Any:
    """Returns a LittleCMS transform from the profile to sRGB, or None if it would change no colour by more than 1."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB", _INTENT, _FLAGS)
    if mode in ("RGB", "L"):
        steps = np.arange(0, 256, 15, dtype=np.uint8)
        lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(len(steps), -1, 3)
        sample = Image.fromarray(lattice if mode == "RGB" else np.ascontiguousarray(lattice[..., 0]))
        before = np.asarray(sample.convert("RGB")).astype(int)
        after = np.asarray(ImageCms.applyTransform(sample, transform)).astype(int)
        if np.abs(before - after).max() <= 1:
            return None
    return transform


@functools.lru_cache(maxsize=1)
def _lab_to_srgb() -> Any:
    return ImageCms.buildTransform(
        ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB", _INTENT, _FLAGS
    )


def _declared(image: Image.Image) -> bytes | None:
    """Returns a profile of the colours that a file without a profile declares; None if it declares none, or sRGB's."""
    info = image.info
    if "srgb" in info:
        return None
    gamma, chromaticity = info.get("gamma", _SRGB_GAMMA), info.get("chromaticity", (*_D65, *_SRGB_PRIMARIES))
    if "gamma" in info or "chromaticity" in info:
        is_far = max(abs(a - b) for a, b in zip(chromaticity, (*_D65, *_SRGB_PRIMARIES), strict=True)) > 0.01
        if not 0.2 <= gamma <= 5 or (abs(gamma / _SRGB_GAMMA - 1) < 0.05 and not is_far):
            return None
        return _profile_or_none(tuple(chromaticity[2:]), tuple(chromaticity[:2]), 1 / gamma)
    return _profile_or_none(*ADOBE_RGB) if _is_adobe_rgb(image) else None


@functools.lru_cache(maxsize=16)
def _profile_or_none(primaries: tuple[float, ...], white: tuple[float, float], exponent: float) -> bytes | None:
    try:
        return matrix_profile(primaries, white, exponent)
    except ValueError:
        return None


def _is_adobe_rgb(image: Image.Image) -> bool:
    """Tells whether the Exif data states Adobe RGB, as cameras do (DCF 2.0: an uncalibrated colour space and "R03")."""
    try:
        exif = image.getexif()
        space = exif.get_ifd(_EXIF_IFD).get(_COLOUR_SPACE)
        sign = exif.get_ifd(_INTEROP_IFD).get(1)
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, AttributeError, struct.error):
        return False
    return space == 2 or (space != 1 and str(sign).startswith("R03"))


def _xyz(x: float, y: float) -> np.ndarray:
    if not (y > 0 and math.isfinite(x)):
        raise ValueError("no chromaticity")
    return np.array([x / y, 1.0, (1 - x - y) / y])


def _adaptation(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Returns Bradford's matrix, which converts XYZ colours under one white to those under another."""
    cone = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    return np.linalg.inv(cone) @ np.diag((cone @ target) / (cone @ source)) @ cone


def _xyz_tag(values: Sequence[float] | np.ndarray) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(float(value) * 65_536)) for value in values)
