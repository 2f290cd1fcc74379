"""Settings of the inputs of a job: a checkpoint and a data set."""

from pathlib import Path
from typing import Literal

import pydantic

from vaserl.settings.section import Section


class ModelSettings(Section):
    """Settings of the vision-language model that the job starts from."""

    path: Path
    """Folder of a Qwen2.5-VL checkpoint in Hugging Face's format."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Precision of weights and activations, in the learner and in the engines."""


CAPTION_PROMPT = "Describe the vase."


class DataSettings(Section):
    """Settings of the data set, and of how its clips (turntable videos of vases) are passed to the model."""

    path: Path
    """Folder of a curated data set, with manifest.parquet and clips/ in it."""
    prompt: str = pydantic.Field(default=CAPTION_PROMPT, min_length=1)
    """Text of the user's message that asks for a caption of the vase, in training and evaluation."""
    system: str = ""
    """Text of the system message, which comes before the clip in every prompt of the job. If empty, no system message
    is given, and the model's chat template may put its own ("You are a helpful assistant." in Qwen2.5-VL)."""
    num_frames: int = pydantic.Field(default=16, ge=2, multiple_of=2)
    """Number of frames of each clip that the model gets, evenly spaced over one turn of the vase. Must be a multiple of
    2, because the vision tower encodes pairs of frames."""
