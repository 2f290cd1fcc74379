"""Settings of `python -m launch train-quality`, the job that trains the quality filter."""

import re
from pathlib import Path

import pydantic

from vaserl.settings.section import Section

_Share = pydantic.Field(default=0.15, gt=0, lt=0.5)


class LabelSettings(Section):
    """Settings of the labelled photographs: where they lie and how their labels are read."""

    path: Path
    """Folder with a subfolder of photographs for each class, or a list of photographs with labels (.csv, .jsonl)."""
    low: tuple[str, ...] = ("low", "0")
    """Names of the subfolder, or values of the label, that mean a bad photograph."""
    high: tuple[str, ...] = ("high", "1")
    """Names of the subfolder, or values of the label, that mean a good photograph."""
    label_field: str = "label"
    """Column of the list that holds the label. The other columns are `file`, a path relative to the list, and, if
    known, `vase_id`."""
    pattern: str = r"(?P<vase_id>.+?)(?:_(?:\d+|front|back|left|right|top|bottom))?"
    """Regular expression that finds the vase in a photograph's file name without suffix, if no `vase_id` is listed. Its
    group vase_id is the vase's id; all photographs of a vase go into the same split."""

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
    """Settings of the network's size; the defaults are those of ResNet-50."""

    layers: tuple[int, int, int, int] = (3, 4, 6, 3)
    """Number of residual blocks in each of the network's four stages."""
    width_per_group: int = pydantic.Field(default=64, ge=1)
    """Number of channels inside the bottlenecks of the first stage; it doubles with each further stage."""
    expansion: int = pydantic.Field(default=4, ge=1)
    """Number of channels between the blocks of the four stages, as a multiple of 64, 128, 256 and 512."""
    image_size: int = pydantic.Field(default=224, ge=32)
    """Width and height in pixels to which a photograph is resized, whatever its aspect ratio."""


class AugmentSettings(Section):
    """Settings of the random changes to training photographs, which are drawn again in every epoch.

    There is no rotation, zoom or other resampling on purpose: it blurs, and the network must recognise blurred
    photographs.
    """

    mirror: float = pydantic.Field(default=0.5, ge=0, le=1)
    """Probability that a photograph is mirrored."""
    shift: float = pydantic.Field(default=0.0625, ge=0, lt=0.5)
    """Largest shift of a photograph as a share of its side, rounded to whole pixels; its edges are repeated."""
    colour: float = pydantic.Field(default=0.2, ge=0)
    """Standard deviation of a random gain and offset for each colour channel, in units of normalised pixels, so that
    the network does not rely on the light or the background."""


class TrainQualitySettings(Section):
    """Settings of the job that trains and calibrates a classifier of good and bad photographs and chooses its
    threshold."""

    labels: LabelSettings
    out: Path
    """Folder that weights, config, versions and report are written to; a curation names it in quality.path."""
    init: Path | None = None
    """File of torchvision's weights for a network of this size (.safetensors; the last layer may have any number of
    classes), from which training starts. If absent, training starts from random weights; a ResNet-50 then needs many
    thousand photographs."""
    seed: int = 0
    """Seed of the split, the initial weights, the order of the photographs and the augmentation."""
    shape: ShapeSettings = ShapeSettings()
    augment: AugmentSettings = AugmentSettings()
    val_share: float = _Share
    """Share of the photographs used for validation, on which the end of training, the temperature and the threshold are
    chosen. All photographs of a vase are in one split."""
    test_share: float = _Share
    """Share of the photographs used for the report only. All photographs of a vase are in one split."""
    num_epochs: int = pydantic.Field(default=40, ge=1)
    """Largest number of passes over the training photographs; the learning rate decays over all of them."""
    patience: int = pydantic.Field(default=8, ge=1)
    """Number of epochs without a smaller loss on validation after which training stops; the weights of the best epoch
    are kept."""
    batch_size: int = pydantic.Field(default=32, ge=2)
    """Number of photographs per optimizer step."""
    learning_rate: float = pydantic.Field(default=5e-4, gt=0)
    """Largest learning rate, reached after a twentieth of the steps."""
    weight_decay: float = pydantic.Field(default=0.05, ge=0)
    """Weight decay of AdamW, applied to matrices and convolution kernels only."""
    target_precision: float = pydantic.Field(default=0.95, gt=0, lt=1)
    """Precision that the threshold must reach on the validation photographs. Of the thresholds that reach it, the one
    with the greatest recall is chosen."""
    num_threads: int = pydantic.Field(default=4, ge=1)
    """Number of threads that decode photographs."""
