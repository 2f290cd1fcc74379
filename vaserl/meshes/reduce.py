"""Reduces pictures by area averaging."""

import numpy as np
from PIL import Image


def reduced(picture: np.ndarray, longer_side: int) -> np.ndarray:
    """Returns a picture, uint8 [H, W] or [H, W, C], reduced until its longer side has `longer_side` pixels; the same
    picture if it is no larger."""
    scale = longer_side / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX))


def reduced_mask(mask: np.ndarray, longer_side: int) -> np.ndarray:
    """Returns a mask, bool [H, W], reduced like `reduced`: a pixel is True if at least half of its area is."""
    return reduced(np.where(mask, 255, 0).astype(np.uint8), longer_side) >= 128
