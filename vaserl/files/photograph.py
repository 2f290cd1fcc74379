"""Reading photographs that strangers made: few formats, bounded size, upright, on white."""

import io
import warnings
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from vaserl.files.storage import is_url, read_bytes

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff"})
MAX_PIXELS = 50_000_000
"""A header that claims more is refused before anything is decoded."""


class UnreadablePhotograph(Exception):
    """The file can't be used as a photograph; the message says why, without the path."""


def read_photograph(
    source: Path | str | bytes, shorter_side: int | None = None, keep_alpha: bool = False
) -> Image.Image:
    """The photograph in RGB, turned upright by its EXIF tag and, where it is transparent, laid on white.

    `source` is a path, a URL that fsspec reads, or the file's content.

    `shorter_side` lets a JPEG be decoded at a fraction of its size, never below that many pixels. With `keep_alpha` a
    transparent one stays RGBA.

    Raises: UnreadablePhotograph.
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
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):  # Pillow's limits, which lie above ours
        raise UnreadablePhotograph(f"more than {MAX_PIXELS:,} pixels") from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        if isinstance(error, OSError) and error.strerror:  # the system's, not a decoder's
            raise UnreadablePhotograph(f"can't be read: {error.strerror}") from error
        # what Pillow's decoders raise for damaged files; SyntaxError comes from broken PNG chunks
        raise UnreadablePhotograph(f"can't be decoded ({type(error).__name__}: {error})") from error


def _converted(image: Image.Image, keep_alpha: bool) -> Image.Image:
    if image.mode not in ("RGBA", "LA", "PA") and "transparency" not in image.info:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    if keep_alpha:
        return rgba
    ground = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(ground, rgba).convert("RGB")
