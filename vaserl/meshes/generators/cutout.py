"""Cuts the vase out of its photograph, because generators expect an image without background."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vaserl.files.photograph import UnreadablePhotograph, read_photograph
from vaserl.meshes.generators.generator import LiftFailure
from vaserl.meshes.lathe import LatheError, segment

MAX_SIDE = 2000
"""Largest length in pixels of a photograph's longer side; larger photographs are reduced. Generators use images of
about a thousand pixels."""
SEGMENTED_SIDE = 448
"""Largest length in pixels of a photograph's longer side for segmentation; larger photographs are reduced."""
PADDING = 0.1
"""White margin on each side, as a share of the longer side of the vase's bounding box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout:
    """A photograph and the mask of the vase in it."""

    photo: Image.Image
    """RGB photograph, rotated as its EXIF orientation specifies, at most `MAX_SIDE` pixels on its longer side."""
    mask: np.ndarray
    """bool [H, W] mask of the photograph's size: True on the vase; False on the background and in gaps under
    handles."""

    def on_white(self) -> Image.Image:
        """Returns a square RGB image with the vase in the middle of a white background."""
        rows, columns = np.nonzero(self.mask)
        pixels = np.where(self.mask[..., None], np.asarray(self.photo), 255).astype(np.uint8)
        cut = pixels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        side = round(max(cut.shape[:2]) * (1 + 2 * PADDING))
        canvas = np.full((side, side, 3), 255, np.uint8)
        top, left = (side - cut.shape[0]) // 2, (side - cut.shape[1]) // 2
        canvas[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
        return Image.fromarray(canvas)

    def transparent(self) -> Image.Image:
        """Returns the photograph as RGBA, transparent outside the vase."""
        alpha = Image.fromarray((self.mask * 255).astype(np.uint8))
        rgba = self.photo.copy()
        rgba.putalpha(alpha)
        return rgba


def read_for_generator(photo: Path) -> Image.Image:
    """Returns the photograph, rotated as its EXIF orientation specifies and reduced to at most `MAX_SIDE` pixels.

    The image is RGBA if the photograph has transparency, otherwise RGB.

    Raises: LiftFailure when the photograph can't be read.
    """
    try:
        image = read_photograph(photo, keep_alpha=True)
    except UnreadablePhotograph as error:
        raise LiftFailure(str(error)) from error
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    return image


def cut_out(image: Image.Image) -> Cutout:
    """Returns the photograph with the vase's mask, found by the lathe's segmentation.

    The segmentation needs a plain or transparent background.

    Raises: LiftFailure when the segmentation fails.
    """
    small = image.copy()
    small.thumbnail((SEGMENTED_SIDE, SEGMENTED_SIDE))
    try:
        mask = segment(np.asarray(small))
    except LatheError as error:
        raise LiftFailure(str(error)) from error
    large = Image.fromarray((mask * 255).astype(np.uint8)).resize(image.size, Image.Resampling.BILINEAR)
    return Cutout(photo=image.convert("RGB"), mask=np.asarray(large) > 127)
