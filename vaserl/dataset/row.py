"""A row of the manifest: the outcome of curation for one photograph, and the vase that the photograph shows.

All columns of the manifest are text. `record`, `scores`, `other_photos`, `instead_of` and `questions` are stored there
as JSON, and are Python objects in `Row`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, TypeVar

import pyarrow as pa

from vaserl.dataset.question import Question

_Json = TypeVar("_Json", dict[str, Any], list[Any])

SPLITS = ("train", "val", "test")
"""Names of the splits: vases for training, for choices such as the best checkpoint, and for the reported results."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The outcome of curation for one photograph. The fields are the manifest's columns. A field that is set
    by a stage has its default value if the photograph was rejected before that stage."""

    photo: str
    """Path or URL of the photograph, absolute or relative to the data set."""
    photo_sha256: str = ""
    """SHA-256 of the photograph's file, in hexadecimal."""
    vase_id: str
    """Identifier of the vase, from the museum or from the generator of synthetic vases."""
    view: str = ""
    """View that the photograph shows: a number, or a name like "front"; empty if unknown."""
    kind: str = ""
    """Label of what the photograph shows, such as "intact" or "blur"; empty if unlabelled."""
    rights: str = ""
    """Terms of use of the photograph; empty if none are stated."""
    credit: str = ""
    """Credit line to print beside the photograph; empty if none is stated."""
    record: Mapping[str, str] = field(default_factory=dict)
    """The museum's record: text by field name of the Beazley archive, such as "Fabric"; without empty fields."""
    rejected_by: str = ""
    """Name of the stage that rejected the photograph; empty if it was kept."""
    reason: str = ""
    """Why the stage rejected the photograph; empty if it was kept."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Numbers that the stages measured, by name of the measure: {"quality": 0.98, …}."""
    mesh: str = ""
    """Path of the 3D model (GLB), relative to the data set."""
    other_photos: tuple[str, ...] = ()
    """Values of `photo` of the vase's further photographs that the 3D model was made from; empty if it was made from
    this photograph alone."""
    instead_of: tuple[str, ...] = ()
    """Values of `photo` of the vase's photographs of which no good 3D model could be made, so that this one was tried;
    their rows state the reasons. Empty for a vase's first choice, and for photographs that were not tried."""
    clip: str = ""
    """SHA-256 of the turntable video in hexadecimal; the video's file is named after it."""
    caption: str = ""
    """Catalogue caption, which supervised fine-tuning imitates; it may omit facts of the record."""
    caption_fallback: str = ""
    """Why `caption` is not the wording of the language model that writes captions; empty if it is, or if none does."""
    reference: str = ""
    """Complete caption, which states every fact of the record."""
    questions: tuple[Question, ...] = ()
    """Questions about the vase: one for each dimension that the record states, and one for its provenance."""
    split: str = ""
    """One of SPLITS: train, val or test; empty for a rejected photograph."""

    @property
    def kept(self) -> bool:
        """True if no stage rejected the photograph."""
        return not self.rejected_by

    def as_columns(self) -> dict[str, str]:
        """Returns the row as the manifest stores it: one string per column."""
        values = {name: getattr(self, name) for name in ROW_SCHEMA.names}
        return values | {
            "record": _dumped(dict(self.record)),
            "scores": _dumped(dict(self.scores)),
            "questions": _dumped([asdict(question) for question in self.questions]),
            "other_photos": _dumped(list(self.other_photos)),
            "instead_of": _dumped(list(self.instead_of)),
        }

    @classmethod
    def from_columns(cls, columns: Mapping[str, Any]) -> "Row":
        """Returns the row with these values of the manifest's columns; an absent or empty value becomes the default.

        Raises: ValueError, with the column's name, for a value that this class would not have written.
        """
        texts = {name: columns.get(name) or "" for name in ROW_SCHEMA.names}
        for name, text in texts.items():
            if not isinstance(text, str):
                raise ValueError(f"column {name} holds {type(text).__name__}, expected text")
        parsed = {
            **{name: _loaded(name, texts, dict) for name in ("record", "scores")},
            **{name: tuple(_loaded(name, texts, list)) for name in ("other_photos", "instead_of")},
            "questions": tuple(map(_question, _loaded("questions", texts, list))),
        }
        return cls(**{**texts, **parsed})


ROW_SCHEMA = pa.schema([(column.name, pa.string()) for column in fields(Row)])
"""Columns of the manifest: the fields of `Row` in their order, each a string column."""


def _dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _loaded(name: str, texts: Mapping[str, str], kind: type[_Json]) -> _Json:
    """Returns the JSON value in a column, an object or a list of texts, numbers or objects."""
    try:
        value = json.loads(texts[name]) if texts[name] else kind()
    except (ValueError, RecursionError) as error:
        raise ValueError(f"column {name} is not JSON: {error}") from error
    if not isinstance(value, kind):
        raise ValueError(f"column {name} holds JSON of another kind than {kind.__name__}")
    inner = float | int if name == "scores" else dict if name == "questions" else str
    if not all(isinstance(each, inner) for each in (value.values() if isinstance(value, dict) else value)):
        raise ValueError(f"column {name} holds a value of another type than it should")
    return value


def _question(value: Mapping[str, Any]) -> Question:
    if not all(isinstance(text, str) for text in value.values()):
        raise ValueError("column questions holds a question that is not text")
    return Question.from_json(value)
