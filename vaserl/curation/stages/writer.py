"""What a language model that words captions is given: its prompt, with the fields of the record in it."""

from collections.abc import Mapping
from pathlib import Path

from vaserl.curation.settings import DescribeSettings
from vaserl.errors import UserError
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION

PLACE = "{record}"


def check_writer(settings: DescribeSettings) -> None:
    """Raises: UserError when the prompt or the model's folder is missing."""
    if settings.writer == "llm":
        from vaserl.policy.model_folder import check_model_folder  # torch, which the rules do without

        assert settings.llm is not None, "checked by the settings"
        read_prompt(settings.llm.prompt)
        check_model_folder(settings.llm.path)


def read_prompt(path: Path) -> str:
    """Returns the prompt. Raises: UserError when it is missing or has no place for the record."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"describe.llm.prompt {path}: can't be read: {error}") from error
    if PLACE not in text:
        raise UserError(f"describe.llm.prompt {path}: has no {PLACE}, where the fields of the record are to stand")
    return text


def fields_of(record: Mapping[str, str]) -> str:
    """Returns the fields that a caption may state, one a line; museum numbers and findspots are left out."""
    fields = [FIELD_OF_DIMENSION[dimension] for dimension in DIMENSIONS]
    return "\n".join(f"{field}: {record[field]}" for field in fields if record.get(field))
