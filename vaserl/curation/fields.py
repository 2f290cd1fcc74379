"""Maps columns of an input to fields: by Beazley's own headers, and by the user's mapping for other names."""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

BEAZLEY_FIELDS = (
    "URI",
    "Vase Number",
    "Fabric",
    "Technique",
    "Sub Technique",
    "Shape Name",
    "Provenance",
    "Date",
    "Inscriptions",
    "Attributed To",
    "Decoration",
    "Collection Record",
    "Publication Record",
    "Measurements",
    "LIMC ID",
    "LIMC Web",
)
"""Headers of a Beazley Archive export; a record keeps columns under other names as they are."""

RIGHTS_FIELDS = ("rights", "credit")
"""Fields of a picture rather than of the vase: who may use it, and the line to print beside it."""

PHOTOGRAPH_FIELDS = ("file", "vase_id", "view", "kind", *RIGHTS_FIELDS)
RECORD_FIELDS = (*BEAZLEY_FIELDS, *RIGHTS_FIELDS)
FIELDS = tuple(dict.fromkeys((*RECORD_FIELDS, *PHOTOGRAPH_FIELDS)))
"""Fields that a mapping may name."""


class Renaming:
    """Renames the columns of a table's rows to fields; `used` are the columns of the mapping that occurred."""

    def __init__(self, fields: Iterable[str], mapping: Mapping[str, str]) -> None:
        self._of_header = {_plain(field): field for field in fields}
        self._of_column = {column: field for field, column in mapping.items() if field in self._of_header.values()}
        self._known: dict[str, str] = {}
        self.used: set[str] = set()

    def __call__(self, row: Mapping[Any, Any]) -> dict[str, str]:
        """Returns the non-empty fields as text; where two columns are one field, the mapped one counts."""
        renamed: dict[str, str] = {}
        for column, value in row.items():
            mapped = column in self._of_column
            if mapped:
                self.used.add(column)
            text = _text(value)
            name = self.name(str(column))
            if text and (mapped or name not in renamed):
                renamed[name] = text
        return renamed

    @property
    def columns(self) -> frozenset[str]:
        """The columns that occurred."""
        return frozenset(self._known)

    def name(self, column: str) -> str:
        """Returns the field of a column; the column's own name if it is none."""
        if column not in self._known:
            self._known[column] = self._of_column.get(column) or self._of_header.get(_plain(column), column)
        return self._known[column]


def _plain(header: str) -> str:
    """Returns a header's letters and digits: "shape_name", "ShapeName" and "Shape Name" are one header."""
    return re.sub(r"[\W_]+", "", header).casefold()


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # a column of numbers with gaps, as spreadsheets and parquet keep it
    if isinstance(value, list):
        return " | ".join(filter(None, map(_text, value)))  # as the archive itself joins several values
    return str(value).strip()
