"""The settings of `python -m launch train-quality`."""

import re
from pathlib import Path

import pydantic

from vaserl.settings.section import Section

_Share = pydantic.Field(default=0.15, gt=0, lt=0.5)


class LabelSettings(Section):
    """The labelled photographs."""

    path: Path
    """Folder with one folder of photographs for each class, or a list of photographs with labels (.csv, .jsonl)."""
    low: tuple[str, ...] = ("low", "0")
    """Names of the folder, or values of the label, of photographs that are not usable."""
    high: tuple[str, ...] = ("high", "1")
    """Names of the folder, or values of the label, of good photographs."""
    label_field: str = "label"
    """Field of a list that holds the label; beside it stand `file`, relative to the list, and `vase_id`."""
    pattern: str = r"(?P<vase_id>.+?)(?:_(?:\d+|front|back|left|right|top|bottom))?"
    """Regular expression over a file's name without suffix, where no `vase_id` is listed: its group vase_id names
    the vase, whose photographs stay together in the split."""

    @pydantic.field_validator("pattern")
    @classmethod
    def _names_the_vase(cls, value: str) -> str:
        try:
            groups = re.compile(value).groupindex
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if "vase_id" not in groups:
            raise ValueError("the pattern must name the group (?P<vase_id>…)")
        return value

    @pydantic.model_validator(mode="after")
    def _classes_differ(self):
        both = set(self.low) & set(self.high)
        if both or not self.low or not self.high:
            raise ValueError(f"low and high must name different classes, both name {sorted(both)}")
        return self


class ShapeSettings(Section):
    """The network; the defaults are those of ResNet-50."""

    layers: tuple[int, int, int, int] = (3, 4, 6, 3)
    """Blocks of each of the four stages."""
    width_per_group: int = pydantic.Field(default=64, ge=1)
    """Channels inside the first stage's bottlenecks; the others follow from it."""
    expansion: int = pydantic.Field(default=4, ge=1)
    """Channels between the blocks, relative to 64, 128, 256 and 512."""
    image_size: int = pydantic.Field(default=224, ge=32)
    """Side of the square to which a photograph is squeezed."""


class AugmentSettings(Section):
    """Random changes of each photograph, drawn again in every epoch of training and applied nowhere else.

    There is no rotation, zoom or other resampling on purpose: they blur, and the network must recognise blurs.
    """

    mirror: float = pydantic.Field(default=0.5, ge=0, le=1)
    """Share of photographs that are mirrored."""
    shift: float = pydantic.Field(default=0.0625, ge=0, lt=0.5)
    """Largest shift in whole pixels, as a share of the side; edges are repeated."""
    colour: float = pydantic.Field(default=0.2, ge=0)
    """Standard deviation of a random gain and offset of each channel, in units of normalised pixels: neither lamp nor
    backdrop should decide."""


class TrainQualitySettings(Section):
    """A classifier of good and bad photographs, trained, calibrated and given a threshold."""

    labels: LabelSettings
    out: Path
    """Folder for weights, config, versions and report; quality.path of a curation."""
    init: Path | None = None
    """torchvision's weights of that network (.safetensors; its last layer may have any number of classes). Left out,
    training starts at random, which a ResNet-50 needs many thousand photographs for."""
    seed: int = 0
    """Seed of the split, the first weights, the order and the augmentation."""
    shape: ShapeSettings = ShapeSettings()
    augment: AugmentSettings = AugmentSettings()
    val_share: float = _Share
    """Share of the photographs on which early stop, temperature and threshold are chosen; whole vases."""
    test_share: float = _Share
    """Share of the photographs that only the report uses; whole vases."""
    num_epochs: int = pydantic.Field(default=40, ge=1)
    """Largest number of passes over the training photographs; the learning rate decays over all of them."""
    patience: int = pydantic.Field(default=8, ge=1)
    """Epochs without a smaller loss on validation after which training stops; the best epoch's weights are kept."""
    batch_size: int = pydantic.Field(default=32, ge=2)
    """Photographs in a step."""
    learning_rate: float = pydantic.Field(default=5e-4, gt=0)
    """Highest learning rate, reached after a twentieth of the steps."""
    weight_decay: float = pydantic.Field(default=0.05, ge=0)
    """AdamW's weight decay, of matrices and kernels only."""
    target_precision: float = pydantic.Field(default=0.95, gt=0, lt=1)
    """Precision on validation that the threshold must reach; among such thresholds the one with the greatest recall is
    chosen."""
    num_threads: int = pydantic.Field(default=4, ge=1)
    """Threads that decode photographs."""
