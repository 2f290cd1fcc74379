"""Reads untrusted photographs: the only place where the program decodes a picture that it did not write.

Only four kinds of pictures are accepted, and the number of pixels is limited. The image is rotated by its EXIF
orientation, reduced to 8 bits a channel, converted to sRGB, and transparent parts become white. Pillow's plugins are
called directly: `Image.open` has a pixel limit for the whole process, which nothing here could raise or lower safely.
"""

import io
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from PIL import Image, ImageOps
from PIL.JpegImagePlugin import jpeg_factory
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from vaserl.files.colour_profile import in_srgb
from vaserl.files.picture_kind import SNIFFED_BYTES, kind_of, why_unread
from vaserl.files.pixel_limit import MAX_PIXELS
from vaserl.files.sample_depth import ShallowPicture, is_deep, with_eight_bits
from vaserl.files.storage import is_url, open_file, read_bytes

MAX_PAGES = 32
"""Number of pages of a TIFF file among which the photograph is looked for."""

_OPENERS: dict[str, Callable[[IO[bytes]], Image.Image]] = {
    "JPEG": jpeg_factory,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "TIFF": TiffImageFile,
}
_COLOURS = ("icc_profile", "gamma", "chromaticity", "srgb", "exif")
"""Keys of Pillow's `info` that state what a picture's colours mean."""
_LIMIT = "VASERL_MAX_PIXELS"
"""Environment variable with the pixel limit, which started processes inherit."""
_NUM_ZEROS = 64
_SUBFILE, _SUB_FILES, _DNG_VERSION = 254, 330, 50_706
"""Numbers of TIFF tags."""
_REDUCED, _MASK = 1, 4
"""Bits of the TIFF tag that says what a page is: a smaller copy of another page, a transparency mask."""


_logger = logging.getLogger(__name__)


class UnreadablePhotograph(Exception):
    """Error for a file that can't be used as a photograph. The message is the reason. It contains neither the path nor
    the text of another error, so it is the same in each run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedPhotograph:
    """A decoded photograph, and what its file doesn't say clearly."""

    image: Image.Image
    """The photograph as RGB, or as RGBA if asked for and the file has transparency."""
    notes: tuple[str, ...] = ()
    """What was assumed or left out while the file was read, such as a damaged colour profile; each is a sentence
    without a full stop."""


def use_pixel_limit(max_pixels: int) -> None:
    """Sets the pixel limit of `read_photograph` in this process and in processes that it starts."""
    os.environ[_LIMIT] = str(max_pixels)


def pixel_limit() -> int:
    """Returns the pixel limit that `use_pixel_limit` has set in this process or in the one that started it."""
    return int(os.environ.get(_LIMIT, MAX_PIXELS))


def pixel_limit_environment() -> dict[str, str]:
    """Returns the environment variable by which another process gets the pixel limit of this process."""
    return {_LIMIT: str(pixel_limit())}


def is_plain_picture(content: bytes) -> bool:
    """Tells from its header whether a file is a JPEG, PNG or WebP in RGB or grey with 8 bits and without transparency,
    which any program shows."""
    kind = kind_of(content)
    if kind not in ("JPEG", "PNG", "WebP"):
        return False
    try:
        with _OPENERS[kind](io.BytesIO(content)) as image:
            return image.mode in ("RGB", "L") and "transparency" not in image.info
    except Exception:  # on damaged files, Pillow's plugins raise errors of many types
        return False


def read_photograph(
    source: Path | str | bytes, shorter_side: int | None = None, keep_alpha: bool = False
) -> Image.Image:
    """Returns the photograph as an RGB image in sRGB, rotated by its EXIF orientation, without the notes of
    `decode_photograph`, whose arguments and errors it has."""
    return decode_photograph(source, shorter_side, keep_alpha).image


def decode_photograph(
    source: Path | str | bytes, shorter_side: int | None = None, keep_alpha: bool = False
) -> DecodedPhotograph:
    """Returns the photograph as an RGB image in sRGB, rotated by its EXIF orientation; transparent parts become white.

    `source` is a path, a URL that fsspec supports, or the content of an image file. If `shorter_side` is given, a JPEG
    may be decoded at a reduced size, with at least that many pixels on its shorter side. If `keep_alpha` is true, an
    image with transparency is returned as RGBA instead. A JPEG with up to four times the pixel limit is decoded at half
    its width and height. Of several pages, the one with the most pixels is used.

    Raises: UnreadablePhotograph if the photograph can't be decoded or is too large.
    """
    try:
        stream = _opened(source)
    except OSError as error:
        raise UnreadablePhotograph(f"can't be read: {error.strerror or type(error).__name__}") from error
    try:
        with stream:
            return _decoded(stream, shorter_side, keep_alpha)
    except (UnreadablePhotograph, MemoryError):
        raise
    except Image.DecompressionBombError:  # Pillow's own limit, for the tiles of a TIFF file and for WebP
        raise UnreadablePhotograph(f"more than {pixel_limit():,} pixels{_way_out()}") from None
    except ShallowPicture as error:
        raise UnreadablePhotograph(str(error)) from None
    except Exception as error:  # on damaged files, Pillow's decoders raise errors of many types
        if isinstance(error, OSError) and error.strerror:  # from the operating system, not from a decoder
            raise UnreadablePhotograph(f"can't be read: {error.strerror}") from error
        cut = isinstance(error, EOFError) or "truncated" in str(error).lower()
        raise UnreadablePhotograph(f"can't be decoded: the file is {'incomplete' if cut else 'damaged'}") from error


def _opened(source: Path | str | bytes) -> IO[bytes]:
    if isinstance(source, str) and is_url(source):
        source = read_bytes(source)  # at once, because decoders seek back and forth
    return io.BytesIO(source) if isinstance(source, bytes) else open_file(str(source))


def _decoded(stream: IO[bytes], shorter_side: int | None, keep_alpha: bool) -> DecodedPhotograph:
    kind = kind_of(stream.read(SNIFFED_BYTES))
    stream.seek(0)
    if kind not in _OPENERS:
        raise UnreadablePhotograph(why_unread(kind))
    try:
        image = _OPENERS[kind](stream)
    except SyntaxError:
        raise UnreadablePhotograph(f"can't be decoded: a damaged {kind} file, or one of a rare sort") from None
    with image:
        notes = [_on_largest_page(image), _within_limit(image, shorter_side)]
        was_deep = is_deep(image)
        image.load()
        if kind == "JPEG" and _ends_in_zeros(stream):
            raise UnreadablePhotograph("can't be decoded: the file is incomplete")
        _turn_upright(image)
        shallow, depth_note = with_eight_bits(image, was_deep)
        coloured, colour_note = in_srgb(_plain(shallow))
        notes += [depth_note, colour_note]
        photograph = _on_white(coloured, keep_alpha)
    return DecodedPhotograph(image=photograph, notes=tuple(filter(None, notes)))


def _on_largest_page(image: Image.Image) -> str:
    """Goes to the page with the most pixels of a TIFF file. Returns: a note if there are several pages, else "".

    Raises: UnreadablePhotograph for an animation, and for a camera's raw file, whose page is only a preview.
    """
    if isinstance(image, WebPImageFile | PngImageFile):
        if getattr(image, "is_animated", False):
            raise UnreadablePhotograph("an animation, not a photograph; save one of its frames as a file")
        return ""
    if not isinstance(image, TiffImageFile):
        return ""
    sizes: dict[int, int] = {}
    for number in range(MAX_PAGES):
        try:
            image.seek(number)
        except EOFError:
            break
        except (SyntaxError, OSError, ValueError, KeyError, TypeError):  # a page that Pillow can't decode
            continue
        if not int(image.tag_v2.get(_SUBFILE, 0)) & _MASK:
            sizes[number] = image.width * image.height
    if not sizes:
        raise UnreadablePhotograph("can't be decoded: a TIFF file without a picture")
    best = max(sizes, key=lambda number: (sizes[number], -number))
    image.seek(best)
    is_preview = int(image.tag_v2.get(_SUBFILE, 0)) & _REDUCED and _SUB_FILES in image.tag_v2
    if is_preview or _DNG_VERSION in image.tag_v2:
        raise UnreadablePhotograph(why_unread("camera raw"))
    return f"page {best + 1} of {len(sizes)} is used, the largest" if len(sizes) > 1 else ""


def _within_limit(image: Image.Image, shorter_side: int | None) -> str:
    """Asks the decoder for a smaller picture where one suffices. Returns: a note if the picture is larger than the
    limit, else "".

    Raises: UnreadablePhotograph if the picture is too large and can't be decoded at half its width and height.
    """
    (width, height), limit = image.size, pixel_limit()
    if width * height <= limit:
        if shorter_side:
            image.draft("RGB", (shorter_side, shorter_side))
        return ""
    sizes = f"{width} x {height} pixels; at most {limit:,} are read"
    if image.format not in ("JPEG", "MPO"):
        raise UnreadablePhotograph(f"{sizes}{_way_out()}")
    half = ((width + 1) // 2, (height + 1) // 2)
    if half[0] * half[1] > limit:
        raise UnreadablePhotograph(f"{sizes}, and four times as many of a JPEG{_way_out()}")
    side = min(width // 2, height // 2, shorter_side or width)
    image.draft("RGB", (side, side))
    return f"of {width} x {height} pixels, which are more than {limit:,}, it is decoded at half its width and height"


def _way_out() -> str:
    return "; raise source.max_pixels (vaserl lathe and caption: --max-pixels), or reduce the file"


def _ends_in_zeros(stream: IO[bytes]) -> bool:
    """Tells whether zeros stand in place of a JPEG's end, as after a broken download; they decode to grey."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(size - _NUM_ZEROS, 0))
    if stream.read().strip(b"\0"):
        return False
    stream.seek(0)
    content = stream.read()
    return content.rfind(b"\xff\xd9") < content.rfind(b"\xff\xda")  # the end of a picture, the start of its pixels


def _turn_upright(image: Image.Image) -> None:
    """Rotates the decoded picture by its EXIF orientation, in place, unless the Exif data is damaged."""
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except MemoryError:
        raise
    except Exception:  # Pillow parses Exif data only now, and raises errors of many types
        _logger.debug("damaged Exif data: the orientation is ignored")


def _plain(image: Image.Image) -> Image.Image:
    """Returns the picture as L, LA, RGB, RGBA, CMYK or LAB; palettes, bits and transparent colours are resolved."""
    transparent = image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info
    grey = image.mode in ("1", "L", "LA", "La")
    if image.mode in ("CMYK", "LAB"):
        return image
    mode = ("LA" if grey else "RGBA") if transparent else ("L" if grey else "RGB")
    if image.mode == mode:
        return image
    plain = image.convert("RGBA").convert(mode) if transparent else image.convert(mode)
    plain.info = {name: image.info[name] for name in _COLOURS if name in image.info}
    return plain


def _on_white(image: Image.Image, keep_alpha: bool) -> Image.Image:
    """Returns the picture as RGB, or as RGBA if `keep_alpha` is true and parts of it are transparent.

    Raises: UnreadablePhotograph if every pixel is transparent.
    """
    if image.mode not in ("RGBA", "LA"):
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    least, most = rgba.getchannel("A").getextrema()
    if most == 0:
        raise UnreadablePhotograph("every pixel is transparent, so nothing is to be seen")
    if least == 255:  # an opaque alpha channel states nothing
        return rgba.convert("RGB")
    if keep_alpha:
        return rgba
    ground = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(ground, rgba).convert("RGB")
