"""The camera and what happened to its picture later: colour, blur, sharpening, grain, monochrome, JPEG."""

import math

import torch
from torch.nn import functional as F

from vaserl.synthetic.scenes.dice import Dice

_LUMINANCE: tuple[tuple[float, ...], ...] = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
"""Quantisation of luminance at quality 50: annex K of the JPEG standard (ITU-T T.81)."""


def photographed(pictures: torch.Tensor, x: torch.Tensor, y: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Returns the pictures [N, 3, S, S] after exposure, development and storage; 8 bits, from 0 to 1.

    x [N, 1, 1, S] and y [N, 1, S, 1] are coordinates from 0 to 1 in the picture's frame.
    """
    num, side = len(pictures), pictures.shape[-1]
    corner = ((x - 0.5) ** 2 + (y - 0.5) ** 2) * dice.normal(0.35, num, 1, 1, 1) * dice.flags(0.4, num)
    pictures = pictures * torch.exp(-corner)
    pictures = _blurred(pictures, dice)
    cast = 1 + dice.normal(0.06, num, 3, 1, 1) * dice.flags(0.6, num)
    pictures = pictures * cast * torch.exp(dice.normal(0.12, num, 1, 1, 1))
    contrast = torch.exp(dice.normal(0.15, num, 1, 1, 1))
    pictures = ((pictures - 0.5) * contrast + 0.5).clamp(1e-3, 1) ** torch.exp(dice.normal(0.2, num, 1, 1, 1))
    mono = dice.flags(0.16, num)
    grey = (pictures * dice.constant((0.3, 0.59, 0.11))).sum(1, keepdim=True)
    sepia = dice.constant((1.08, 1.0, 0.84)) ** (dice.each(0, 1.2, num) * dice.flags(0.4, num))
    pictures = pictures * (1 - mono) + (grey * sepia) * mono
    strength = torch.exp(dice.each(-7.0, -2.9, num)) * dice.flags(0.7, num)
    pictures = pictures + strength * dice.normal(1.0, num, 3, side, side)
    who = dice.some(0.45, num)
    if len(who):
        pictures = pictures.index_copy(0, who, stored_as_jpeg(pictures[who].clamp(0, 1), dice))
    return (pictures.clamp(0, 1) * 255).round() / 255


def stored_as_jpeg(pictures: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Returns pictures [N, 3, S, S] after JPEG's quantisation at random qualities; S is a multiple of 16."""
    num, side = len(pictures), pictures.shape[-1]
    red, green, blue = pictures.unbind(1)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    chroma = F.avg_pool2d(torch.stack([0.564 * (blue - luma), 0.713 * (red - luma)], 1), 2)
    quality = dice.uniform(25, 95, num)
    factor = torch.where(quality < 50, 50 / quality, 2 - quality / 50).clamp_min(0.02)
    table = dice.constant(sum(_LUMINANCE, ())).reshape(8, 8) / 255
    luma = _quantised(luma[:, None] - 0.5, table * factor[:, None, None, None, None, None])[:, 0] + 0.5
    chroma = _quantised(chroma, (table * 1.4).clamp_max(99 / 255) * factor[:, None, None, None, None, None])
    cb, cr = F.interpolate(chroma, size=(side, side), mode="bilinear", align_corners=False).unbind(1)
    red, blue = luma + cr / 0.713, luma + cb / 0.564
    return torch.stack([red, (luma - 0.299 * red - 0.114 * blue) / 0.587, blue], 1)


def _quantised(planes: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """Returns planes [N, C, S, S] whose 8 x 8 cosine transforms are multiples of steps [N, 1, 1, 1, 8, 8]."""
    num, channels, side, _ = planes.shape
    padded = F.pad(planes, [0, -side % 8, 0, -side % 8], mode="replicate")
    rows = padded.shape[-1] // 8
    blocks = padded.reshape(num, channels, rows, 8, rows, 8).transpose(3, 4)
    k = torch.arange(8, dtype=torch.float32, device=planes.device)
    basis = torch.cos((2 * k[None] + 1) * k[:, None] * math.pi / 16) / 2
    basis[0] = math.sqrt(1 / 8)
    found = basis @ blocks @ basis.T
    found = basis.T @ ((found / steps).round() * steps) @ basis
    return found.transpose(3, 4).reshape(padded.shape)[..., :side, :side]


def _blurred(pictures: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Blurs some pictures and sharpens others, with halos, as reduced museum photographs often are."""
    num = len(pictures)
    sigma = torch.exp(dice.each(-1.2, 0.5, num))
    taps = torch.arange(-3, 4, device=dice.device, dtype=torch.float32)
    kernel = torch.exp(-0.5 * (taps[None] / sigma[:, 0, 0]) ** 2)
    kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, 0)
    side = pictures.shape[-1]
    flat = F.pad(pictures.reshape(1, num * 3, side, side), [3, 3, 3, 3], mode="replicate")
    flat = F.conv2d(flat, kernel[:, None, None, :], groups=num * 3)
    flat = F.conv2d(flat, kernel[:, None, :, None], groups=num * 3)
    soft = flat.reshape(num, 3, side, side)
    kind = dice.each(0, 1, num)
    amount = torch.where(
        kind < 0.3, -torch.ones_like(kind), torch.where(kind < 0.65, dice.each(0.2, 1.5, num), torch.zeros_like(kind))
    )
    return (pictures + amount * (pictures - soft)).clamp(0, 1.5)
