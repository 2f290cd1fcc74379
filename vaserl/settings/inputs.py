"""The inputs of a job: a checkpoint and a data set."""

from pathlib import Path
from typing import Literal

import pydantic

from vaserl.settings.section import Section


class ModelSettings(Section):
    """The checkpoint that the job starts from."""

    path: Path
    """Folder of a Qwen2.5-VL checkpoint in Hugging Face's format."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Precision of weights and activations, in learner and engine alike."""


class DataSettings(Section):
    """The data set, and how much of each clip the model sees."""

    path: Path
    """Folder of a curated data set, with manifest.parquet and clips/ in it."""
    num_frames: int = pydantic.Field(default=16, ge=2, multiple_of=2)
    """Frames of a clip that the model sees, evenly spaced over the turn; even, because the vision tower reads pairs."""
