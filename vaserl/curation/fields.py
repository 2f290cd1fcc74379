"""Renames columns of an input table to field names: Beazley headers automatically, others by the user's mapping."""

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
"""Column headers of a Beazley Archive export. A record may have other columns too, which keep their names."""

RIGHTS_FIELDS = ("rights", "credit")
"""Fields of a picture, not of the vase: `rights` states who may use it, `credit` is the line to print beside it."""

PHOTOGRAPH_FIELDS = ("file", "vase_id", "view", "kind", *RIGHTS_FIELDS)
RECORD_FIELDS = (*BEAZLEY_FIELDS, *RIGHTS_FIELDS)
FIELDS = tuple(dict.fromkeys((*RECORD_FIELDS, *PHOTOGRAPH_FIELDS)))
"""Field names to which the user's mapping may map a column."""


class Renaming:
    """Renames the columns of a table's rows to field names.

    `used` contains the columns of the user's mapping that occurred in the rows so far.
    """

    def __init__(self, fields: Iterable[str], mapping: Mapping[str, str]) -> None:
        self._of_header = {_plain(field): field for field in fields}
        self._of_column = {column: field for field, column in mapping.items() if field in self._of_header.values()}
        self._known: dict[str, str] = {}
        self.used: set[str] = set()

    def __call__(self, row: Mapping[Any, Any]) -> dict[str, str]:
        """Returns the row's non-empty fields as text. If two columns belong to one field, the one in the user's
        mapping is used."""
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
        """Names of the columns that occurred in the rows so far."""
        return frozenset(self._known)

    @property
    def read(self) -> dict[str, str]:
        """The field of each column that occurred in the rows so far and belongs to one."""
        fields = self._of_header.values()
        return {column: field for column, field in self._known.items() if field in fields}

    def name(self, column: str) -> str:
        """Returns the field name of a column; the column's own name if the column belongs to no field."""
        if column not in self._known:
            self._known[column] = self._of_column.get(column) or self._of_header.get(_plain(column), column)
        return self._known[column]


def _plain(header: str) -> str:
    """Returns a header's letters and digits in lower case, so that "shape_name" and "Shape Name" are equal."""
    return re.sub(r"[\W_]+", "", header).casefold()


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # spreadsheets and parquet store a column of integers with gaps as floats
    if isinstance(value, list):
        return " | ".join(filter(None, map(_text, value)))  # the separator that the Beazley Archive itself uses
    return str(value).strip()
