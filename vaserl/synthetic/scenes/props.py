"""Things beside the vase: scale bars, colour cards, labels, text, rulers; drawn once and placed anywhere."""

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch.nn import functional as F

from vaserl.synthetic.scenes.dice import Dice

_SIZE = 96
_NUM = 120
_LETTERS = "abcdefghijklmnopqrstuvwxyz ABCDEFGH 0123456789 .,"


class Props:
    """A collection of small pictures with transparency."""

    def __init__(self, device: torch.device, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        drawn = [(_scale_bar, _colour_card, _text, _text, _label)[k % 5](rng) for k in range(_NUM)]
        self._pixels = torch.from_numpy(np.stack(drawn)).permute(0, 3, 1, 2).to(device)
        """RGBA, uint8 [_NUM, 4, _SIZE, _SIZE]; each fills the square."""

    def laid(self, ground: torch.Tensor, frames: torch.Tensor, dice: Dice, opacity: float = 1.0) -> torch.Tensor:
        """Returns pictures [N, 3, S, S] with one thing in each, mostly near an edge of the frame [N, 4]."""
        num, side = len(ground), ground.shape[-1]
        pixels = self._pixels[dice.to_device(dice.host.integers(_NUM, size=num))].float() / 255
        left, top, width, height = (frames[:, k] for k in range(4))
        wide = width * torch.exp(dice.uniform(-2.2, -0.5, num))
        high = torch.minimum(wide * torch.exp(dice.uniform(-2.5, 0.3, num)), 0.5 * height)
        near = dice.uniform(0.0, 0.12, num)
        edge = torch.where(
            dice.uniform(0, 1, num) < 0.65,
            1 - near,
            torch.where(dice.uniform(0, 1, num) < 0.5, near, dice.uniform(0, 1, num)),
        )
        x = left + wide / 2 + (width - wide) * dice.uniform(0, 1, num)
        y = top + high / 2 + (height - high) * edge
        warp = torch.zeros(num, 2, 3, device=dice.device)
        warp[:, 0, 0], warp[:, 1, 1] = side / wide, side / high
        warp[:, 0, 2], warp[:, 1, 2] = (side - 2 * x) / wide, (side - 2 * y) / high
        grid = F.affine_grid(warp, [num, 4, side, side], align_corners=False)
        thing = F.grid_sample(pixels, grid, align_corners=False)
        share = thing[:, 3:] * opacity
        return ground * (1 - share) + thing[:, :3] * torch.exp(dice.normal(0.1, num, 1, 1, 1)).clamp_max(1.2) * share


def _blank(colour: tuple[int, int, int, int]) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGBA", (_SIZE, _SIZE), colour)
    return image, ImageDraw.Draw(image)


def _scale_bar(rng: np.random.Generator) -> np.ndarray:
    on_card = rng.random() < 0.5
    image, pen = _blank((255, 255, 255, 255) if on_card else (0, 0, 0, 0))
    count = int(rng.integers(2, 12))
    top, bottom = (24, 60) if on_card else (0, _SIZE)
    dark, light = (0, int(rng.integers(180, 256))) if rng.random() < 0.8 else (200, 40)
    for k in range(count):
        tone = dark if k % 2 else light
        pen.rectangle([k * _SIZE / count, top, (k + 1) * _SIZE / count, bottom], fill=(tone, tone, tone, 255))
    if rng.random() < 0.4:
        middle = (top + bottom) / 2
        for k in range(count):
            tone = light if k % 2 else dark
            pen.rectangle([k * _SIZE / count, middle, (k + 1) * _SIZE / count, bottom], fill=(tone, tone, tone, 255))
    return np.asarray(image)


def _colour_card(rng: np.random.Generator) -> np.ndarray:
    ground = int(rng.integers(0, 256))
    image, pen = _blank((ground, ground, ground, 255))
    columns, rows = int(rng.integers(3, 10)), int(rng.integers(1, 4))
    grey = rng.random() < 0.3
    for k in range(columns):
        for j in range(rows):
            tone = (int(255 * k / columns),) * 3 if grey else tuple(int(c) for c in rng.integers(0, 256, 3))
            x, y, w, h = k * _SIZE / columns, j * _SIZE / rows, _SIZE / columns, _SIZE / rows
            pen.rectangle([x + 1, y + 1, x + w - 1, y + h - 1], fill=(*tone, 255))
    return np.asarray(image)


def _text(rng: np.random.Generator) -> np.ndarray:
    on_card = rng.random() < 0.35
    paper = int(rng.integers(200, 256))
    image, pen = _blank((paper, paper, paper, 255) if on_card else (0, 0, 0, 0))
    tone = int(rng.integers(0, 90)) if on_card or rng.random() < 0.7 else 240
    step = int(rng.integers(10, 34))
    for y in range(2, _SIZE - 8, step):
        words = "".join(rng.choice(list(_LETTERS), 40))
        pen.text((2, y), words, fill=(tone, tone, tone, 255), font_size=float(rng.uniform(0.5, 0.95) * step))
    return np.asarray(image)


def _label(rng: np.random.Generator) -> np.ndarray:
    red, green, blue = (int(c) for c in rng.integers(120, 256, 3))
    image, pen = _blank((red, green, blue, 255))
    pen.rectangle([0, 0, _SIZE - 1, _SIZE - 1], outline=(30, 30, 30, 255), width=int(rng.integers(0, 5)))
    pen.text((8, 20), "".join(rng.choice(list(_LETTERS), 8)), fill=(20, 20, 20, 255), font_size=44)
    return np.asarray(image)
