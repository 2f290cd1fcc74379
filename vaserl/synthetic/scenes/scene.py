"""Composes batches of photographs with the truth: the vase's mask, and what the picture shows."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional as F

from vaserl.synthetic.scenes.backdrop import backdrops, frame_coordinates
from vaserl.synthetic.scenes.bank import ForegroundBank
from vaserl.synthetic.scenes.dice import Dice
from vaserl.synthetic.scenes.layout import SceneLayout, sample_layout
from vaserl.synthetic.scenes.lens import photographed
from vaserl.synthetic.scenes.light import figured, lit, recoloured
from vaserl.synthetic.scenes.page import line_drawings, on_pages
from vaserl.synthetic.scenes.placing import Placed, crowd, merge, place
from vaserl.synthetic.scenes.props import Props
from vaserl.synthetic.scenes.shadow import feet, mirrored_in_table, shadows, stand
from vaserl.synthetic.scenes.sherds import break_up


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenePictures:
    """A batch of B composed photographs on square canvases of S pixels, with the truth."""

    pixels: torch.Tensor
    """Colours from 0 to 1, 0 outside the frame, float32 [B, 3, S, S]."""
    inside: torch.Tensor
    """1 in the photograph, 0 in the padding around it, float32 [B, 1, S, S]."""
    mask: torch.Tensor
    """Share of each pixel that shows a vase or a sherd, float32 [B, 1, S, S]."""
    counts: torch.Tensor
    """1 where the mask is to be learned, 0 in the padding and where it is a matter of opinion, float32 [B, 1, S, S]."""
    views: torch.Tensor
    """Index of each picture's view in `VIEWS`, int64 [B]."""
    scenes: np.ndarray
    """Name of each picture's scene, one of `layout.SCENES`, str [B]."""


@torch.no_grad()
def compose(bank: ForegroundBank, props: Props, dice: Dice, num: int, side: int) -> ScenePictures:
    """Composes `num` photographs on canvases of `side` pixels, a multiple of 32."""
    layout = sample_layout(bank, dice.host, num, side)
    frames = dice.to_device(layout.frames)
    x, y, inside = frame_coordinates(frames, side)
    placed = _objects(bank, layout, frames, dice, side)
    foot = feet(placed.alpha)
    ground = _ground(x, y, layout, frames, props, foot, dice)
    for clutter in layout.clutter:
        if len(clutter.pictures):
            ground = _behind(ground, place(bank, clutter, dice, side), dice.to_device(clutter.pictures), dice)
    is_near = np.isin(layout.scenes, ("detail", "sherd"))
    with_figures = dice.to_device(np.flatnonzero(dice.host.random(num) < np.where(is_near, 0.55, 0.12)))
    albedo = figured(recoloured(placed, dice), with_figures, dice)
    colour = _matched(lit(placed, albedo, dice), placed.alpha, ground, dice)
    who = dice.some(0.15, num)
    if len(who):
        near = tuple(part[who] for part in foot)
        dark = mirrored_in_table(ground[who], colour[who], placed.alpha[who], near, dice)
        ground = ground.index_copy(0, who, dark)
    standing = dice.to_device(np.isin(layout.scenes, ("side", "several", "lying", "page", "other")).astype(np.float32))
    standing = standing[:, None, None, None]
    ground = ground * shadows(placed.alpha, foot, standing, dice)
    spill = dice.each(0.0, 0.5, num) * (1 - placed.normal[:, 2:]) ** 2 * dice.flags(0.5, num)
    around = ground.mean((2, 3), keepdim=True)
    colour = colour * (1 - spill) + around * spill
    alpha = placed.alpha
    pixels = colour * alpha + ground * (1 - alpha)
    pixels, mask = _held(pixels, alpha, foot, dice)
    pixels, mask, counts = _special(pixels, mask, placed, layout, frames, props, dice)
    who = dice.some(0.03, num)
    if len(who):
        pixels = pixels.index_copy(0, who, props.laid(pixels[who], frames[who], dice, opacity=0.3))
    pixels = photographed(pixels, x, y, dice) * inside
    return ScenePictures(
        pixels=pixels,
        inside=inside,
        mask=mask * inside,
        counts=counts * inside,
        views=dice.to_device(layout.views),
        scenes=layout.scenes,
    )


def _objects(bank: ForegroundBank, layout: SceneLayout, frames: torch.Tensor, dice: Dice, side: int) -> Placed:
    first, *others = layout.objects
    placed = place(bank, first, dice, side)
    for more in others:
        if len(more.pictures):
            placed = merge(place(bank, more, dice, side), placed, dice.to_device(more.pictures))
    placed = crowd(placed, dice.to_device(layout.crowded), frames, dice)
    placed = break_up(placed, dice.to_device(np.flatnonzero(layout.scenes == "sherd")), frames, dice)
    empty = dice.to_device((layout.scenes != "empty").astype(np.float32))[:, None, None, None]
    return Placed(albedo=placed.albedo, normal=placed.normal, openness=placed.openness, alpha=placed.alpha * empty)


def _ground(
    x: torch.Tensor,
    y: torch.Tensor,
    layout: SceneLayout,
    frames: torch.Tensor,
    props: Props,
    foot: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    dice: Dice,
) -> torch.Tensor:
    num = len(x)
    ground = backdrops(x, y, dice)
    can_stand = np.isin(layout.scenes, ("side", "several", "lying", "page", "other"))
    who = dice.to_device(np.flatnonzero(can_stand & (dice.host.random(num) < 0.2)))
    if len(who):
        ground = ground.index_copy(0, who, stand(ground[who], tuple(p[who] for p in foot), frames[who], dice))
    for share in (0.22, 0.08):
        who = dice.some(share, num)
        if len(who):
            ground = ground.index_copy(0, who, props.laid(ground[who], frames[who], dice))
    return ground


def _behind(ground: torch.Tensor, thing: Placed, numbers: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Puts things into the grounds of the pictures `numbers` [K], simply lit, some of them out of focus."""
    num = len(numbers)
    lamp = (thing.normal * dice.normal(0.4, num, 3, 1, 1)).sum(1, keepdim=True)
    colour = thing.albedo * dice.uniform(0.3, 1.3, num, 3, 1, 1) * (0.9 + lamp) * thing.openness
    both = torch.cat([colour.clamp(0, 1) * thing.alpha, thing.alpha], 1)
    soft = F.avg_pool2d(F.avg_pool2d(both, 5, 1, 2), 5, 1, 2)
    blur = dice.flags(0.4, num)
    both = both * (1 - blur) + soft * blur
    return ground.index_copy(0, numbers, ground[numbers] * (1 - both[:, 3:]) + both[:, :3])


def _matched(colour: torch.Tensor, alpha: torch.Tensor, ground: torch.Tensor, dice: Dice) -> torch.Tensor:
    """Gives some objects, or large parts of them, nearly the ground's colour: pale on pale, dark on dark."""
    num, side = len(colour), colour.shape[-1]
    who = dice.some(0.14, num)
    if not len(who):
        return colour
    weight = alpha[who]
    mean = (colour[who] * weight).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True).clamp_min(1)
    wanted = ground[who].mean((2, 3), keepdim=True) * (1 + dice.normal(0.1, len(who), 1, 1, 1)) + dice.normal(
        0.02, len(who), 3, 1, 1
    )
    gain = (wanted / mean.clamp_min(0.03)).clamp(0.3, 6)
    matched = (colour[who] * gain).clamp(0, 1)
    flat = dice.each(0.0, 0.7, len(who))  # with less contrast inside, the outline is all there is
    matched = (
        matched * (1 - flat)
        + wanted.clamp(0, 1)
        * (matched.mean(1, True) / matched.mean((1, 2, 3), True).clamp_min(0.02)).clamp(0.5, 1.5) ** 0.5
        * flat
    )
    part = (dice.noise(len(who), 1, 4, side) > dice.each(-3.0, 0.8, len(who))).float()
    return colour.index_copy(0, who, (matched * part + colour[who] * (1 - part)).clamp(0, 1))


def _held(
    pixels: torch.Tensor, alpha: torch.Tensor, foot: tuple[torch.Tensor, torch.Tensor, torch.Tensor], dice: Dice
) -> tuple[torch.Tensor, torch.Tensor]:
    """Puts ring stands before the feet of a few objects; what they hide is not vase."""
    num, side = len(pixels), pixels.shape[-1]
    who = dice.some(0.03, num)
    if not len(who):
        return pixels, alpha
    axis = torch.arange(side, device=dice.device, dtype=torch.float32) + 0.5
    px, py = axis[None, None, None, :], axis[None, None, :, None]
    x, y, half = (part[who] for part in foot)
    wide = half * dice.each(1.1, 2.2, len(who))
    tall = side * dice.each(0.02, 0.09, len(who))
    taper = 1 + dice.normal(0.3, len(who), 1, 1, 1) * ((y - py) / tall)
    ring = (
        ((wide * taper - (px - x).abs()) + 0.5).clamp(0, 1)
        * (py - (y - tall) + 0.5).clamp(0, 1)
        * (y + 0.4 * tall - py + 0.5).clamp(0, 1)
    )
    tone = dice.each(0.0, 1.0, len(who)) + dice.normal(0.04, len(who), 3, 1, 1)
    shade = 1 + dice.normal(0.4, len(who), 1, 1, 1) * ((px - x) / wide).clamp(-1, 1)
    held = pixels[who] * (1 - ring) + (tone * shade).clamp(0, 1) * ring
    return pixels.index_copy(0, who, held), alpha.index_copy(0, who, alpha[who] * (1 - ring))


def _special(
    pixels: torch.Tensor,
    mask: torch.Tensor,
    placed: Placed,
    layout: SceneLayout,
    frames: torch.Tensor,
    props: Props,
    dice: Dice,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Returns pixels, mask and counts after making pages and drawings of the pictures that are to be some."""
    counts = torch.ones_like(mask)
    who = dice.to_device(np.flatnonzero(layout.scenes == "page"))
    if len(who):
        set_in, inner = on_pages(pixels[who], mask[who], frames[who], props, dice)
        pixels, mask = pixels.index_copy(0, who, set_in), mask.index_copy(0, who, inner)
    who = dice.to_device(np.flatnonzero(layout.scenes == "drawing"))
    if len(who):
        part = Placed(
            albedo=placed.albedo[who], normal=placed.normal[who], openness=placed.openness[who], alpha=mask[who]
        )
        pixels = pixels.index_copy(0, who, line_drawings(part, dice))
        counts = counts.index_copy(0, who, torch.zeros_like(mask[who]))
    who = dice.to_device(np.flatnonzero(layout.scenes == "other"))
    if len(who):  # whether a statuette should be cut out is nobody's question; the ground around it is not vase
        grown = F.max_pool2d(mask[who], 5, 1, 2)
        counts = counts.index_copy(0, who, (grown < 0.05).float())
    return pixels, mask, counts
