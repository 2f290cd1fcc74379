"""Cuts the vase out of a cluttered photograph with the network RMBG-1.4 (class BriaRMBG in TripoSG's checkout)."""

from typing import Any

import numpy as np
import torch
from PIL import Image
from skimage.filters import threshold_otsu

from vaserl.meshes.generators.cutout import Cutout
from vaserl.meshes.generators.generator import LiftFailure

_SIDE = 1024
"""Width and height of the network's input in pixels."""
_MIN_CONTRAST = 0.05
"""Smallest difference of the largest and the smallest output that counts as a foreground on a background."""


class BackgroundRemover:
    """A network that tells foreground from background."""

    def __init__(self, network: torch.nn.Module, device: str) -> None:
        """`network` takes RGB images minus 0.5, float32 [1, 3, 1024, 1024], and returns the pair (foreground at six
        scales, features); the first of the six, float32 [1, 1, 1024, 1024] from 0 to 1, has the best resolution."""
        self._network: Any = network.to(device).eval()
        self._device = device

    @torch.inference_mode()
    def cut_out(self, image: Image.Image) -> Cutout:
        """Returns the photograph with the mask of its foreground.

        Raises: LiftFailure when the network sees no difference between foreground and background.
        """
        photo = image.convert("RGB")
        square = np.asarray(photo.resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))
        pixels = torch.from_numpy(square.copy()).to(self._device).permute(2, 0, 1)[None].float() / 255 - 0.5
        share = self._network(pixels)[0][0][0, 0].float().cpu().numpy()
        low, high = float(share.min()), float(share.max())
        if not high - low >= _MIN_CONTRAST:  # false for NaN too
            raise LiftFailure("the background remover found nothing in the photograph")
        grey = Image.fromarray(np.rint((share - low) / (high - low) * 255).astype(np.uint8))
        whole = np.asarray(grey.resize(photo.size, Image.Resampling.BILINEAR))
        return Cutout(photo=photo, mask=whole > threshold_otsu(whole))
