"""What objects do to the ground they stand on: contact shadows, cast shadows, reflections; and stands below them."""

import torch
from torch.nn import functional as F

from vaserl.synthetic.scenes.dice import Dice


def feet(alpha: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Returns x and y of the middle of each object's foot and half its width, in pixels, float [N, 1, 1, 1] each.

    alpha: [N, 1, S, S]. An empty picture's foot is at the lower edge.
    """
    num, side = len(alpha), alpha.shape[-1]
    axis = torch.arange(side, device=alpha.device, dtype=torch.float32)
    rows = (alpha.amax(3) > 0.5).float()[:, 0]  # [N, S]
    bottom = (rows * axis).amax(1)
    top = side - (rows * (side - axis)).amax(1)
    band = 0.03 * (bottom - top).clamp_min(8)
    near = (axis[None] > (bottom - band)[:, None]).float()[:, None, :, None]
    weight = (alpha * near).sum(2)[:, 0]  # [N, S] over columns
    total = weight.sum(1).clamp_min(1e-3)
    x = (weight * axis).sum(1) / total
    spread = ((weight * (axis[None] - x[:, None]) ** 2).sum(1) / total).clamp_min(1).sqrt()
    shape = (num, 1, 1, 1)
    return x.view(shape), (bottom + 1).view(shape), (1.6 * spread).view(shape)


def stand(ground: torch.Tensor, foot: tuple[torch.Tensor, ...], frames: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Returns grounds on which blocks, plinths and boards stand under the feet of the objects."""
    num, side = len(ground), ground.shape[-1]
    axis = torch.arange(side, device=dice.device, dtype=torch.float32) + 0.5
    px, py = axis[None, None, None, :], axis[None, None, :, None]
    x, y, half = foot
    wide = torch.maximum(half * torch.exp(dice.each(0.0, 1.3, num)), 0.06 * frames[:, 2, None, None, None])
    wide = wide + dice.flags(0.25, num) * side  # a shelf through the whole picture
    deep = wide.clamp_max(0.4 * side) * dice.each(0.03, 0.2, num)
    tall = torch.where(dice.each(0, 1, num) < 0.5, dice.each(0.01, 0.2, num), dice.each(0.2, 2.0, num)) * side
    edge = dice.each(0.4, 2.0, num)
    x = x + wide * dice.normal(0.05, num, 1, 1, 1)
    front = _step((wide - (px - x).abs()) / edge) * _step((py - y - 0.3 * deep) / edge) * _step((y + tall - py) / edge)
    round_top = _step((1 - torch.hypot((px - x) / wide, (py - y) / deep.clamp_min(1))) * deep / edge)
    tapered = wide - (y + deep - py).clamp_min(0) * dice.each(0.0, 1.0, num)
    flat_top = _step((tapered - (px - x).abs()) / edge) * _step((deep - (py - y).abs()) / edge)
    is_round = dice.flags(0.4, num)
    top = round_top * is_round + flat_top * (1 - is_round)
    tone = dice.each(0.02, 1.0, num) + dice.normal(0.04, num, 3, 1, 1)
    like = dice.flags(0.3, num)  # in the colour of the ground
    tone = (
        tone * (1 - like) + ground.mean((2, 3), keepdim=True) * like * torch.exp(dice.normal(0.2, num, 1, 1, 1))
    ).clamp(0, 1)
    shade = 1 + dice.normal(0.25, num, 1, 1, 1) * ((px - x) / wide).clamp(-1, 1)
    lighter = torch.exp(dice.normal(0.25, num, 1, 1, 1))
    ground = ground * (1 - front) + (tone * shade) * front
    return (ground * (1 - top) + tone * lighter * top).clamp(0, 1)


def shadows(alpha: torch.Tensor, foot: tuple[torch.Tensor, ...], stands: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Returns how much light reaches the ground beside the objects, float [N, 1, S, S] from 0 to 1.

    stands: 1 for an object that stands on its foot, 0 for one that lies on the ground or floats, float [N, 1, 1, 1].
    """
    num, side = len(alpha), alpha.shape[-1]
    axis = torch.arange(side, device=dice.device, dtype=torch.float32) + 0.5
    px, py = axis[None, None, None, :], axis[None, None, :, None]
    x, y, half = foot
    light = torch.ones_like(alpha)
    for spread, chance in ((0.25, 0.7), (1.0, 0.6)):  # a dark line at the foot, and a soft pool around it
        wide = half * (1 + dice.each(0.02, spread, num)) + 0.01 * side
        high = wide * dice.each(0.04, 0.3, num) + 1
        cx = x + half * dice.normal(0.3 * spread, num, 1, 1, 1)
        away = ((px - cx) / wide) ** 2 + ((py - y + 0.2 * high) / high) ** 2
        power = torch.exp(dice.each(-0.3, 1.0, num))
        light = light * (1 - dice.each(0.1, 0.8, num) * torch.exp(-(away**power)) * stands * dice.flags(chance, num))
    soft = _blurred(alpha, dice)
    # on the table: the outline leans back or towards the camera; on the wall, or under what lies: it is shifted
    for chance in (0.45, 0.2):
        lean = dice.normal(0.8, num, 1, 1, 1)
        squash = torch.where(dice.each(0, 1, num) < 0.6, dice.each(0.12, 0.6, num), -dice.each(0.1, 0.5, num))
        on_wall = torch.maximum(1 - stands, dice.flags(0.4, num))
        squash = squash * (1 - on_wall) + on_wall
        lean = lean * (1 - on_wall)
        dx, dy = (dice.normal(0.07, num, 1, 1, 1) * on_wall * side for _ in range(2))
        rise = (y - py) / squash  # height above the foot on the object
        sx = px - dx - lean * (y - py)
        sy = y - rise - dy
        grid = torch.cat(
            [(sx / side * 2 - 1).expand(num, 1, side, side), (sy / side * 2 - 1).expand(num, 1, side, side)], 1
        )
        cast = F.grid_sample(soft, grid.permute(0, 2, 3, 1), align_corners=False)
        fade = torch.exp(-dice.each(0.0, 2.5, num) * (y - py).abs() / side)
        light = light * (1 - dice.each(0.05, 0.65, num) * cast * fade * dice.flags(chance, num))
    return light


def mirrored_in_table(
    ground: torch.Tensor, colour: torch.Tensor, alpha: torch.Tensor, foot: tuple[torch.Tensor, ...], dice: Dice
) -> torch.Tensor:
    """Returns grounds in which the objects are mirrored below their feet, as on acrylic or polished wood."""
    num, side = len(ground), ground.shape[-1]
    axis = torch.arange(side, device=dice.device, dtype=torch.float32) + 0.5
    px, py = axis[None, None, None, :], axis[None, None, :, None]
    y = foot[1] - dice.each(0.0, 0.03, num) * side
    source = 2 * y - py
    grid = torch.cat(
        [(px / side * 2 - 1).expand(num, 1, side, side), (source / side * 2 - 1).expand(num, 1, side, side)], 1
    )
    both = F.grid_sample(torch.cat([colour * alpha, alpha], 1), grid.permute(0, 2, 3, 1), align_corners=False)
    fade = dice.each(0.1, 0.6, num) * torch.exp(-dice.each(0.5, 6.0, num) * (py - y).clamp_min(0) / side) * (py > y - 1)
    return ground * (1 - both[:, 3:] * fade) + both[:, :3] * fade


def _blurred(alpha: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Returns alpha blurred by a random width: a mixture of two neighbouring levels of a pyramid."""
    num, side = len(alpha), alpha.shape[-1]
    level = dice.each(0, 3, num)
    found, coarse = torch.zeros_like(alpha), F.avg_pool2d(alpha, 2)
    for k in range(4):
        image = F.interpolate(coarse, size=(side, side), mode="bilinear", align_corners=False)
        found = found + image * (1 - (level - k).abs()).clamp_min(0)
        coarse = F.avg_pool2d(coarse, 3, stride=2, padding=1, count_include_pad=False)
    return found


def _step(x: torch.Tensor) -> torch.Tensor:
    return (x + 0.5).clamp(0, 1)
