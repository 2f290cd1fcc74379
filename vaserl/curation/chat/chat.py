"""A conversation about a vase, and the error of a row that is none."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """A conversation about a vase."""

    id: str
    where: str
    """File and number of the row."""
    video: Path | None
    """The video, or None if the conversation is about pictures."""
    pictures: tuple[Path | bytes, ...]
    """The pictures: paths, or the contents of files that a table holds itself."""
    system: str
    """Text of the system message, or "" if the conversation has none."""
    turns: tuple[tuple[str, str], ...]
    """Question and answer of each turn; the first question asks for the caption."""
    reference: str
    """The complete caption: the row's own, else the first answer."""
    record: Mapping[str, str]
    """The museum's record, by field name of the Beazley archive; empty if the row has none."""
    split: str
    """Split of the vase, or "" if the row states none."""


class UnusableRow(Exception):
    """Error for a row that is no conversation about one vase. `kind` is the short name of the reason, by which rows are
    counted."""

    def __init__(self, kind: str, message: str):
        super().__init__(message)
        self.kind = kind
