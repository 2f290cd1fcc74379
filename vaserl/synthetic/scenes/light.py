"""Lights placed objects: soft lamps, the room's reflection in glossy slip, and the objects' own variety of colour."""

import torch

from vaserl.synthetic.scenes.dice import Dice
from vaserl.synthetic.scenes.placing import Placed

_NUM_BOXES = 3


def recoloured(placed: Placed, dice: Dice) -> torch.Tensor:
    """Returns the objects' colours varied, float [N, 3, S, S]: tinted, paled, blackened, inverted, with fillings."""
    albedo = placed.albedo
    num, side = len(albedo), albedo.shape[-1]
    lightness = albedo.mean(1, keepdim=True)
    faded = dice.each(0.0, 0.6, num) * dice.flags(0.4, num)
    albedo = albedo * (1 - faded) + lightness * faded
    albedo = albedo * (1 + dice.normal(0.1, num, 3, 1, 1)) * torch.exp(dice.normal(0.18, num, 1, 1, 1))
    inverted = dice.flags(0.04, num)
    albedo = albedo * (1 - inverted) + (1 - albedo) * inverted
    pale = dice.each(0.3, 0.95, num) * dice.flags(0.1, num)
    cream = dice.constant((0.92, 0.88, 0.8)) + dice.normal(0.04, num, 3, 1, 1)
    albedo = albedo * (1 - pale) + cream * pale
    slip = dice.each(0.3, 0.95, num) * dice.flags(0.14, num)
    black = dice.constant((0.11, 0.1, 0.095)) + dice.normal(0.03, num, 3, 1, 1)
    albedo = albedo * (1 - slip) + black * slip
    who = dice.some(0.22, num)  # fillings of plaster in one tone
    if len(who):
        field = dice.noise(len(who), 1, 5, side) + 0.15 * dice.noise(len(who), 1, 30, side)
        filled = (field > dice.each(0.4, 1.6, len(who))).float()
        grey = dice.each(0.08, 0.85, len(who)) + dice.normal(0.03, len(who), 3, 1, 1)
        albedo = albedo.index_copy(0, who, albedo[who] * (1 - filled) + grey * filled)
    mottled = (
        1
        + dice.each(0.0, 0.12, num) * dice.noise(num, 1, 10, side)
        + dice.each(0, 0.08, num) * dice.noise(num, 1, 56, side)
    )
    return (albedo * mottled).clamp(0.01, 1)


def figured(albedo: torch.Tensor, numbers: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Returns colours [N, 3, S, S] in which the pictures `numbers` [K] have sharp figures with fine lines in them.

    A rendered texture is blurred where the camera comes close; photographs of details are not.
    """
    if not len(numbers):
        return albedo
    num, side = len(numbers), albedo.shape[-1]
    cells = int(dice.host.choice([4, 6, 9, 14]))
    field = dice.noise(num, 1, cells, side) + 0.5 * dice.noise(num, 1, 2 * cells, side)
    figure = ((field - dice.each(-0.6, 1.2, num)) * 12).clamp(0, 1)
    folds = dice.noise(num, 1, 3 * cells, side).abs() * 14
    lines = (1 - (folds - dice.each(0.0, 1.2, num)).clamp(0, 1)) * figure
    clay, slip = dice.constant((0.78, 0.5, 0.3)), dice.constant((0.12, 0.1, 0.09))
    light = (clay * torch.exp(dice.normal(0.25, num, 1, 1, 1)) + dice.normal(0.05, num, 3, 1, 1)).clamp(0, 1)
    dark = (slip * torch.exp(dice.normal(0.4, num, 1, 1, 1)) + dice.normal(0.02, num, 3, 1, 1)).clamp(0, 1)
    swapped = dice.flags(0.35, num)  # black figures on clay
    inner, ground = light * (1 - swapped) + dark * swapped, dark * (1 - swapped) + light * swapped
    share = figure * (1 - lines)
    own = dice.flags(0.5, num)  # the figures lie on the object's own colours
    below = ground * (1 - own) + albedo[numbers] * own
    return albedo.index_copy(0, numbers, (inner * share + below * (1 - share)).clamp(0.01, 1))


def lit(placed: Placed, albedo: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Returns the objects under random lamps, float [N, 3, S, S], without noise."""
    num = len(albedo)
    normal = placed.normal
    nx, ny, nz = normal[:, 0:1], normal[:, 1:2], normal[:, 2:3]
    tint = 1 + dice.normal(0.02, num, 3, 1, 1)
    light = dice.each(0.25, 1.0, num) + dice.each(0.0, 0.5, num) * (0.5 + 0.5 * ny)
    for strength in (1.6, 0.9):
        azimuth, elevation = dice.each(-1.4, 1.4, num), dice.each(-0.1, 1.4, num)
        x, y, z = torch.sin(azimuth) * elevation.cos(), elevation.sin(), torch.cos(azimuth) * elevation.cos()
        cosine = nx * x + ny * y + nz * z
        wrap = dice.each(0.0, 0.7, num)  # a large lamp reaches around the object
        light = light + dice.each(0.0, strength, num) * ((cosine + wrap) / (1 + wrap)).clamp_min(0)
    light = light * placed.openness ** dice.each(0.4, 1.6, num)
    flat = dice.flags(0.07, num)  # drawn, or lit from everywhere
    light = light * (1 - flat) + flat
    weight = placed.alpha
    mean = (light * weight).sum((1, 2, 3), keepdim=True) / weight.sum((1, 2, 3), keepdim=True).clamp_min(1)
    exposure = torch.exp(dice.normal(0.3, num, 1, 1, 1))
    linear = albedo**2 * tint * light / mean.clamp_min(0.05) * exposure
    return (linear + _reflected(placed, albedo, dice) * (1 - flat)).clamp(0, 4).sqrt().clamp(0, 1)


def _reflected(placed: Placed, albedo: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Returns what the surface mirrors: windows, softboxes and the room; dark slip mirrors more than clay."""
    num = len(albedo)
    nx, ny, nz = (placed.normal[:, k : k + 1] for k in range(3))
    rx, ry, rz = 2 * nz * nx, 2 * nz * ny, 2 * nz * nz - 1
    found = torch.zeros_like(nx)
    for _ in range(_NUM_BOXES):
        cx, cy = dice.each(-1.0, 1.0, num), dice.each(-0.4, 1.0, num)
        half_x, half_y = dice.each(0.03, 0.35, num), dice.each(0.05, 0.6, num)
        edge = torch.exp(dice.each(-4.5, -1.0, num))
        box = torch.sigmoid((half_x - (rx - cx).abs()) / edge) * torch.sigmoid((half_y - (ry - cy).abs()) / edge)
        found = found + box * (rz > -0.3) * dice.each(0.0, 0.8, num) * dice.flags(0.45, num)
    room = dice.each(0.0, 0.1, num) * (0.5 + 0.5 * ry) + dice.each(0.0, 0.35, num) * (1 - nz) ** 3
    darkness = (1 - albedo.mean(1, keepdim=True)) ** 2
    gloss = dice.each(0.0, 0.2, num) + dice.each(0.0, 0.8, num) * darkness
    uneven = (1 + 0.5 * dice.noise(num, 1, 20, nx.shape[-1])).clamp_min(0)
    return gloss * dice.flags(0.75, num) * (found * uneven + room) * placed.openness
