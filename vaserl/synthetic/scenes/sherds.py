"""Breaks placed objects: of each, one or several sherds are left, with worn outlines and pale broken edges."""

import torch
from torch.nn import functional as F

from vaserl.synthetic.scenes.dice import Dice
from vaserl.synthetic.scenes.placing import Placed

_MOST_PIECES = 7
_CORNERS = 9


def break_up(placed: Placed, numbers: torch.Tensor, frames: torch.Tensor, dice: Dice) -> Placed:
    """Returns `placed` with the objects of its pictures `numbers` [K] broken: only sherds of them are left.

    frames: left, top, width, height of all pictures in pixels, float [N, 4].
    """
    if not len(numbers):
        return placed
    num, side = len(numbers), placed.alpha.shape[-1]
    frame = frames[numbers]
    # one sherd in 60 % of the pictures, otherwise up to _MOST_PIECES, mostly few
    more = dice.uniform(-1.5, 1, num).clamp_min(0)
    pieces = 1 + (more * more * _MOST_PIECES).ceil()
    face = torch.zeros(num, 1, side, side, device=dice.device)
    depth = torch.full_like(face, -1.0)
    columns = torch.where(pieces > 4, 3.0, torch.where(pieces > 1, 2.0, 1.0))
    rows = (pieces / columns).ceil()
    cell = frame[:, 2:] / torch.stack([columns, rows], 1)
    thick = dice.uniform(0.0, 0.12, num, 2) * torch.sign(dice.normal(1, num, 2))
    single = (pieces == 1).float()
    worn = 0.018 * dice.noise(num, 2, 24, side) + 0.008 * dice.noise(num, 2, 56, side)
    for k in range(1 + _MOST_PIECES):
        at = torch.stack([k % columns + 0.5, (k / columns).floor() + 0.5], 1)
        centre = frame[:, :2] + cell * (at + dice.uniform(-0.05, 0.05, num, 2) * (1 - single[:, None]))
        fill = torch.maximum(dice.uniform(0.3, 0.48, num), single * dice.uniform(0.38, 0.5, num))
        # some as long as their cell, some as wide as high
        reach = torch.where(dice.uniform(0, 1, num, 1) < 0.65, cell, cell.amin(1, keepdim=True)) * fill[:, None]
        here = (k < pieces).float()[:, None, None, None]
        deep = _polygon(centre, reach, worn, dice)
        piece = _covered(deep, reach, side) * here
        face = torch.maximum(face, piece)
        depth = torch.maximum(depth, torch.where(here > 0, deep, -1.0))
    inside = torch.maximum(face, _shifted(face, (thick * cell / side).clamp(-0.2, 0.2)))
    alpha = placed.alpha[numbers] * inside
    clay = dice.constant((0.74, 0.56, 0.42)) * torch.exp(dice.normal(0.2, num, 1, 1, 1)) + dice.normal(
        0.07, num, 3, 1, 1
    )
    # the broken edge is seen along parts of the outline, as broad as the wall is thick
    band = dice.each(0.0, 0.3, num) * (dice.noise(num, 1, 5, side) - dice.each(-0.6, 1.6, num)).clamp(0, 1)
    edge = ((band - depth) * 30).clamp(0, 1) * dice.flags(0.7, num)
    bare = (dice.noise(num, 1, 6, side) > dice.each(0.8, 2.5, num)).float()
    core = torch.maximum(torch.maximum(1 - face, bare), edge)
    grain = 1 + 0.12 * dice.noise(num, 1, 40, side)
    painted = placed.albedo[numbers]
    within = dice.flags(0.3, num)  # the inner side: one dark tone, or clay
    dark = dice.each(0.04, 0.2, num) + dice.normal(0.02, num, 3, 1, 1)
    tone = torch.where(dice.each(0, 1, num) < 0.65, dark, clay * 0.8) * (
        1 + dice.each(0, 0.12, num) * dice.noise(num, 1, 9, side)
    )
    painted = painted * (1 - within) + tone * within
    albedo = (painted * (1 - core) + core * clay * grain).clamp(0, 1)
    tilt = torch.cat([dice.normal(0.25, num, 2, 1, 1), torch.ones(num, 1, 1, 1, device=dice.device)], 1)
    flat = dice.each(0.4, 0.97, num)
    bumps = dice.each(0.03, 0.2, num) * dice.noise(num, 3, 14, side)
    normal = F.normalize(
        placed.normal[numbers] * (1 - flat) + flat * tilt + bumps + 0.5 * core * (inside - face), dim=1
    )
    openness = placed.openness[numbers] * 0.2 + 0.8
    return Placed(
        albedo=placed.albedo.index_copy(0, numbers, albedo),
        normal=placed.normal.index_copy(0, numbers, normal),
        openness=placed.openness.index_copy(0, numbers, openness),
        alpha=placed.alpha.index_copy(0, numbers, alpha),
    )


def _polygon(centre: torch.Tensor, reach: torch.Tensor, worn: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Returns how far each pixel lies within a random star-shaped polygon, in units of its reach, float [N, 1, S, S].

    Negative outside. The polygons are of all kinds between stars, discs and boxes. centre: [N, 2] in pixels; reach:
    half width and half height of the largest possible polygon, [N, 2] in pixels. worn: what shifts each pixel, in
    units of reach, [N, 2, S, S].
    """
    num, side = len(centre), worn.shape[-1]
    axis = torch.arange(side, device=dice.device) + 0.5
    x = (axis[None, None, :] - centre[:, 0, None, None]) / reach[:, 0, None, None] + worn[:, 0]
    y = (axis[None, :, None] - centre[:, 1, None, None]) / reach[:, 1, None, None] + worn[:, 1]
    gaps = dice.uniform(0.15, 1.6, num, _CORNERS)  # small gaps make one corner of two
    angles = torch.cumsum(gaps / gaps.sum(1, keepdim=True), 1) * (2 * torch.pi) + dice.uniform(0, 6.28, num, 1)
    uneven = dice.uniform(0.05, 0.6, num, 1)
    far = 1 - uneven * dice.uniform(0, 1, num, _CORNERS) ** 2
    turned = angles - dice.normal(0.12, num, 1)
    box = 1 / torch.maximum(turned.cos().abs(), turned.sin().abs())  # from 1 to the root of 2
    far = far * box ** (dice.uniform(-0.5, 1.0, num, 1).clamp_min(0))
    px, py = far * torch.cos(angles), far * torch.sin(angles)
    ax, ay = px[:, :, None, None], py[:, :, None, None]
    bx, by = ax.roll(-1, 1), ay.roll(-1, 1)
    x, y = x[:, None], y[:, None]
    # inside one of the triangles (centre, a, b): left of all its three sides
    edge = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) / torch.hypot(bx - ax, by - ay)
    between = (ax * y >= ay * x) & (bx * y < by * x)
    return torch.where(between, edge, -1.0).amax(1, keepdim=True)


def _covered(depth: torch.Tensor, reach: torch.Tensor, side: int) -> torch.Tensor:
    softness = (side / reach.amin(1) * 0.012)[:, None, None, None]
    return (depth / softness + 0.5).clamp(0, 1)


def _shifted(mask: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
    """Returns masks shifted by `shift` [N, 2], in half canvases."""
    warp = torch.zeros(len(mask), 2, 3, device=mask.device)
    warp[:, 0, 0] = warp[:, 1, 1] = 1
    warp[:, :, 2] = -shift
    return F.grid_sample(mask, F.affine_grid(warp, list(mask.shape), align_corners=False), align_corners=False)
