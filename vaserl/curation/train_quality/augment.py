"""Augmentation of training photographs: random changes, drawn again in every epoch."""

import numpy as np
import torch
from torch.nn import functional as F

from vaserl.curation.train_quality.settings import AugmentSettings


def augmented(pixels: torch.Tensor, rng: np.random.Generator, settings: AugmentSettings) -> torch.Tensor:
    """Returns N photographs with random changes, float [N, 3, S, S], where S is the side. Some are mirrored; all are
    shifted by whole pixels with their edges repeated, and get a random gain and offset for each channel.

    pixels: [N, 3, S, S], normalised. The result is a pure function of the arguments and the generator's state.
    """
    num, size = len(pixels), pixels.shape[-1]
    reach = round(settings.shift * size)
    padded = F.pad(pixels, [reach] * 4, mode="replicate")
    corners, mirrored = rng.integers(0, 2 * reach + 1, (num, 2)), rng.random(num) < settings.mirror
    moved = []
    for image, (top, left), flip in zip(padded, corners, mirrored, strict=True):
        window = image[:, top : top + size, left : left + size]
        moved.append(window.flip(-1) if flip else window)
    gain, offset = (
        torch.from_numpy(rng.normal(mean, settings.colour, (num, 3, 1, 1)).astype(np.float32)).to(pixels.device)
        for mean in (1.0, 0.0)
    )
    return torch.stack(moved) * gain + offset
