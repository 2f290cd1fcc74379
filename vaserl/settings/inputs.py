"""Settings of the inputs of a job: a checkpoint and a data set."""

from pathlib import Path
from typing import Annotated, Any, Literal

import pydantic

from vaserl.settings.section import Section
from vaserl.settings.submitted import READ_OR_URL, WRITTEN


class ModelSettings(Section):
    """Settings of the vision-language model that the job starts from."""

    path: Path
    """Folder of a Qwen2.5-VL checkpoint in Hugging Face's format, or hf://ORG/NAME for a model of the Hugging Face hub,
    with @REVISION for a branch, tag or commit. sft, train and evaluate then download it into the cache of
    huggingface_hub, which all nodes of a cluster must see (HF_HOME)."""
    hub: str = ""
    """Name and commit of the hub's model in the folder `path`, as ORG/NAME@COMMIT. A job whose path is hf://ORG/NAME
    sets it; other jobs need not."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Precision of weights and activations, in the learner and in the engines."""

    @pydantic.field_validator("path", mode="before")
    @classmethod
    def _is_a_folder(cls, value: Any) -> Any:
        if isinstance(value, str) and value.startswith(_HUB):
            name, _, revision = value.removeprefix(_HUB).partition("@")
            raise ValueError(
                f"{value}: only sft, train and evaluate download a model. Give the folder that "
                f"`hf download {name}{f' --revision {revision}' if revision else ''}` prints"
            )
        return value


_HUB = "hf://"


def _place(value: Any) -> Any:
    """Returns the Path for a text that is no URL; leaves everything else."""
    if not isinstance(value, str):
        return value
    return (
        value.rstrip("/") if "://" in value and not value.startswith("file://") else Path(value.removeprefix("file://"))
    )


CAPTION_PROMPT = "Describe the vase."


class DataSettings(Section):
    """Settings of the data set, and of how its clips (turntable videos of vases) are passed to the model."""

    path: Annotated[Path | str, pydantic.BeforeValidator(_place), READ_OR_URL]
    """Folder of a curated data set, with manifest.parquet and clips/ in it, or its fsspec URL, such as
    s3://bucket/vases. Behind a URL nothing may change while jobs use it."""
    cache_folder: Annotated[Path, WRITTEN] = Path("~/.cache/vaserl/clips")
    """Folder on each machine that keeps the clips fetched from a URL, best on a local disk. Unused without a URL."""
    cache_max_gb: float = pydantic.Field(default=20.0, gt=0)
    """Largest size of `cache_folder` in GB (10^9 bytes); the least recently opened clips are removed first."""
    prompt: str = pydantic.Field(default=CAPTION_PROMPT, min_length=1)
    """Text of the user's message that asks for a caption of the vase, in training and evaluation."""
    system: str = ""
    """Text of the system message, which comes before the clip in every prompt of the job. If empty, no system message
    is given, and the model's chat template may put its own ("You are a helpful assistant." in Qwen2.5-VL)."""
    num_frames: int = pydantic.Field(default=16, ge=2, multiple_of=2)
    """Number of frames of each clip that the model gets, evenly spaced over one turn of the vase. Must be a multiple of
    2, because the vision tower encodes pairs of frames."""
