"""How two sets of pictures differ: PSNR, SSIM, LPIPS, and what a CLIP model thinks of them.

All are means over the views. PSNR, SSIM and LPIPS are torchmetrics'; the scores of CLIP go through open_clip, so that a
model is a path and nothing is fetched.
"""

import re
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure
from torchmetrics.functional.image.lpips import _NoTrainLpips as LpipsNet

from vaserl.encoders.open_clip import load_open_clip
from vaserl.errors import UserError
from vaserl.meshes.compare.settings import LpipsSettings
from vaserl.settings import OpenClipSettings

Pictures = np.ndarray
"""uint8 [V, H, W, 3], view by view."""


def psnr(generated: Pictures, true: Pictures) -> float:
    """Peak signal-to-noise ratio in dB over all views at once; infinite for equal pictures."""
    return float(peak_signal_noise_ratio(_tensor(generated), _tensor(true), data_range=1.0))


def ssim(generated: Pictures, true: Pictures) -> float:
    """Structural similarity (Wang et al., 2004): Gaussian window of 11 pixels, sigma 1.5, the picture mirrored at
    its border; 1 for equal pictures."""
    value = structural_similarity_index_measure(_tensor(generated), _tensor(true), data_range=1.0)
    return float(value[0] if isinstance(value, tuple) else value)


def load_lpips(settings: LpipsSettings) -> Callable[[Pictures, Pictures], float]:
    """LPIPS (Zhang et al., 2018) with the backbone's weights from a file; 0 for equal pictures.

    Raises: UserError when the file isn't there or holds another network.
    """
    path = settings.path
    assert path is not None, "asked for only where there are weights"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision's and torch's talk of its own arguments
        net = LpipsNet(net=settings.backbone, pnet_rand=True)
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        raise UserError(f"lpips.path {path}: can't be read as weights of torch ({error})") from error
    except Exception as error:  # what unpickling damaged or unsafe files ends in
        raise UserError(f"lpips.path {path}: no plain weights of torch ({type(error).__name__})") from error
    _fill_backbone(net, weights, settings.backbone, path)

    @torch.inference_mode()
    def lpips(generated: Pictures, true: Pictures) -> float:
        return float(net(_tensor(generated), _tensor(true), normalize=True).mean())

    return lpips


class OpenClipScores:
    """Cosines of an open_clip model: picture to picture, view by view, and picture to caption."""

    def __init__(self, settings: OpenClipSettings) -> None:
        self._path = settings.path
        self._model, self._preprocess, self._tokenizer = load_open_clip(settings)

    @torch.inference_mode()
    def features(self, pictures: Pictures) -> torch.Tensor:
        """float32 [V, E] of unit length. Raises: UserError when the model's answers are no numbers."""
        pixels = torch.stack([self._preprocess(Image.fromarray(picture)) for picture in pictures])
        features = self._model.encode_image(pixels, normalize=True)
        if not features.isfinite().all():
            raise UserError(f"clip.path {self._path}: the model's answers aren't numbers; its weights are damaged")
        return features

    def image_score(self, generated: torch.Tensor, true: torch.Tensor) -> float:
        """Mean cosine of the views' features [V, E]."""
        return float((generated * true).sum(dim=1).mean())

    @torch.inference_mode()
    def text_score(self, generated: torch.Tensor, caption: str) -> float:
        """Mean cosine of the views' features [V, E] to the caption, which is cut at the model's context."""
        text = self._model.encode_text(self._tokenizer([caption]), normalize=True)
        return float((generated @ text.T).mean())


def _tensor(pictures: Pictures) -> torch.Tensor:
    return torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2).float() / 255


def _fill_backbone(net: Any, weights: Any, backbone: str, path: Path) -> None:
    """Puts torchvision's `features.N.…` into the slices, which keep the numbers N as names."""
    found = {name.partition(".")[2]: value for name, value in weights.items() if name.startswith("features.")}
    try:
        for name, parameter in net.net.named_parameters():
            parameter.data.copy_(found[re.sub(r"^slice(s\.\d+|\d+)\.", "", name)])
    except (KeyError, RuntimeError) as error:
        raise UserError(f"lpips.path {path}: not torchvision's weights of {backbone!r} ({error})") from error
