"""A ResNet that tells sharp photographs of vases from blurs, sketches and crops: network, files and verdict."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from PIL import Image
from torchvision.models.resnet import Bottleneck, ResNet

from vaserl.curation.settings import QualitySettings
from vaserl.curation.stage import Kept, Photograph, Rejected, Verdict
from vaserl.curation.stages.quality import PROBABILITY
from vaserl.errors import UserError
from vaserl.files.photograph import read_photograph

_CONFIG = "config.json"
WEIGHTS = "model.safetensors"
_NUM_CLASSES = 2
"""Number of the network's outputs: 0 is low quality, 1 is high quality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResNetConfig:
    """Architecture of a ResNet of bottleneck blocks, and format of its input images. The defaults give ResNet-50."""

    layers: tuple[int, ...] = (3, 4, 6, 3)
    """Number of blocks in each of the network's four stages."""
    width_per_group: int = 64
    """Channels inside the bottlenecks of the network's first stage; they double from stage to stage."""
    expansion: int = 4
    """Output channels of the blocks in the four stages, as a multiple of 64, 128, 256 and 512."""
    image_size: int = 224
    """Side of the input image in pixels. Photographs are resized to it and not cropped, because their edges show
    whether a vase is cut off."""
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    """Mean of each colour channel over pixel values in [0, 1]; subtracted from the input."""
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    """Standard deviation of each colour channel over pixel values in [0, 1]; the input is divided by it."""

    def build(self) -> ResNet:
        """Returns a network with random weights and two output classes: 0 is low quality, 1 is high quality."""
        block = type("Bottleneck", (Bottleneck,), {"expansion": self.expansion})
        return ResNet(block, list(self.layers), num_classes=_NUM_CLASSES, width_per_group=self.width_per_group)

    def squeezed(self, image: Image.Image) -> np.ndarray:
        """Resizes an image to a square of side S = `image_size`, ignoring its proportions. Returns: uint8 [S, S, 3]."""
        return np.asarray(image.resize((self.image_size, self.image_size), Image.Resampling.BILINEAR, reducing_gap=2.0))

    def normalised(self, images: np.ndarray) -> torch.Tensor:
        """Converts N square images of side S, uint8 [N, S, S, 3], to the network's input, float32 [N, 3, S, S]."""
        values = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).float() / 255
        return (values - torch.tensor(self.mean)[:, None, None]) / torch.tensor(self.std)[:, None, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Temperature and threshold with which the network's two logits are converted to a verdict."""

    temperature: float = 1.0
    """Number by which the logits are divided, so that the probabilities are calibrated."""
    threshold: float = 0.5
    """Least probability of high quality with which a photograph passes."""
    trained: bool = False
    """True if temperature and threshold were chosen for these weights, on labelled photographs."""


class Quality:
    """Adds the column `quality`, the probability that a photograph is good; rejects photographs below the threshold."""

    def __init__(self, settings: QualitySettings) -> None:
        assert settings.path is not None, "quality.path must be checked before the run"
        self._path, self._decision = settings.path, decision_of(settings)
        self._model, self._config = load_resnet(settings.path)
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._model.to(self._device)

    def judge_all(self, photographs: Sequence[Photograph]) -> list[Verdict]:
        """Returns one verdict for each photograph, from one forward pass of the network."""
        probabilities = self.probabilities([photograph.photo for photograph in photographs])
        return [self._verdict(probability) for probability in probabilities]

    @torch.inference_mode()
    def probabilities(self, photos: Sequence[Path | str]) -> list[float]:
        """Returns the calibrated probability that each of N photographs has high quality, [N].

        Raises: UserError when the network returns NaN, which would pass every threshold.
        """
        if not photos:
            return []
        size = self._config.image_size
        images = np.stack([self._config.squeezed(read_photograph(path, shorter_side=size)) for path in photos])
        logits = self._model(self._config.normalised(images).to(self._device)).double()
        if not logits.isfinite().all():
            raise UserError(f"quality.path {self._path}: the network returns NaN or infinity; its weights are damaged")
        return (logits / self._decision.temperature).softmax(dim=1)[:, 1].tolist()

    def _verdict(self, probability: float) -> Verdict:
        columns = {PROBABILITY.name: probability}
        if probability < self._decision.threshold:
            reason = f"probability of good quality {probability:.3f}, needed {self._decision.threshold:g}"
            return Rejected(reason=reason, columns=columns)
        return Kept(columns=columns)


def decision_of(settings: QualitySettings) -> Decision:
    """Returns temperature and threshold: for each, the value in the settings if there is one, else the value saved with
    the weights, else the default.

    Raises: UserError when the config.json beside the weights is damaged.
    """
    assert settings.path is not None, "quality.path must be checked before the run"
    saved = _read_config(settings.path / _CONFIG)[1] if settings.path.is_dir() else Decision()
    return Decision(
        temperature=saved.temperature if settings.temperature is None else settings.temperature,
        threshold=saved.threshold if settings.threshold is None else settings.threshold,
        trained=saved.trained,
    )


def load_resnet(path: Path) -> tuple[ResNet, ResNetConfig]:
    """Loads a network in evaluation mode. `path` is a folder with config.json and model.safetensors, or a file with the
    weights of a ResNet-50.

    Raises: UserError when a file is missing or the weights don't fit the network.
    """
    path = Path(path)
    config, weights = ResNetConfig(), path
    if path.is_dir():
        weights = path / WEIGHTS
        config = _read_config(path / _CONFIG)[0]
    if not weights.is_file():
        raise UserError(f"quality.path {path}: no such file or folder, or a folder without {WEIGHTS}")
    model, found = config.build(), _read_weights(weights, "quality.path")
    num_classes = len(found["fc.weight"]) if "fc.weight" in found else _NUM_CLASSES
    if num_classes != _NUM_CLASSES:
        raise UserError(
            f"quality.path {weights}: a classifier of {num_classes} classes; it needs two, 0 for low and 1 for high "
            "quality. `python -m launch train-quality --init FILE` trains it from these weights"
        )
    try:
        model.load_state_dict(found)
    except RuntimeError as error:
        raise UserError(f"quality.path {weights}: not the weights of {config}: {error}") from error
    return model.eval(), config


def load_pretrained(weights: Path, config: ResNetConfig) -> ResNet:
    """Loads a network for further training.

    If the last layer in the file has a different number of classes, it is not loaded: the network's last layer keeps
    its random weights.

    Raises: UserError when the file is missing or its weights don't fit the network.
    """
    if not weights.is_file():
        raise UserError(f"init {weights}: the file of initial weights does not exist")
    found = _read_weights(weights, "init")
    model = config.build()
    fresh = {name: value for name, value in model.state_dict().items() if name.startswith("fc.")}
    if any(name in found and found[name].shape != value.shape for name, value in fresh.items()):
        found |= fresh
    try:
        model.load_state_dict(found)
    except RuntimeError as error:
        raise UserError(f"init {weights}: not the weights of {config}: {error}") from error
    return model


def save_resnet(model: ResNet, config: ResNetConfig, folder: Path, decision: Decision | None = None) -> None:
    """Writes a network, its config and its `decision` (temperature, threshold) to a folder; `load_resnet` loads it."""
    folder.mkdir(parents=True, exist_ok=True)
    fields: dict[str, Any] = asdict(config)
    if decision is not None:
        fields["decision"] = {"temperature": decision.temperature, "threshold": decision.threshold}
    safetensors.torch.save_file(model.state_dict(), folder / WEIGHTS)
    (folder / _CONFIG).write_text(json.dumps(fields, indent=2) + "\n")


def _read_weights(path: Path, setting: str) -> dict[str, torch.Tensor]:
    if path.suffix != ".safetensors":
        raise UserError(
            f"{setting} {path}: pickled weights can run code and are not read. Convert them once: "
            "safetensors.torch.save_file(torch.load(path, weights_only=True), 'model.safetensors')"
        )
    try:
        return safetensors.torch.load_file(path)
    except safetensors.SafetensorError as error:
        raise UserError(f"{setting} {path}: not a safetensors file: {error}") from error


def _read_config(path: Path) -> tuple[ResNetConfig, Decision]:
    try:
        fields: dict[str, Any] = json.loads(path.read_text())
        decision = fields.pop("decision", None)
        for name in ("layers", "mean", "std"):
            if name in fields:
                fields[name] = tuple(fields[name])
        return ResNetConfig(**fields), Decision(**decision, trained=True) if decision else Decision()
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserError(f"quality.path: {path} can't be read as the config of a ResNet: {error}") from error
