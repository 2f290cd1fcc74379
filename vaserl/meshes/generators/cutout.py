"""Cuts the vase out of its photograph, because generators expect an image without background."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vaserl.files.photograph import UnreadablePhotograph, read_photograph
from vaserl.meshes.generators.generator import LiftFailure
from vaserl.meshes.lathe import LatheError, segment

MAX_SIDE = 2000
"""Length in pixels to which the longer side of larger photographs is reduced; generators use about a thousand."""
SEGMENTED_SIDE = 448
"""Length in pixels to which the longer side of larger photographs is reduced for segmentation."""
PADDING = 0.1
"""White margin on each side, as a share of the longer side of the vase's bounding box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout:
    """A photograph and the mask of the vase in it."""

    photo: Image.Image
    """RGB, rotated by its EXIF orientation, at most `MAX_SIDE` pixels on its longer side."""
    mask: np.ndarray
    """bool [H, W] of the photograph's size, True on the vase and False in the gaps under handles."""

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
    """Returns the photograph rotated by its EXIF orientation and reduced to `MAX_SIDE`: RGBA if it has transparency,
    otherwise RGB.

    Raises: LiftFailure when it can't be read.
    """
    try:
        image = read_photograph(photo, keep_alpha=True)
    except UnreadablePhotograph as error:
        raise LiftFailure(str(error)) from error
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    return image


def cut_out(image: Image.Image) -> Cutout:
    """Returns the vase cut out by the lathe's segmentation, which needs a plain or transparent background.

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
