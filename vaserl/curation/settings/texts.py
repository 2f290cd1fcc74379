"""Who words the captions, and what they leave out."""

from pathlib import Path
from typing import Any, Literal

import pydantic

from vaserl.curation.settings.pool import PoolSettings
from vaserl.settings.section import Section

_Share = pydantic.Field(default=0.0, ge=0, le=1)


class SilenceSettings(Section):
    """Shares of catalogue captions that leave a dimension out though the record states it."""

    fabric: float = _Share
    technique: float = _Share
    shape: float = _Share
    dating: float = _Share
    decoration: float = _Share
    attribution: float = _Share


class WriterSettings(Section):
    """A language model that words the captions; every statement of its is checked against the record."""

    path: Path
    """Its folder in Hugging Face's form."""
    prompt: Path = Path("configs/curate/describe.txt")
    """What it is asked: a text with {record} where the fields stand that the caption is to state, one a line."""
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """In which it computes."""
    max_new_tokens: int = pydantic.Field(default=160, ge=1)
    """Length at which a caption is cut; a cut one is refused."""
    temperature: float = pydantic.Field(default=0.0, ge=0)
    """0 takes the likeliest words; above it captions of like vases differ more, and more of them are refused."""
    engine_args: dict[str, Any] = pydantic.Field(default_factory=dict)
    """Further arguments of vLLM, passed on as they are."""
    pool: PoolSettings = PoolSettings(num_cpus=1, batch_size=64)


class DescribeSettings(Section):
    writer: Literal["rules", "llm"] = "rules"
    """"rules": the record's values in a fixed sentence. "llm": a language model's words where they state just what the
    record does, else the rules; [describe.llm] says which model."""
    llm: WriterSettings | None = None
    """The model of writer = "llm"."""
    silence: SilenceSettings = SilenceSettings()
    """Real catalogues are terse; 0 everywhere makes captions that say all that the records do."""

    @pydantic.model_validator(mode="after")
    def _llm_has_a_model(self):
        if self.writer == "llm" and self.llm is None:
            raise ValueError('writer = "llm" needs [describe.llm] with the path of a model')
        return self
