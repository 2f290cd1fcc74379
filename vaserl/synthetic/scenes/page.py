"""ScenePictures within pictures: photographs on pages, in frames, with bars or padding; and drawings."""

import torch
from torch.nn import functional as F

from vaserl.synthetic.scenes.dice import Dice
from vaserl.synthetic.scenes.placing import Placed
from vaserl.synthetic.scenes.props import Props


def on_pages(
    pictures: torch.Tensor, masks: torch.Tensor, frames: torch.Tensor, props: Props, dice: Dice
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns pictures [N, 3, S, S] and masks [N, 1, S, S] set into pages that fill the same frames [N, 4]."""
    num, side = len(pictures), pictures.shape[-1]
    left, top, width, height = (frames[:, k] for k in range(4))
    # sides of the inner picture: within the page; the whole page but for a border; bars on two sides
    style = dice.uniform(0, 1, num)
    scale_x, scale_y = dice.uniform(0.35, 0.85, num), dice.uniform(0.35, 0.85, num)
    border_x, border_y = dice.uniform(0.012, 0.14, num), dice.uniform(0.012, 0.14, num)
    framed = (style > 0.5) & (style < 0.8)
    same = dice.uniform(0, 1, num) < 0.5
    scale_x = torch.where(framed, 1 - 2 * border_x, scale_x)
    scale_y = torch.where(framed, 1 - 2 * torch.where(same, border_x * width / height, border_y), scale_y)
    bars = style >= 0.8
    upright = dice.uniform(0, 1, num) < 0.5
    scale_x = torch.where(bars, torch.where(upright, dice.uniform(0.5, 0.92, num), torch.ones_like(scale_x)), scale_x)
    scale_y = torch.where(bars, torch.where(upright, torch.ones_like(scale_y), dice.uniform(0.5, 0.92, num)), scale_y)
    at_x, at_y = dice.uniform(0.1, 0.9, num), dice.uniform(0.1, 0.9, num)
    at_x, at_y = (torch.where(framed | bars, 0.5 * torch.ones_like(at), at) for at in (at_x, at_y))
    # keep the inner picture's proportions: its own frame is cropped, never squeezed
    shrink = torch.maximum(scale_x, scale_y)
    cx = left + width * (scale_x / 2 + (1 - scale_x) * at_x)
    cy = top + height * (scale_y / 2 + (1 - scale_y) * at_y)
    warp = torch.zeros(num, 2, 3, device=dice.device)
    warp[:, 0, 0] = warp[:, 1, 1] = 1 / shrink
    warp[:, 0, 2] = ((left + width / 2) - cx / shrink) * 2 / side - 1 + 1 / shrink
    warp[:, 1, 2] = ((top + height / 2) - cy / shrink) * 2 / side - 1 + 1 / shrink
    grid = F.affine_grid(warp, [num, 4, side, side], align_corners=False)
    inner = F.grid_sample(torch.cat([pictures, masks], 1), grid, align_corners=False)
    axis = torch.arange(side, device=dice.device, dtype=torch.float32) + 0.5
    away_x = (axis[None, None, :] - cx[:, None, None]).abs() - (scale_x * width / 2)[:, None, None]
    away_y = (axis[None, :, None] - cy[:, None, None]).abs() - (scale_y * height / 2)[:, None, None]
    outside = torch.maximum(away_x, away_y)[:, None]
    inside = (0.5 - outside).clamp(0, 1)
    paper = _papers(num, dice)
    paper = paper * (1 + dice.each(0.0, 0.03, num) * dice.noise(num, 1, 60, side))
    who = dice.some(0.5, num)
    if len(who):
        paper = paper.index_copy(0, who, props.laid(paper[who], frames[who], dice))
    line = ((outside < dice.each(0.5, 4.0, num)) & (outside > 0)).float() * dice.flags(0.35, num)
    paper = paper * (1 - line) + dice.each(0.0, 1.0, num) * line
    return inner[:, :3] * inside + paper * (1 - inside), inner[:, 3:] * inside


def line_drawings(placed: Placed, dice: Dice) -> torch.Tensor:
    """Returns line drawings of the objects on paper, [N, 3, S, S]; some with one half in solid black, as sections."""
    num, side = len(placed.alpha), placed.alpha.shape[-1]
    features = torch.cat([placed.alpha * 1.5, placed.normal[:, :2] * placed.alpha, placed.albedo.mean(1, True)], 1)
    width = 3
    local = F.max_pool2d(features, width, 1, width // 2) + F.max_pool2d(-features, width, 1, width // 2)
    weights = torch.cat([torch.ones(num, 1, device=dice.device), dice.uniform(0, 1.2, num, 3)], 1)[:, :, None, None]
    ink = ((local * weights).sum(1, keepdim=True) * 1.6 - 0.35).clamp(0, 1)
    filled = placed.alpha * dice.flags(0.4, num)
    axis = torch.linspace(-1, 1, side, device=dice.device)[None, None, None, :]
    half = (axis < dice.normal(0.1, num, 1, 1, 1)).float()
    ink = torch.maximum(ink, filled * torch.where(dice.flags(0.6, num) > 0, half, torch.ones_like(half)))
    paper = dice.each(0.82, 1.0, num) + dice.normal(0.02, num, 3, 1, 1)
    tone = dice.each(0.0, 0.35, num) + dice.normal(0.02, num, 3, 1, 1)
    return (paper * (1 - ink) + tone * ink).clamp(0, 1)


def _papers(num: int, dice: Dice) -> torch.Tensor:
    kind = dice.each(0, 1, num)
    white, grey = dice.each(0.9, 1.02, num), dice.each(0.1, 0.9, num)
    tone = torch.where(kind < 0.5, white, torch.where(kind < 0.8, dice.each(0.0, 0.08, num), grey))
    side_tint = dice.normal(0.02, num, 3, 1, 1)
    return (tone + side_tint).clamp(0, 1)
