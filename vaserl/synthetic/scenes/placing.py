"""Puts foregrounds onto canvases: samples their pixels, merges several objects, breaks sherds out of them."""

from dataclasses import dataclass

import torch
from torch.nn import functional as F

from vaserl.synthetic.scenes.bank import ForegroundBank
from vaserl.synthetic.scenes.dice import Dice
from vaserl.synthetic.scenes.layout import Objects

_MOST_PIECES = 8


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


def break_up(placed: Placed, numbers: torch.Tensor, frames: torch.Tensor, dice: Dice) -> Placed:
    """Returns `placed` with the objects of its pictures `numbers` [K] broken: only sherds of them are left.

    frames: left, top, width, height of all pictures in pixels, float [N, 4].
    """
    if not len(numbers):
        return placed
    num, side = len(numbers), placed.alpha.shape[-1]
    frame = frames[numbers]
    pieces = 1 + torch.where(dice.uniform(0, 1, num) < 0.55, 0, 1) * (dice.uniform(0, 1, num) * _MOST_PIECES).floor()
    inside = torch.zeros(num, 1, side, side, device=dice.device)
    face = torch.zeros_like(inside)
    columns = torch.where(pieces > 2, 3.0, torch.where(pieces > 1, 2.0, 1.0))
    rows = (pieces / columns).ceil()
    thick = dice.uniform(0.0, 0.09, num, 2) * torch.sign(dice.normal(1, num, 2))
    for k in range(1 + _MOST_PIECES):
        cell_x = (k % columns + 0.5) / columns + dice.uniform(-0.06, 0.06, num) / columns
        cell_y = ((k / columns).floor() + 0.5) / rows
        radius = torch.minimum(frame[:, 2] / columns, frame[:, 3] / rows) * dice.uniform(0.28, 0.5, num)
        centre = frame[:, :2] + frame[:, 2:] * torch.stack([cell_x, cell_y], 1)
        polygon = _polygon(centre, radius, dice, side)
        here = (k < pieces).float()[:, None, None, None]
        shift = (thick * radius[:, None] * 2 / side).clamp(-0.2, 0.2)
        inside = torch.maximum(inside, here * torch.maximum(polygon, _shifted(polygon, shift)))
        face = torch.maximum(face, here * polygon)
    alpha = placed.alpha[numbers] * inside
    clay = dice.constant((0.72, 0.52, 0.38)) + dice.normal(0.08, num, 3, 1, 1)
    bare = (dice.noise(num, 1, 6, side) > dice.each(0.8, 2.5, num)).float()
    core = torch.maximum(1 - face, bare)
    grain = 1 + 0.12 * dice.noise(num, 1, 40, side)
    albedo = placed.albedo[numbers] * (1 - core) + core * (clay * grain).clamp(0, 1)
    tilt = torch.cat([dice.normal(0.25, num, 2, 1, 1), torch.ones(num, 1, 1, 1, device=dice.device)], 1)
    flat = dice.each(0.2, 0.9, num)
    bumps = 0.15 * dice.noise(num, 3, 12, side)
    normal = F.normalize(
        placed.normal[numbers] * (1 - flat) + flat * tilt + bumps + 0.5 * core * (inside - face), dim=1
    )
    openness = placed.openness[numbers] * 0.3 + 0.7
    return Placed(
        albedo=placed.albedo.index_copy(0, numbers, albedo),
        normal=placed.normal.index_copy(0, numbers, normal),
        openness=placed.openness.index_copy(0, numbers, openness),
        alpha=placed.alpha.index_copy(0, numbers, alpha),
    )


def _polygon(centre: torch.Tensor, radius: torch.Tensor, dice: Dice, side: int, corners: int = 7) -> torch.Tensor:
    """Returns the masks of random star-shaped polygons with worn edges, float [N, 1, S, S].

    centre: [N, 2] in pixels; radius: [N] in pixels.
    """
    num = len(centre)
    axis = torch.arange(side, device=dice.device) + 0.5
    worn = 0.04 * dice.noise(num, 2, 24, side)
    x = (axis[None, None, :] - centre[:, 0, None, None]) / radius[:, None, None] + worn[:, 0]
    y = (axis[None, :, None] - centre[:, 1, None, None]) / radius[:, None, None] + worn[:, 1]
    gaps = dice.uniform(0.5, 1.6, num, corners)
    angles = torch.cumsum(gaps / gaps.sum(1, keepdim=True), 1) * (2 * torch.pi) + dice.uniform(0, 6.28, num, 1)
    reach = dice.uniform(0.45, 1.0, num, corners)
    px, py = reach * torch.cos(angles), reach * torch.sin(angles)
    softness = (side / radius * 0.012)[:, None, None, None]
    ax, ay = px[:, :, None, None], py[:, :, None, None]
    bx, by = ax.roll(-1, 1), ay.roll(-1, 1)
    x, y = x[:, None], y[:, None]
    # inside one of the triangles (centre, a, b): left of all its three sides
    edge = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / torch.hypot(bx - ax, by - ay)
    triangles = (edge / softness + 0.5).clamp(0, 1) * (ax * y >= ay * x) * (bx * y < by * x)
    return triangles.amax(1, keepdim=True)


def _shifted(mask: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Returns masks shifted by `shift` [N, 2], in half canvases."""
    warp = torch.zeros(len(mask), 2, 3, device=mask.device)
    warp[:, 0, 0] = warp[:, 1, 1] = 1
    warp[:, :, 2] = -shift
    return F.grid_sample(mask, F.affine_grid(warp, list(mask.shape), align_corners=False), align_corners=False)
