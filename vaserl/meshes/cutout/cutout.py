"""A photograph and the mask of the vase in it: what every way of cutting out returns."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image

PADDING = 0.1
"""White margin on each side, as a share of the longer side of the vase's bounding box."""


class CutoutError(Exception):
    """Error for a photograph from which no vase can be cut out; the message is the reason, the same in each run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cutout:
    """A photograph and the mask of the vase in it."""

    photo: Image.Image
    """RGB photograph, rotated as its EXIF orientation specifies."""
    mask: np.ndarray
    """bool [H, W] mask of the photograph's size: True on the vase; False on the background and in gaps under
    handles."""
    source: str = "mask"
    """Where the mask comes from: "alpha" (the photograph's transparency), "mask" (a given mask), "network", or the path
    of a neural cut-out."""
    views: Mapping[str, float] | None = None
    """Probability of each of `views.VIEWS`; None if the mask is given or from the photograph's transparency."""

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
