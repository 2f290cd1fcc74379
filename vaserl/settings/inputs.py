"""What a job starts from: a checkpoint and a data set."""

from pathlib import Path
from typing import Literal

import pydantic

from vaserl.settings.section import Section


class ModelSettings(Section):
    path: Path
    """Folder of a Qwen2.5-VL checkpoint in the Hugging Face form."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Precision of weights and activations, in learner and engine alike."""


class DataSettings(Section):
    path: Path
    """Folder of a curated data set: manifest.parquet and clips/."""
    num_frames: int = pydantic.Field(default=16, ge=2, multiple_of=2)
    """Frames of a clip that the model sees, evenly spaced around the turn; the vision tower takes them in pairs."""
