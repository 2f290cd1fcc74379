"""Foregrounds made of arithmetic instead of renderings: a ball with a ring at its side, through which one sees."""

from functools import cache

import numpy as np
import torch

from vaserl.synthetic.scenes.bank import ForegroundBank
from vaserl.synthetic.scenes.props import Props
from vaserl.synthetic.scenes.subjects import FOREGROUND_KINDS

SIDE_PX = 64


def scene_bank() -> ForegroundBank:
    """Returns a bank of two foregrounds of each kind, 64 pixels wide; all but the close ones have one hole."""
    pixels, kinds = [], []
    for kind in range(len(FOREGROUND_KINDS)):
        for shade in (60, 200):
            is_close = FOREGROUND_KINDS[kind] == "close"
            pixels.append(_ball_with_ring(shade, zoom=3.0 if is_close else 1.0))
            kinds.append(kind)
    return ForegroundBank(torch.from_numpy(np.stack(pixels)), np.array(kinds))


@cache
def scene_props() -> Props:
    """Returns the things beside the vase, drawn once for all tests."""
    return Props(torch.device("cpu"))


def _ball_with_ring(shade: int, zoom: float) -> np.ndarray:
    y, x = np.mgrid[-1 : 1 : SIDE_PX * 1j, -1 : 1 : SIDE_PX * 1j] / zoom
    ball = np.hypot(x + 0.25, y) < 0.62
    away = np.hypot(x - 0.55, y)
    ring = (away < 0.38) & (away > 0.24)
    alpha = ball | ring
    normal_x, normal_y = np.clip((x + 0.25) / 0.7, -0.9, 0.9), np.clip(-y / 0.7, -0.9, 0.9)
    length = np.maximum(np.hypot(normal_x, normal_y) / 0.95, 1)
    colour = np.stack([np.full(x.shape, float(shade)), np.full(x.shape, shade * 0.7), np.full(x.shape, shade * 0.5)])
    normal = np.stack([normal_x / length, normal_y / length]) * 127 + 128
    rest = np.stack([np.full(x.shape, 220.0), alpha * 255.0])
    return np.concatenate([colour, normal, rest]).astype(np.uint8)
