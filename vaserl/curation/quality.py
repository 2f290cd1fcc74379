"""Is the photograph any good? A ResNet that tells sharp photographs of vases from blurs, sketches and crops."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from PIL import Image
from torchvision.models.resnet import Bottleneck, ResNet

from vaserl.curation.batch import Batch, rejecting, remaining, with_column
from vaserl.curation.photograph import read_photograph
from vaserl.curation.settings import QualitySettings
from vaserl.errors import UserError

STAGE = "quality"
CONFIG = "config.json"
WEIGHTS = "model.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetConfig:
    """The shape of a ResNet of bottleneck blocks, and how it wants its images. The defaults are those of ResNet-50."""

    layers: tuple[int, ...] = (3, 4, 6, 3)
    """Blocks of each of the four stages."""
    width_per_group: int = 64
    """Channels inside the first stage's bottlenecks; the others follow from it."""
    expansion: int = 4
    """Channels between the blocks, relative to 64, 128, 256 and 512."""
    image_size: int = 224
    """Side of the square to which a photograph is squeezed, its edges included: a crop shows at the edges."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Per channel, of values in [0, 1]."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    """Per channel, of values in [0, 1]."""

    def build(self) -> ResNet:
        """A network with random weights and two classes: 0 low, 1 high."""
        block = type("Bottleneck", (Bottleneck,), {"expansion": self.expansion})
        return ResNet(block, list(self.layers), num_classes=2, width_per_group=self.width_per_group)

    def pixels(self, image: Image.Image) -> torch.Tensor:
        """float32 [3, S, S], normalised."""
        small = image.resize((self.image_size, self.image_size), Image.Resampling.BILINEAR, reducing_gap=2.0)
        values = torch.from_numpy(np.asarray(small, dtype=np.float32) / 255).permute(2, 0, 1)
        return (values - torch.tensor(self.mean)[:, None, None]) / torch.tensor(self.std)[:, None, None]


class Quality:
    """Adds `quality`, the probability that a photograph is good, and rejects those below the threshold."""

    def __init__(self, settings: QualitySettings) -> None:
        assert settings.path is not None, "checked before the run"
        self._threshold = settings.threshold
        self._model, self._config = load_resnet(settings.path)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model.to(self._device)

    def __call__(self, batch: Batch) -> Batch:
        rows = remaining(batch)
        probabilities = dict(zip(rows, self.probabilities([batch["photo"][i] for i in rows]), strict=True))
        reasons = {
            index: f"probability of good quality {p:.3f}, needed {self._threshold:g}"
            for index, p in probabilities.items()
            if p < self._threshold
        }
        return rejecting(with_column(batch, STAGE, probabilities, float("nan")), STAGE, reasons)

    @torch.inference_mode()
    def probabilities(self, photos: Sequence[Path | str]) -> list[float]:
        """[N] probability of high quality for each photograph."""
        if not photos:
            return []
        size = self._config.image_size
        pixels = torch.stack([self._config.pixels(read_photograph(path, shorter_side=size)) for path in photos])
        return self._model(pixels.to(self._device)).softmax(dim=1)[:, 1].tolist()


def load_resnet(path: Path) -> tuple[ResNet, ResNetConfig]:
    """The network in evaluation mode: a folder with config.json and model.safetensors, or a file for a ResNet-50.

    Raises: UserError when either is missing or the weights don't fit.
    """
    path = Path(path)
    config, weights = ResNetConfig(), path
    if path.is_dir():
        weights = path / WEIGHTS
        config = _read_config(path / CONFIG)
    if not weights.is_file():
        raise UserError(f"quality.path {path}: no such file or folder, or no {WEIGHTS} in it")
    if weights.suffix != ".safetensors":
        raise UserError(
            f"quality.path {weights}: pickled weights can run code and are not read. Convert them once: "
            "safetensors.torch.save_file(torch.load(path, weights_only=True), 'model.safetensors')"
        )
    model = config.build()
    try:
        model.load_state_dict(safetensors.torch.load_file(weights))
    except (RuntimeError, safetensors.SafetensorError) as error:
        raise UserError(f"quality.path {weights}: not the weights of {config}: {error}") from error
    return model.eval(), config


def save_resnet(model: ResNet, config: ResNetConfig, folder: Path) -> None:
    """Writes the folder that `load_resnet` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    fields = {name: getattr(config, name) for name in ResNetConfig.__slots__}
    (folder / CONFIG).write_text(json.dumps(fields, indent=2) + "\n")
    safetensors.torch.save_file(model.state_dict(), folder / WEIGHTS)


def _read_config(path: Path) -> ResNetConfig:
    try:
        fields: dict[str, Any] = json.loads(path.read_text())
        for name in ("layers", "mean", "std"):
            if name in fields:
                fields[name] = tuple(fields[name])
        return ResNetConfig(**fields)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"quality.path: {path} can't be read as the shape of a ResNet: {error}") from error
