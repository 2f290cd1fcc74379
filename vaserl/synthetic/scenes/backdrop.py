"""Backdrops: sweeps and tables with a horizon, walls, gradients, glow behind the vase, cloth, clutter, plain ones."""

import torch
from torch.nn import functional as F

from vaserl.synthetic.scenes.dice import Dice


def frame_coordinates(frames: torch.Tensor, side: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Returns x and y of each pixel, from 0 to 1 in the picture's frame, and whether it lies in the frame.

    frames: left, top, width, height in pixels, float [N, 4]. Returns: x [N, 1, 1, S], y [N, 1, S, 1], inside
    [N, 1, S, S] of 0 and 1.
    """
    axis = torch.arange(side, device=frames.device, dtype=torch.float32) + 0.5
    left, top, width, height = (frames[:, k, None, None, None] for k in range(4))
    x, y = (axis[None, None, None, :] - left) / width, (axis[None, None, :, None] - top) / height
    return x, y, ((x > 0) & (x < 1) & (y > 0) & (y < 1)).float()


def backdrops(x: torch.Tensor, y: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Returns random backdrops, float [N, 3, S, S] from 0 to 1.

    x [N, 1, 1, S] and y [N, 1, S, 1] are coordinates from 0 to 1 in the picture's frame.
    """
    num, side = len(x), x.shape[-1]
    wall = _tones(num, dice)
    table = wall * torch.exp(dice.normal(0.35, num, 1, 1, 1)) * (1 + dice.normal(0.03, num, 3, 1, 1))
    other = dice.flags(0.2, num)
    table = table * (1 - other) + _tones(num, dice) * other
    softness = torch.exp(dice.each(-6.0, -1.3, num))
    horizon = dice.each(0.5, 1.02, num) + dice.normal(0.02, num, 1, 1, 1) * (x - 0.5)
    share = torch.sigmoid((y - horizon) / softness) * dice.flags(0.6, num)
    ground = wall * (1 - share) + table * share
    slope = dice.normal(0.25, num, 1, 1, 1) * (x - 0.5) + dice.normal(0.35, num, 1, 1, 1) * (y - 0.5)
    ground = ground * torch.exp(slope * dice.flags(0.7, num))
    for chance, low, high in ((0.55, 0.12, 0.7), (0.25, 0.05, 0.3)):
        cx, cy = 0.5 + dice.normal(0.2, num, 1, 1, 1), 0.45 + dice.normal(0.25, num, 1, 1, 1)
        wide, tall = dice.each(low, high, num), dice.each(low, high, num)
        glow = torch.exp(-(((x - cx) / wide) ** 2) - ((y - cy) / tall) ** 2)
        ground = ground * torch.exp(dice.normal(0.3, num, 1, 1, 1) * glow * dice.flags(chance, num))
    ground = ground.expand(num, 3, side, side)
    grain = dice.each(0.0, 0.03, num) * dice.noise(num, 1, side // 3, side) + dice.each(0.0, 0.05, num) * dice.noise(
        num, 1, 9, side
    )
    ground = ground * (1 + grain * dice.flags(0.5, num))
    for share_of, paint in ((0.06, _clutter), (0.05, _leaves), (0.05, _facets), (0.04, _bricks), (0.03, _boards)):
        who = dice.some(share_of, num)
        if len(who):
            wall = 1 - share[who] * dice.flags(0.4, len(who))  # above a plain table, or everywhere
            ground = ground.index_copy(0, who, ground[who] * (1 - wall) + paint(ground[who], dice) * wall)
    who = dice.some(0.06, num)  # out of focus
    if len(who):
        coarse = F.avg_pool2d(F.avg_pool2d(ground[who], 8), 3, 1, 1, count_include_pad=False)
        soft = F.interpolate(coarse, size=(side, side), mode="bilinear", align_corners=False)
        ground = ground.index_copy(0, who, soft)
    return ground.clamp(0, 1)


def _tones(num: int, dice: Dice) -> torch.Tensor:
    """Returns colours of grounds, float [num, 3, 1, 1]: half of them grey, others white, black or coloured."""
    kind = dice.uniform(0, 1, num, 1, 1, 1)
    grey = dice.each(0.12, 0.92, num) + dice.normal(0.012, num, 3, 1, 1)
    white = dice.each(0.88, 1.02, num) + dice.normal(0.01, num, 3, 1, 1)
    black = dice.each(0.0, 0.12, num) + dice.normal(0.008, num, 3, 1, 1)
    colour = dice.each(0.1, 0.9, num) + dice.normal(0.18, num, 3, 1, 1)
    clay = dice.constant((0.7, 0.48, 0.33)) * torch.exp(dice.normal(0.3, num, 1, 1, 1)) + dice.normal(
        0.04, num, 3, 1, 1
    )
    tone = torch.where(kind < 0.5, grey, torch.where(kind < 0.66, white, torch.where(kind < 0.77, black, colour)))
    return torch.where(kind > 0.94, clay, tone).clamp(0, 1)


def _clutter(ground: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Covers grounds with coloured noise of all scales, as cloth, stone or leaves."""
    num, side = len(ground), ground.shape[-1]
    field = torch.zeros_like(ground)
    for cells in (4, 9, 20, 45):
        field = field + dice.each(0.0, 1.0, num) * dice.noise(num, 3, cells, side)
    grey = field.mean(1, keepdim=True)
    dull = dice.each(0.0, 1.0, num)
    return ground * torch.exp(dice.each(0.1, 0.6, num) * (field * (1 - dull) + grey * dull))


def _leaves(ground: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Covers grounds with leaves, grass, gravel or bark: sharp bright specks on dark, longer in one direction."""
    num, side = len(ground), ground.shape[-1]
    long = dice.host.choice([1, 1, 4])
    tones = dice.uniform(0.0, 1.0, 4, num, 1, 1, 1) * dice.constant((0.75, 0.8, 0.45)) + dice.normal(
        0.06, 4, num, 3, 1, 1
    )
    found = tones[0] * 0.4
    for k, cells in enumerate((14, 26, 48), 1):
        across, down = (cells, cells // long) if dice.host.random() < 0.7 else (cells // long, cells)
        coarse = dice.normal(1.0, num, 2, down, across)
        field = F.interpolate(coarse, size=(side, side), mode="bicubic", align_corners=False)
        speck = ((field[:, :1] - dice.each(-0.2, 0.8, num)) * torch.exp(dice.each(0.5, 2.5, num))).clamp(0, 1)
        found = found * (1 - speck) + tones[k] * (1 + 0.35 * field[:, 1:]) * speck
    return found.clamp(0, 1)


def _bricks(ground: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Covers grounds with bricks, tiles, shelves or planks: cells of varied tones with joints between them."""
    num, side = len(ground), ground.shape[-1]
    axis = torch.linspace(0, 1, side, device=dice.device)
    rows = torch.exp(dice.each(0.7, 3.0, num))
    columns = rows * torch.exp(dice.each(-1.5, 0.5, num))
    down = axis[None, None, :, None] * rows + dice.each(0, 1, num)
    across = axis[None, None, None, :] * columns + down.floor() * 0.5 * dice.flags(0.7, num) + dice.each(0, 1, num)
    number = down.floor() * 12.99 + across.floor() * 78.23
    hashed = torch.sin(number) * 43.7  # a number for each cell without a pattern that one sees
    hashed = hashed - hashed.floor()
    gap = dice.each(0.02, 0.2, num)
    mortar = torch.maximum((down % 1 < gap).float(), (across % 1 < gap * columns / rows).float())
    tones = _tones(2 * num, dice)
    cell = tones[:num] * (1 + dice.each(0.05, 0.6, num) * (hashed - 0.5) + 0.08 * dice.noise(num, 1, 50, side))
    return cell * (1 - mortar) + tones[num:] * mortar


def _facets(ground: torch.Tensor, dice: Dice, num_facets: int = 9) -> torch.Tensor:
    """Divides grounds into flat coloured areas with straight borders, as rooms and shelves."""
    num, side = len(ground), ground.shape[-1]
    axis = torch.linspace(0, 1, side, device=dice.device)
    nearest = torch.full((num, side, side), 1e9, device=dice.device)
    colour = torch.zeros_like(ground)
    stretch = torch.exp(dice.normal(0.8, num, 1, 1))
    for _ in range(num_facets):
        px, py = dice.uniform(-0.1, 1.1, num, 1, 1), dice.uniform(-0.1, 1.1, num, 1, 1)
        away = (axis[None, None, :] - px).abs() * stretch + (axis[None, :, None] - py).abs() / stretch
        closer = (away < nearest)[:, None]
        colour = torch.where(closer, _tones(num, dice), colour)
        nearest = torch.minimum(nearest, away)
    blend = dice.each(0.4, 1.0, num)
    return ground * (1 - blend) + colour * blend


def _boards(ground: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Covers grounds with parallel bars or lines, as boards, blinds and woven cloth."""
    num, side = len(ground), ground.shape[-1]
    axis = torch.linspace(-1, 1, side, device=dice.device)
    turn = dice.each(0, 3.14, num) * dice.flags(0.5, num) + 1.57 * dice.flags(0.5, num)
    along = torch.cos(turn) * axis[None, None, None, :] + torch.sin(turn) * axis[None, None, :, None]
    wave = torch.sin(along * torch.exp(dice.each(1.5, 4.2, num)) + dice.each(0, 6, num))
    sharp = torch.tanh(wave * torch.exp(dice.each(0, 2.5, num)))
    return ground * torch.exp(dice.each(0.05, 0.4, num) * sharp)
