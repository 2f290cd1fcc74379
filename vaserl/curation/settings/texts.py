"""Settings of captions: how they are worded, and which facts they omit."""

from pathlib import Path
from typing import Any, ClassVar, Literal

import pydantic

from vaserl.settings.chat_server import ChatServerSettings
from vaserl.settings.section import Section

_Share = pydantic.Field(default=0.0, ge=0, le=1)


class SilenceSettings(Section):
    """Settings of the facts that catalogue captions omit although the record states them."""

    fabric: float = _Share
    """Share of captions that omit the fabric."""
    technique: float = _Share
    """Share of captions that omit the technique."""
    shape: float = _Share
    """Share of captions that omit the shape."""
    dating: float = _Share
    """Share of captions that omit the date."""
    decoration: float = _Share
    """Share of captions that omit the decoration."""
    attribution: float = _Share
    """Share of captions that omit the attribution."""


class WriterSettings(Section):
    """Settings of the language model that words the captions; each of its statements is checked against the record.
    Either `path` or the table [describe.llm.server] says where the model is."""

    RENAMED: ClassVar = {"pool": "[pool.describe]"}

    path: Path | None = None
    """Folder of the language model in Hugging Face's format, for a vLLM engine within the job."""
    server: ChatServerSettings | None = None
    """Settings of a server that runs the language model."""
    prompt: Path = Path("configs/curate/describe.txt")
    """File of the language model's prompt, a text in which {record} is replaced by the fields that the caption may
    state, one per line."""
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    """Floating-point type in which the language model computes."""
    max_new_tokens: int = pydantic.Field(default=160, ge=1)
    """Largest number of tokens in a caption; a longer caption is replaced by the rules' wording."""
    temperature: float = pydantic.Field(default=0.0, ge=0)
    """Sampling temperature; 0 is greedy. Higher values make the captions of similar vases differ more, and more of them
    fail the check against the record."""
    engine_args: dict[str, Any] = pydantic.Field(default_factory=dict)
    """Further arguments of vllm.LLM, passed through unchanged."""

    @pydantic.model_validator(mode="after")
    def _has_one_model(self):
        if (self.path is None) == (self.server is None):
            raise ValueError("needs either the path of a language model or a table [describe.llm.server]")
        fields = WriterSettings.model_fields
        of_engine = [
            n for n in ("dtype", "engine_args") if getattr(self, n) != fields[n].get_default(call_default_factory=True)
        ]
        if self.server and of_engine:
            raise ValueError(f"{' and '.join(of_engine)} has no effect beside [describe.llm.server]; remove it")
        return self


class DescribeSettings(Section):
    """Settings of the captions."""

    writer: Literal["rules", "llm"] = "rules"
    """How captions are worded. "rules": the record's values in a fixed sentence. "llm": the language model's wording if
    it states exactly what the record does, otherwise that of the rules; [describe.llm] configures the model."""
    llm: WriterSettings | None = None
    """Settings of the language model; required with writer = "llm"."""
    silence: SilenceSettings = SilenceSettings()
    """Shares of captions that omit a fact; with 0 everywhere, captions state all that the records do."""

    @pydantic.model_validator(mode="after")
    def _llm_has_a_model(self):
        if self.writer == "llm" and self.llm is None:
            raise ValueError(
                'writer = "llm" needs a section [describe.llm] with the path or the server of a language model'
            )
        return self
