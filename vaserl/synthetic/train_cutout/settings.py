"""Settings of `python -m launch train-cutout`, the job that trains the cut-out network."""

from pathlib import Path
from typing import Annotated

import pydantic

from vaserl.settings.section import Section
from vaserl.settings.submitted import WRITTEN


class ForegroundSettings(Section):
    """Settings of the rendered objects of which the scenes are composed. They are rendered at the start, on the
    device that trains."""

    num_objects: int = pydantic.Field(default=1300, ge=1)
    """Number of objects to train on, each rendered from four to eight sides; a view takes `side`² * 7 bytes on the
    device."""
    num_held_out: int = pydantic.Field(default=100, ge=1)
    """Number of further objects, on which the result is scored."""
    side: int = pydantic.Field(default=288, ge=32)
    """Side of a rendered view in pixels."""
    seed: int = 0
    """Seed of the objects."""
    num_workers: int = pydantic.Field(default=2, ge=1)
    """Number of processes that sample forms and paints."""
    keep: Annotated[Path | None, WRITTEN] = None
    """File (.safetensors) in which the rendered views are kept for the next slice. If absent, each slice renders
    them."""


class TrainCutoutSettings(Section):
    """Settings of the job that trains the cut-out network on composed scenes."""

    out: Annotated[Path, WRITTEN]
    """Folder for the results: weights, recipe, contact sheet, log and checkpoint."""
    foregrounds: ForegroundSettings = ForegroundSettings()
    start_from: Path | None = None
    """Folder with cutout.safetensors and cutout.json: weights to begin with, of a network of the same `widths` and
    `depths`. If absent, they are random."""
    start_share: float = pydantic.Field(default=0.0, ge=0, lt=1)
    """Share of the weights to begin with in the result; the rest is the trained ones. Averages of the two find views
    of real photographs better than either (Wortsman et al., "Robust fine-tuning of zero-shot models", 2022)."""
    seed: int = 0
    """Seed of the initial weights and of all scenes."""
    widths: tuple[int, int, int, int, int] = (24, 32, 56, 112, 160)
    """Number of channels of the network at a half, a quarter, … a 32nd of the picture's size. The last one is a
    multiple of 4."""
    depths: tuple[int, int, int, int, int] = (1, 2, 3, 4, 2)
    """Number of blocks at each of these sizes."""
    num_steps: int = pydantic.Field(default=4000, ge=1)
    """Number of optimizer steps; each sees new scenes."""
    batch_size: int = pydantic.Field(default=256, ge=2)
    """Number of scenes of a step at the first of `sides`; at larger sides fewer, so that the number of pixels stays."""
    sides: tuple[int, ...] = (224, 256, 192)
    """Sides of the square scenes in pixels, multiples of 32; the steps take turns."""
    learning_rate: float = pydantic.Field(default=2e-3, gt=0)
    """Maximum learning rate. It is reached after 4 % of the steps, and falls to 0 along a cosine."""
    weight_decay: float = pydantic.Field(default=0.02, ge=0)
    """Weight decay of the AdamW optimizer, applied to matrices and kernels only."""
    ema: float = pydantic.Field(default=0.998, ge=0, lt=1)
    """Decay of the moving average of the weights; the average is what is saved and scored."""
    checkpoint_every: int = pydantic.Field(default=500, ge=1)
    """Number of steps between two checkpoints."""
    stop_after_s: float = pydantic.Field(default=0, ge=0)
    """Seconds of training after which the job writes a checkpoint and ends; the same command continues. 0 never ends
    early."""
    num_scored: int = pydantic.Field(default=1024, ge=1)
    """Number of scenes of held-out objects on which the result is scored."""

    @pydantic.model_validator(mode="after")
    def _have_weights_to_share(self) -> "TrainCutoutSettings":
        if self.start_share and self.start_from is None:
            raise ValueError("start_share needs start_from, the weights to begin with")
        return self

    @pydantic.field_validator("sides")
    @classmethod
    def _fit_the_network(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if not value or any(side % 32 or side < 64 for side in value):
            raise ValueError(f"sides must be multiples of 32 of at least 64, got {value}")
        return value
