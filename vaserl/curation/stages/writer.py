"""The language model that writes captions: its prompt, its answers, and the checks before a run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vaserl.curation.settings import DescribeSettings
from vaserl.errors import UserError
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION

PLACE = "{record}"
"""Placeholder in the prompt, which is replaced by the fields of the record."""

LONGEST = "the answer reached describe.llm.max_new_tokens"
"""Problem of a caption that the language model did not end."""


@dataclass(frozen=True, slots=True)
class Wording:
    """A caption as a writer words it."""

    text: str
    """The caption; empty if the writer has none."""
    problem: str = ""
    """Why the writer has no caption; empty if it has one."""


Write = Callable[[Sequence[Mapping[str, str]]], Sequence[Wording]]
"""Function that words one caption for each record. The records contain only the fields that the caption should
state."""


def check_writer(settings: DescribeSettings, batch_timeout_s: float) -> None:
    """Checks the language model, if one writes the captions: its prompt file, and its folder or its server.

    batch_timeout_s: seconds in which the stage must have described a batch.

    Raises: UserError when a file is missing, the server doesn't answer, or a batch may take too long.
    """
    if settings.writer != "llm":
        return
    assert settings.llm is not None, "the settings must check that describe.llm is there"
    read_prompt(settings.llm.prompt)
    if settings.llm.path is not None:
        from vaserl.policy.model_folder import check_model_folder  # imports torch, which the rules don't need

        check_model_folder(settings.llm.path)
    if settings.llm.server is not None:
        from vaserl.curation.stages.served_writer import check_server  # imports the HTTP client

        check_server(settings.llm.server, batch_timeout_s)


def read_prompt(path: Path) -> str:
    """Returns the prompt's text. Raises: UserError when the file is missing or has no placeholder for the record."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"describe.llm.prompt {path}: can't be read: {error}") from error
    if PLACE not in text:
        raise UserError(f"describe.llm.prompt {path}: has no {PLACE}, the placeholder for the fields of the record")
    return text


def fields_of(record: Mapping[str, str]) -> str:
    """Returns the record's fields that a caption may state, one per line; museum number and findspot are left out."""
    fields = [FIELD_OF_DIMENSION[dimension] for dimension in DIMENSIONS]
    return "\n".join(f"{field}: {record[field]}" for field in fields if record.get(field))
