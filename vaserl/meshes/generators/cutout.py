"""A photograph -> the vase alone, as generators want to see it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from vaserl.files.photograph import UnreadablePhotograph, read_photograph
from vaserl.meshes.generators.generator import LiftFailure
from vaserl.meshes.lathe.failure import LatheError
from vaserl.meshes.lathe.segment import segment

MAX_SIDE = 2000
"""Larger photographs are reduced; the generators see a thousand pixels at most."""
SEGMENTED_SIDE = 448
"""The outline is found in a copy whose longer side has at most this many pixels."""
PADDING = 0.1
"""White around the vase, as a share of its longer side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout:
    """A vase cut out of its photograph."""

    photo: Image.Image
    """RGB, upright, at most `MAX_SIDE` on its longer side."""
    mask: np.ndarray
    """bool [H, W] of the photograph's size: the vase, gaps under handles left out."""

    def on_white(self) -> Image.Image:
        """RGB, square: the vase in the middle of white."""
        rows, columns = np.nonzero(self.mask)
        pixels = np.where(self.mask[..., None], np.asarray(self.photo), 255).astype(np.uint8)
        cut = pixels[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        side = round(max(cut.shape[:2]) * (1 + 2 * PADDING))
        canvas = np.full((side, side, 3), 255, np.uint8)
        top, left = (side - cut.shape[0]) // 2, (side - cut.shape[1]) // 2
        canvas[top : top + cut.shape[0], left : left + cut.shape[1]] = cut
        return Image.fromarray(canvas)

    def transparent(self) -> Image.Image:
        """RGBA: the photograph, see-through where the vase isn't."""
        alpha = Image.fromarray((self.mask * 255).astype(np.uint8))
        rgba = self.photo.copy()
        rgba.putalpha(alpha)
        return rgba


def read_for_generator(photo: Path) -> Image.Image:
    """The photograph upright and at most `MAX_SIDE` large, RGBA where it is transparent. Raises: LiftFailure."""
    try:
        image = read_photograph(photo, keep_alpha=True)
    except UnreadablePhotograph as error:
        raise LiftFailure(str(error)) from error
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    return image


def cut_out(image: Image.Image) -> Cutout:
    """The vase by our own segmentation, which wants a plain background or transparency. Raises: LiftFailure."""
    small = image.copy()
    small.thumbnail((SEGMENTED_SIDE, SEGMENTED_SIDE))
    try:
        mask = segment(np.asarray(small))
    except LatheError as error:
        raise LiftFailure(str(error)) from error
    large = Image.fromarray((mask * 255).astype(np.uint8)).resize(image.size, Image.Resampling.BILINEAR)
    return Cutout(photo=image.convert("RGB"), mask=np.asarray(large) > 127)
