"""Metrics that compare images of a generated and a true mesh: PSNR, SSIM, LPIPS and similarities by an open_clip model.

Both meshes are rendered from the same views. PSNR, SSIM and LPIPS are computed by torchmetrics. Neural networks are
loaded from local files; nothing is downloaded.
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
"""RGB images of V views, uint8 [V, H, W, 3]."""


def psnr(generated: Pictures, true: Pictures) -> float:
    """Returns the peak signal-to-noise ratio in dB, from the mean squared error over all views; infinite for equal
    images."""
    return float(peak_signal_noise_ratio(_tensor(generated), _tensor(true), data_range=1.0))


def ssim(generated: Pictures, true: Pictures) -> float:
    """Returns the structural similarity (Wang et al., 2004), averaged over the views; 1 for equal images.

    The window is an 11 x 11 Gaussian with a sigma of 1.5 pixels. Images are mirrored at their borders.
    """
    value = structural_similarity_index_measure(_tensor(generated), _tensor(true), data_range=1.0)
    return float(value[0] if isinstance(value, tuple) else value)


def load_lpips(settings: LpipsSettings) -> Callable[[Pictures, Pictures], float]:
    """Returns a function that computes the LPIPS metric (Zhang et al., 2018), which is 0 for equal images.

    The weights of its backbone are loaded from the file `settings.path`.

    Raises: UserError when the file is missing or contains another network's weights.
    """
    path = settings.path
    assert path is not None, "called only with a path"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchvision and torch warn about arguments of torchmetrics
        net = LpipsNet(net=settings.backbone, pnet_rand=True)
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, EOFError) as error:
        raise UserError(f"lpips.path {path}: can't be read as torch weights ({error})") from error
    except Exception as error:  # unpickling of damaged or unsafe files raises many types
        raise UserError(
            f"lpips.path {path}: expected a file with only torch weights ({type(error).__name__})"
        ) from error
    _fill_backbone(net, weights, settings.backbone, path)

    @torch.inference_mode()
    def lpips(generated: Pictures, true: Pictures) -> float:
        return float(net(_tensor(generated), _tensor(true), normalize=True).mean())

    return lpips


class OpenClipScores:
    """An open_clip model that computes two cosine similarities: of generated and true views, and of generated views and
    a caption."""

    def __init__(self, settings: OpenClipSettings) -> None:
        self._path = settings.path
        self._model, self._preprocess, self._tokenizer = load_open_clip(settings)

    @torch.inference_mode()
    def features(self, pictures: Pictures) -> torch.Tensor:
        """Returns the model's features of V views, float32 [V, E]; each view's E features are scaled to unit length.

        Raises: UserError when the network's output isn't finite.
        """
        pixels = torch.stack([self._preprocess(Image.fromarray(picture)) for picture in pictures])
        features = self._model.encode_image(pixels, normalize=True)
        if not features.isfinite().all():
            raise UserError(f"open_clip.path {self._path}: the model's output isn't finite; its weights are damaged")
        return features

    def image_score(self, generated: torch.Tensor, true: torch.Tensor) -> float:
        """Returns the cosine similarity of the features of generated and true views, [V, E] each, averaged over V
        views."""
        return float((generated * true).sum(dim=1).mean())

    @torch.inference_mode()
    def text_score(self, generated: torch.Tensor, caption: str) -> float:
        """Returns the cosine similarity of the generated views' features [V, E] and a caption, averaged over V views.

        The caption is truncated to the model's context length.
        """
        text = self._model.encode_text(self._tokenizer([caption]), normalize=True)
        return float((generated @ text.T).mean())


def _tensor(pictures: Pictures) -> torch.Tensor:
    return torch.from_numpy(pictures.copy()).permute(0, 3, 1, 2).float() / 255


def _fill_backbone(net: Any, weights: Any, backbone: str, path: Path) -> None:
    """Copies torchvision's weights into the backbone of LPIPS.

    The keys of torchvision's weights are `features.N.…`; the backbone's modules have the same numbers N.
    """
    found = {name.partition(".")[2]: value for name, value in weights.items() if name.startswith("features.")}
    try:
        for name, parameter in net.net.named_parameters():
            parameter.data.copy_(found[re.sub(r"^slice(s\.\d+|\d+)\.", "", name)])
    except (KeyError, RuntimeError) as error:
        raise UserError(f"lpips.path {path}: not torchvision's weights of {backbone!r} ({error})") from error
