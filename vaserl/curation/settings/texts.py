"""How captions are worded, and what they leave out."""

from pathlib import Path
from typing import Any, ClassVar, Literal

import pydantic

from vaserl.settings.section import Section

_Share = pydantic.Field(default=0.0, ge=0, le=1)


class SilenceSettings(Section):
    """Shares of catalogue captions that leave a dimension out though the record states it."""

    fabric: float = _Share
    """Share of captions without the fabric."""
    technique: float = _Share
    """Share of captions without the technique."""
    shape: float = _Share
    """Share of captions without the shape."""
    dating: float = _Share
    """Share of captions without the date."""
    decoration: float = _Share
    """Share of captions without the decoration."""
    attribution: float = _Share
    """Share of captions without the attribution."""


class WriterSettings(Section):
    """A language model that words the captions; each statement is checked against the record."""

    RENAMED: ClassVar = {"pool": "[pool.describe]"}

    path: Path
    """Its folder in Hugging Face's form."""
    prompt: Path = Path("configs/curate/describe.txt")
    """Its prompt: a text with {record} where the fields that the caption may state are inserted, one a line."""
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """Precision in which it computes."""
    max_new_tokens: int = pydantic.Field(default=160, ge=1)
    """Largest number of tokens of a caption; a longer one is refused."""
    temperature: float = pydantic.Field(default=0.0, ge=0)
    """Sampling temperature; 0 is greedy. Higher values make captions of similar vases differ more, and more of them are
    refused."""
    engine_args: dict[str, Any] = pydantic.Field(default_factory=dict)
    """Further arguments of vllm.LLM, passed through untouched."""


class DescribeSettings(Section):
    """The captions."""

    writer: Literal["rules", "llm"] = "rules"
    """"rules": the record's values in a fixed sentence. "llm": a language model's words where they state just what the
    record does, else the rules; [describe.llm] says which model."""
    llm: WriterSettings | None = None
    """The model of writer = "llm"."""
    silence: SilenceSettings = SilenceSettings()
    """Shares of silence; with 0 everywhere captions state all that the records do."""

    @pydantic.model_validator(mode="after")
    def _llm_has_a_model(self):
        if self.writer == "llm" and self.llm is None:
            raise ValueError('writer = "llm" needs [describe.llm] with the path of a model')
        return self
