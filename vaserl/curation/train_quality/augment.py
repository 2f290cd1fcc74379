"""Augments training photographs with random changes, which are different in every epoch."""

import numpy as np
import torch
from torch.nn import functional as F

from vaserl.curation.train_quality.settings import AugmentSettings


def augmented(pixels: torch.Tensor, rng: np.random.Generator, settings: AugmentSettings) -> torch.Tensor:
    """Returns N square photographs of side S with random changes, float [N, 3, S, S].

    Each photograph is mirrored with the probability `settings.mirror`. It is then shifted by a whole number of pixels,
    and its edge pixels are repeated to fill the gap. Each of its colour channels is multiplied by a random gain, and a
    random offset is added. The result depends only on the arguments and the state of `rng`.

    pixels: normalised photographs, float [N, 3, S, S].
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
