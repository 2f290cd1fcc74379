"""A row of the manifest: what became of one photograph, and the vase that it shows.

The manifest keeps every value as text; the record, the scores and the questions are JSON there and typed values here.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import pyarrow as pa

from vaserl.dataset.question import Question

SPLITS = ("train", "val", "test")
"""What a vase is for: learning from it, choosing by it, reporting on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One photograph. A stage that it did not reach leaves the default; the fields are the manifest's columns."""

    photo: str
    """Path or URL of the photograph, absolute or relative to the data set."""
    photo_sha256: str = ""
    """Hash of the photograph's file, hex."""
    vase_id: str
    """The museum's or the world's identifier."""
    view: str = ""
    """A number, or a name like "front"; empty if unknown."""
    kind: str = ""
    """The labelled kind of the photograph; empty where unlabelled."""
    rights: str = ""
    """Terms of use of the photograph; empty if none are stated."""
    credit: str = ""
    """The line to print beside the photograph; empty if none is stated."""
    record: Mapping[str, str] = field(default_factory=dict)
    """The museum's record, Beazley form, present fields only."""
    rejected_by: str = ""
    """The stage that rejected the photograph; empty for a row that came through."""
    reason: str = ""
    """Why it was rejected."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """What the stages measured, by measure: {"quality": 0.98, …}."""
    mesh: str = ""
    """Path of the GLB, relative to the data set."""
    clip: str = ""
    """Content hash of the turntable, hex."""
    caption: str = ""
    """The catalogue's caption, which supervised fine-tuning imitates."""
    reference: str = ""
    """Everything that the record states, as a perfect caption."""
    questions: tuple[Question, ...] = ()
    """One for each dimension that the record states, and one for its provenance."""
    split: str = ""
    """One of SPLITS; empty for a rejected row."""

    @property
    def kept(self) -> bool:
        """No stage rejected the photograph."""
        return not self.rejected_by

    def as_columns(self) -> dict[str, str]:
        """Returns the row as the manifest keeps it: a text for each column."""
        values = {name: getattr(self, name) for name in ROW_SCHEMA.names}
        return values | {
            "record": _dumped(dict(self.record)),
            "scores": _dumped(dict(self.scores)),
            "questions": _dumped([asdict(question) for question in self.questions]),
        }

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any]) -> "Row":
        """Returns the row that the manifest keeps as these columns; an absent or empty one gives the default."""
        texts = {name: columns.get(name) or "" for name in ROW_SCHEMA.names}
        parsed = {name: json.loads(texts[name] or "{}") for name in ("record", "scores", "questions")}
        parsed["questions"] = tuple(Question.from_json(question) for question in parsed["questions"])
        return cls(**{**texts, **parsed})


ROW_SCHEMA = pa.schema([(column.name, pa.string()) for column in fields(Row)])
"""Columns of the manifest: the fields of a row in their order, each a text."""


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
