"""Photographs of vases with a known profile, drawn by projecting each horizontal circle of the vase to an ellipse."""

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from vaserl.meshes.lathe import LatheResult, lathe

SIDE = 224
HEIGHT = 150.0
"""Height of the vase in pixels, before foreshortening."""
CLAY, SLIP, PAPER = (196, 98, 48), (28, 24, 26), (238, 238, 236)


def amphora(z: np.ndarray) -> np.ndarray:
    """Returns the radius at heights z from 0 to 1: 0.14 at the foot, 0.3 at half height, 0.12 at the neck, 0.17 at the
    lip."""
    knots = [0.0, 0.06, 0.12, 0.3, 0.5, 0.68, 0.8, 0.9, 0.96, 1.0]
    return np.interp(z, knots, [0.14, 0.14, 0.16, 0.26, 0.3, 0.25, 0.14, 0.12, 0.165, 0.17])


def seen_mask(
    radius: Callable[[np.ndarray], np.ndarray] = amphora,
    *,
    view_deg: tuple[float, float] = (1.0, 12.0),
    tilt_deg: float = 0.0,
    side: int = SIDE,
    height: float = HEIGHT,
    shift: float = 0.0,
) -> np.ndarray:
    """Returns the vase's mask, bool [side, side]. Every circle is an ellipse; `view_deg` gives the angles from above at
    which the camera sees the circles of lip and foot."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    angle = np.radians(tilt_deg)
    across = (x - shift) * np.cos(angle) + y * np.sin(angle)
    up = (x - shift) * np.sin(angle) - y * np.cos(angle)
    mask = np.zeros((side, side), bool)
    for z in np.linspace(0, 1, 800):
        r, centre = float(radius(np.array(z))) * height, centre_of(z, view_deg) * height
        high = max(r * abs(flatness(z, view_deg)), 0.5)
        # the ellipse lies within these rows
        middle, reach = (side - 1) / 2 - centre * np.cos(angle), high + r * abs(np.sin(angle)) + 1
        rows = slice(max(int(middle - reach), 0), max(int(middle + reach) + 2, 0))
        mask[rows] |= (across[rows] / r) ** 2 + ((up[rows] - centre) / high) ** 2 <= 1
    return mask


def flatness(z: float, view_deg: tuple[float, float]) -> float:
    """Returns the ratio of height to width of the ellipse to which the circle at height z projects."""
    lip, foot = np.sin(np.radians(view_deg))
    return float(foot + z * (lip - foot))


def centre_of(z: float, view_deg: tuple[float, float]) -> float:
    """Returns how far above the image's middle the centre of the circle at height z appears, in heights of the vase."""
    return float((z - 0.5) * np.cos(np.radians(sum(view_deg) / 2)))


def with_handles(mask: np.ndarray, sides: tuple[int, ...] = (-1, 1)) -> np.ndarray:
    """Returns the mask with upright handles from neck to shoulder, 10 pixels thick, with a gap between handle and
    body."""
    image = Image.fromarray((mask * 255).astype(np.uint8))
    draw, middle = ImageDraw.Draw(image), (mask.shape[1] - 1) / 2
    for side in sides:
        xs = middle + side * HEIGHT * np.array([0.09, 0.20, 0.30, 0.34, 0.33, 0.26])
        ys = (mask.shape[0] - 1) / 2 - HEIGHT * (np.array([0.86, 0.90, 0.88, 0.80, 0.70, 0.60]) - 0.5)
        draw.line(list(zip(xs.tolist(), ys.tolist(), strict=True)), fill=255, width=10, joint="curve")
    return np.asarray(image) > 0


def photograph(
    mask: np.ndarray, *, clay: tuple[int, int, int] = SLIP, paper: tuple[int, int, int] = PAPER
) -> np.ndarray:
    """Returns a photograph of the mask in flat colours with noise, uint8 [height, width, 3]."""
    photo = np.where(mask[..., None], np.array(clay), np.array(paper)).astype(np.float64)
    return (photo + np.random.default_rng(0).normal(0, 1.5, photo.shape)).clip(0, 255).astype(np.uint8)


def lit_photograph(mask: np.ndarray, clay: tuple[int, int, int] = CLAY) -> np.ndarray:
    """Returns a photograph of the mask as a vase that is lit from the left, on a grey sweep, uint8 [height, width, 3].

    The cut-out network takes the flat one of `photograph` for a drawing.
    """
    height, width = mask.shape
    y, x = np.mgrid[:height, :width]
    rows = np.flatnonzero(mask.any(axis=1))
    left, right = mask.argmax(axis=1), width - 1 - mask[:, ::-1].argmax(axis=1)
    across = ((x - (left + right)[:, None] / 2) / np.maximum((right - left)[:, None] / 2, 1)).clip(-1, 1)
    shade = 0.35 + 0.75 * np.clip(0.5 * np.sqrt(1 - across**2) - 0.45 * across, 0, 1)
    vase = np.array(clay) * shade[..., None]
    below = np.exp(-(((y - rows[-1]) / (0.03 * height)) ** 2) - ((x - width / 2) / (0.2 * width)) ** 2)
    paper = np.array((150, 150, 154)) * (1.15 - 0.35 * y / height - 0.4 * below)[..., None]
    photo = np.where(mask[..., None], vase, paper) + np.random.default_rng(0).normal(0, 1.5, (height, width, 1))
    return photo.clip(0, 255).astype(np.uint8)


def lathe_of(
    mask: np.ndarray, *, clay: tuple[int, int, int] = SLIP, paper: tuple[int, int, int] = PAPER, **options: Any
) -> LatheResult:
    """Returns the lathe's result of the mask's photograph and the mask."""
    return lathe(photograph(mask, clay=clay, paper=paper), mask, **options)


def departure(profile: np.ndarray, radius: Callable[[np.ndarray], np.ndarray] = amphora) -> float:
    """Returns the largest difference between the radii of profile and vase, in heights of the vase, ends excluded."""
    z = np.linspace(0.03, 0.97, 95)
    return float(np.abs(np.interp(z, profile[:, 1], profile[:, 0]) - radius(z)).max())
