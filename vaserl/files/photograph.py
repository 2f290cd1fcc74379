"""Reads untrusted photographs.

Only four image formats are accepted, and the number of pixels is limited. The image is rotated by its EXIF orientation,
and transparent parts become white.
"""

import io
import warnings
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from vaserl.files.storage import is_url, read_bytes

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"})
MAX_PIXELS = 50_000_000
"""Largest number of pixels of a photograph. An image with more pixels according to its header is rejected undecoded."""


class UnreadablePhotograph(Exception):
    """Error for a file that can't be used as a photograph. The message is the reason and doesn't contain the path."""


def read_photograph(
    source: Path | str | bytes, shorter_side: int | None = None, keep_alpha: bool = False
) -> Image.Image:
    """Returns the photograph as an RGB image, rotated by its EXIF orientation; transparent parts become white.

    `source` is a path, a URL that fsspec supports, or the content of an image file. If `shorter_side` is given, a JPEG
    may be decoded at a reduced size, with at least that many pixels on its shorter side. If `keep_alpha` is true, an
    image with transparency is returned as RGBA instead.

    Raises: UnreadablePhotograph if the photograph can't be decoded or is too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            if isinstance(source, str) and is_url(source):
                source = read_bytes(source)
            stream = io.BytesIO(source) if isinstance(source, bytes) else source
            with Image.open(stream, formats=FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise UnreadablePhotograph(f"{width} x {height} pixels; at most {MAX_PIXELS:,} are read")
                if shorter_side:
                    image.draft("RGB", (shorter_side, shorter_side))
                return _converted(ImageOps.exif_transpose(image), keep_alpha)
    except UnidentifiedImageError:
        raise UnreadablePhotograph(f"not an image in one of the formats {', '.join(FORMATS)}") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):  # Pillow's own limits, above ours
        raise UnreadablePhotograph(f"more than {MAX_PIXELS:,} pixels") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        if isinstance(error, OSError) and error.strerror:  # from the operating system, not from a decoder
            raise UnreadablePhotograph(f"can't be read: {error.strerror}") from error
        # the other errors of Pillow's decoders for damaged files; SyntaxError comes from broken PNG chunks
        raise UnreadablePhotograph(f"can't be decoded ({type(error).__name__}: {error})") from error


def _converted(image: Image.Image, keep_alpha: bool) -> Image.Image:
    if image.mode not in ("RGBA", "LA", "PA") and "transparency" not in image.info:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    if keep_alpha:
        return rgba
    ground = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(ground, rgba).convert("RGB")
