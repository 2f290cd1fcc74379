"""One picture of a reconstruction to look at: photograph, cut-out, profile and model side by side."""

import numpy as np
from PIL import Image, ImageDraw

from vaserl.meshes.lathe.result import LatheResult

_PAPER = (255, 255, 255)
_INK = (40, 40, 40)
_DIMMED = 0.25
"""Share of a pixel's own colour that is left outside the mask; the rest is `_VEIL`."""
_VEIL = (70, 130, 180)
_MARGIN = 0.06


def reconstruction_sheet(photo: np.ndarray, result: LatheResult, frames: np.ndarray) -> np.ndarray:
    """Returns photograph, cut-out, profile and frames in a row, uint8 [S, (3 + F) S, 3].

    photo: the photograph of which `result` states the mask, uint8 [H, W, 3]. frames: renders of the model, uint8
    [F, S, S, 3].
    """
    side = frames.shape[1]
    mask = np.asarray(Image.fromarray(result.mask).resize(photo.shape[1::-1], Image.Resampling.NEAREST))
    veiled = _DIMMED * photo + (1 - _DIMMED) * np.array(_VEIL)
    cut = np.where(mask[..., None], photo, veiled).astype(np.uint8)
    tiles = [_fitted(photo, side), _fitted(cut, side), _profile(result, side), *frames]
    return np.concatenate(tiles, axis=1)


def _fitted(picture: np.ndarray, side: int) -> np.ndarray:
    image = Image.fromarray(picture)
    image.thumbnail((side, side))
    tile = Image.new("RGB", (side, side), _PAPER)
    tile.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return np.asarray(tile)


def _profile(result: LatheResult, side: int) -> np.ndarray:
    """Draws the profile on both sides of the axis, and the middle lines of the handles."""
    curves = [tube.curve[:, :2] for tube in result.tubes]
    reach = max([float(result.profile[:, 0].max()), *(float(np.abs(curve[:, 0]).max()) for curve in curves)])
    top = max([1.0, *(float(curve[:, 1].max()) for curve in curves)])
    scale = side * (1 - 2 * _MARGIN) / max(2 * reach, top)

    def at(points: np.ndarray) -> list[tuple[float, float]]:
        return [(side / 2 + x * scale, side / 2 + (top / 2 - y) * scale) for x, y in points.tolist()]

    tile = Image.new("RGB", (side, side), _PAPER)
    draw = ImageDraw.Draw(tile)
    outline = np.concatenate([result.profile * [-1, 1], result.profile[::-1]])
    draw.polygon(at(outline), outline=_INK, width=max(1, side // 160))
    for curve in curves:
        draw.line(at(curve), fill=_INK, width=max(1, side // 160), joint="curve")
    return np.asarray(tile)
