"""Puts foregrounds onto canvases: samples their pixels, merges several objects, repeats them in rows."""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from vaserl.synthetic.scenes.bank import ForegroundBank
from vaserl.synthetic.scenes.dice import Dice
from vaserl.synthetic.scenes.layout import Objects


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Unlit objects on the canvases of N pictures."""

    albedo: torch.Tensor
    """Float [N, 3, S, S] from 0 to 1."""
    normal: torch.Tensor
    """Unit normals: x to the right, y up, z to the camera, float [N, 3, S, S]."""
    openness: torch.Tensor
    """Share of the sky that is seen, float [N, 1, S, S]."""
    alpha: torch.Tensor
    """Share of the pixel that is covered, float [N, 1, S, S]."""


def place(bank: ForegroundBank, objects: Objects, dice: Dice, side: int) -> Placed:
    """Returns one object on each canvas."""
    pixels = bank.pixels[dice.to_device(objects.foregrounds)].to(torch.float32) / 255
    # a bilinear sample of a much larger picture would alias; those are halved first
    coarse = F.avg_pool2d(pixels, 2)
    grid = F.affine_grid(dice.to_device(objects.warps), [len(pixels), 7, side, side], align_corners=False)
    small = dice.to_device(objects.shrinks < 0.55)[:, None, None, None]
    sampled = torch.where(small, _sample(coarse, grid), _sample(pixels, grid))
    x, y = (sampled[:, 3:5] * (255 / 127) - 128 / 127).unbind(1)
    x = x * dice.to_device(objects.flips)[:, None, None]
    turn = dice.to_device(objects.turns)[:, None, None]
    cos, sin = torch.cos(turn), torch.sin(turn)
    x, y = cos * x + sin * y, cos * y - sin * x
    z = (1 - x * x - y * y).clamp_min(0.0025).sqrt()
    normal = F.normalize(torch.stack([x, y, z], 1), dim=1)
    return Placed(albedo=sampled[:, :3], normal=normal, openness=sampled[:, 5:6], alpha=sampled[:, 6:])


def _sample(pixels: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
    """Samples colours beyond the picture's edge by repeating the edge, alpha by zero."""
    colours = F.grid_sample(pixels[:, :6], grid, padding_mode="border", align_corners=False)
    alpha = F.grid_sample(pixels[:, 6:], grid, padding_mode="zeros", align_corners=False)
    return torch.cat([colours, alpha], 1)


def merge(front: Placed, back: Placed, numbers: torch.Tensor) -> Placed:
    """Returns `back` with the objects of `front` before those of its pictures `numbers` [K]."""
    a = front.alpha

    def over(name: str) -> torch.Tensor:
        whole = getattr(back, name)
        return whole.index_copy(0, numbers, getattr(front, name) * a + whole[numbers] * (1 - a))

    alpha = back.alpha.index_copy(0, numbers, a + back.alpha[numbers] * (1 - a))
    normal = F.normalize(over("normal"), dim=1)
    return Placed(albedo=over("albedo"), normal=normal, openness=over("openness"), alpha=alpha)


def crowd(placed: Placed, numbers: torch.Tensor, frames: torch.Tensor, dice: Dice) -> Placed:
    """Returns `placed` with what its pictures `numbers` [K] show repeated in rows, one row before the other.

    frames: left, top, width, height of all pictures in pixels, float [N, 4].
    """
    if not len(numbers):
        return placed
    num, side = len(numbers), placed.alpha.shape[-1]
    layers = torch.cat([placed.albedo, placed.normal, placed.openness, placed.alpha], 1)[numbers]
    layers = F.avg_pool2d(layers, 2)  # every copy is smaller than the original
    left, top, width, height = (frames[numbers][:, k, None, None] for k in range(4))
    axis = torch.arange(side, device=dice.device, dtype=torch.float32) + 0.5
    x, y = (axis[None, None, :] - left) / width, (axis[None, :, None] - top) / height
    columns, rows = dice.uniform(1.0, 3.5, num, 1, 1), dice.uniform(1.2, 4.0, num, 1, 1)
    stagger, begin = dice.uniform(0, 1, num, 1, 1), dice.uniform(0, 1, num, 1, 1)
    found = torch.zeros(num, 8, side, side, device=dice.device)
    for half in (0.0, 0.5):
        down = y * rows + begin + half
        across = x * columns + stagger * (down.floor() * 0.63 + half)
        column = left + width * (across - across.floor())
        row = top + height * (down - down.floor())
        grid = torch.stack([column.expand(num, side, side), row.expand(num, side, side)], 3) / side * 2 - 1
        front = F.grid_sample(layers, grid, align_corners=False)
        found = front * front[:, 7:] + found * (1 - front[:, 7:])
    # premultiplied layers are divided by what covers; where nothing does, they don't matter
    alpha = found[:, 7:]
    found = found / alpha.clamp_min(1e-3)
    return Placed(
        albedo=placed.albedo.index_copy(0, numbers, found[:, :3].clamp(0, 1)),
        normal=placed.normal.index_copy(0, numbers, F.normalize(found[:, 3:6], dim=1)),
        openness=placed.openness.index_copy(0, numbers, found[:, 6:7].clamp(0, 1)),
        alpha=placed.alpha.index_copy(0, numbers, alpha.clamp(0, 1)),
    )
