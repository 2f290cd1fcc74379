"""The prompt of the language model that writes captions, and the fields of a record that are put into it."""

from collections.abc import Mapping
from pathlib import Path

from vaserl.curation.settings import DescribeSettings
from vaserl.errors import UserError
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION

PLACE = "{record}"
"""Placeholder in the prompt, which is replaced by the fields of the record."""


def check_writer(settings: DescribeSettings) -> None:
    """Checks the prompt file and the model folder of the language model, if one writes the captions.

    Raises: UserError when the file or the folder is missing.
    """
    if settings.writer == "llm":
        from vaserl.policy.model_folder import check_model_folder  # imports torch, which the rules don't need

        assert settings.llm is not None, "the settings must check that describe.llm is there"
        read_prompt(settings.llm.prompt)
        check_model_folder(settings.llm.path)


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
