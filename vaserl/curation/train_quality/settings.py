"""Settings of `python -m launch train-quality`, the job that trains the quality filter."""

import re
from pathlib import Path
from typing import Annotated

import pydantic

from vaserl.settings.section import Section
from vaserl.settings.submitted import WRITTEN

_Share = pydantic.Field(default=0.15, gt=0, lt=0.5)


class LabelSettings(Section):
    """Settings of the labelled photographs: where they are stored and how their labels are read."""

    path: Path
    """Folder that contains a subfolder of photographs for each label, or a table (.csv or .jsonl) that lists
    photographs and their labels."""
    low: tuple[str, ...] = ("low", "0")
    """Labels of bad photographs. If `path` is a folder, a label is the name of a subfolder; if it is a table, a label
    is a value of the column `label_field`."""
    high: tuple[str, ...] = ("high", "1")
    """Labels of good photographs. If `path` is a folder, a label is the name of a subfolder; if it is a table, a label
    is a value of the column `label_field`."""
    label_field: str = "label"
    """Column of the table that contains the label. The table also has a column `file` with paths relative to the
    table's folder, and may have a column `vase_id` with the ids of the vases."""
    pattern: str = r"(?P<vase_id>.+?)(?:_(?:\d+|front|back|left|right|top|bottom))?"
    """Regular expression whose group vase_id is the vase's id. It is matched against a photograph's file name without
    suffix, if no table contains the id. The id is needed to put all photographs of a vase into the same split."""

    @pydantic.field_validator("pattern")
    @classmethod
    def _names_the_vase(cls, value: str) -> str:
        try:
            groups = re.compile(value).groupindex
        except re.error as error:
            raise ValueError(f"{value!r} is not a regular expression: {error}") from error
        if "vase_id" not in groups:
            raise ValueError(f"the pattern must contain the group (?P<vase_id>…), got {value!r}")
        return value

    @pydantic.model_validator(mode="after")
    def _classes_differ(self):
        both = set(self.low) & set(self.high)
        if both or not self.low or not self.high:
            raise ValueError(
                f"low and high must not be empty and must have no label in common, got {self.low} and {self.high}"
            )
        return self


class ShapeSettings(Section):
    """Settings of the size of the network, a residual network (ResNet). The default values give a ResNet-50."""

    layers: tuple[int, int, int, int] = (3, 4, 6, 3)
    """Number of residual blocks in each of the network's four stages."""
    width_per_group: int = pydantic.Field(default=64, ge=1)
    """Number of channels of the middle (3 x 3) convolutions of the residual blocks in the first stage; it doubles from
    each stage to the next."""
    expansion: int = pydantic.Field(default=4, ge=1)
    """Number of output channels of the residual blocks in the four stages, as a multiple of 64, 128, 256 and 512
    channels."""
    image_size: int = pydantic.Field(default=224, ge=32)
    """Side in pixels of the square to which each photograph is resized, regardless of its aspect ratio."""


class AugmentSettings(Section):
    """Settings of the random changes to training photographs, which are different in every epoch.

    Rotation, zoom and other changes that resample pixels are omitted, because they blur photographs and the network
    must learn to recognise blurred photographs.
    """

    mirror: float = pydantic.Field(default=0.5, ge=0, le=1)
    """Probability that a photograph is mirrored left to right."""
    shift: float = pydantic.Field(default=0.0625, ge=0, lt=0.5)
    """Maximum shift of a photograph in each direction, as a share of its side; it is rounded to whole pixels. The edge
    pixels are repeated to fill the gap."""
    colour: float = pydantic.Field(default=0.2, ge=0)
    """Standard deviation of the random factor and of the random offset by which the normalised pixels of each colour
    channel are changed. They keep the network from relying on the light or the background."""


class TrainQualitySettings(Section):
    """Settings of the job that trains the quality filter, a classifier of good and bad photographs, calibrates it, and
    chooses its threshold."""

    labels: LabelSettings
    out: Annotated[Path, WRITTEN]
    """Folder for the results: weights, config, versions and report. To use the filter in a curation, set quality.path
    to this folder."""
    init: Path | None = None
    """File (.safetensors) with initial weights in torchvision's format, for a network of the size given in `shape`. Its
    last layer may have any number of classes. If absent, training starts from random weights; a ResNet-50 then needs
    many thousand photographs."""
    seed: int = 0
    """Seed of the random numbers for the split, the initial weights, the order of the photographs and the
    augmentation."""
    shape: ShapeSettings = ShapeSettings()
    augment: AugmentSettings = AugmentSettings()
    val_share: float = _Share
    """Share of the photographs used for validation. The best epoch, the temperature and the threshold are chosen on
    them. All photographs of a vase are in the same split."""
    test_share: float = _Share
    """Share of the photographs used for the test, whose results are reported. All photographs of a vase are in the same
    split."""
    num_epochs: int = pydantic.Field(default=40, ge=1)
    """Maximum number of epochs, which are passes over the training photographs. The learning rate decreases over this
    number of epochs."""
    patience: int = pydantic.Field(default=8, ge=1)
    """Number of epochs without a new lowest validation loss after which training stops. The weights of the best epoch
    are saved."""
    batch_size: int = pydantic.Field(default=32, ge=2)
    """Number of photographs in an optimizer step."""
    learning_rate: float = pydantic.Field(default=5e-4, gt=0)
    """Maximum learning rate. It is reached after 5 % of the optimizer steps."""
    weight_decay: float = pydantic.Field(default=0.05, ge=0)
    """Weight decay of the AdamW optimizer. It is applied only to matrices and convolution kernels."""
    target_precision: float = pydantic.Field(default=0.95, gt=0, lt=1)
    """Precision that the threshold must have on the validation photographs. Of the thresholds with at least this
    precision, the one with the highest recall is chosen."""
    num_threads: int = pydantic.Field(default=4, ge=1)
    """Number of threads that decode photographs in parallel."""
