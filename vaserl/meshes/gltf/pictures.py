"""Decodes the pictures of a checked GLB to 8-bit RGB or RGBA."""

import io
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from vaserl.files.glb import GlbContent, UnsoundGlb, is_unread_image


class DecodedPictures:
    """The decoded pictures of a GLB, by texture; each image is decoded once."""

    def __init__(self, content: GlbContent) -> None:
        self._content = content
        self._decoded: dict[int, np.ndarray] = {}

    def of_texture(self, index: int) -> np.ndarray | None:
        """Returns a texture's picture, uint8 [H, W, 3 or 4], or None if the texture declares no image.

        A WebP of EXT_texture_webp takes precedence over the fallback. A KTX2 image of KHR_texture_basisu isn't read:
        its PNG or JPEG is.

        Raises: UnsoundGlb with the extension's name if all of the texture's images have a format that isn't read.
        """
        texture: Mapping[str, Any] = self._content.entry("textures", index)
        extensions = texture.get("extensions", {})
        webp = extensions.get("EXT_texture_webp", {}).get("source")
        sources = [source for source in (webp, texture.get("source")) if source is not None]
        for source in sources:
            if not self._is_unread(source):
                return self._decode(source)
        unread = sorted(extensions) or (["KTX2, AVIF or DDS images"] if sources else [])
        if unread:
            raise UnsoundGlb(
                f"needs {', '.join(unread)} for a texture, which isn't supported", "export textures as PNG or JPEG"
            )
        return None

    def _is_unread(self, source: int) -> bool:
        mime_type = self._content.entry("images", source).get("mimeType", "")
        return is_unread_image(self._content.image(source), mime_type)

    def _decode(self, source: int) -> np.ndarray:
        if source not in self._decoded:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # the size is limited, and damaged metadata is of no interest
                    with Image.open(
                        io.BytesIO(self._content.image(source)), formats=("PNG", "JPEG", "WEBP")
                    ) as picture:
                        self._decoded[source] = eight_bit_pixels(picture)
            except (OSError, ValueError, SyntaxError, IndexError, Image.DecompressionBombError) as error:
                raise UnsoundGlb("has a texture that can't be decoded") from error
        return self._decoded[source]


def eight_bit_pixels(picture: Image.Image) -> np.ndarray:
    """Returns a picture's pixels, uint8 [H, W, 3], or [H, W, 4] with its transparency.

    More than 8 bits are scaled by their range of 16 bits. Palettes are resolved and CMYK is converted to RGB, since its
    fourth channel would otherwise be taken for alpha. Embedded colour profiles are ignored, as glTF prescribes.
    """
    if picture.mode.startswith("I"):
        grey = np.clip(np.rint(np.asarray(picture, np.float64) / 257.0), 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    has_alpha = picture.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in picture.info
    return np.asarray(picture.convert("RGBA" if has_alpha else "RGB"))
