"""Finds the columns of an input table that no field reads, and the field that each of them probably belongs to."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from vaserl.errors import Problem
from vaserl.settings.nearest import nearest_name

_WORDS: Mapping[str, tuple[str, ...]] = {
    "Fabric": (
        "culture",
        "ware",
        "civilization",
        "civilisation",
        "origin",
        "production",
        "made in",
        "school",
        "region",
    ),
    "Technique": ("material", "materials", "medium", "method", "style", "decoration technique"),
    "Shape Name": ("shape", "form", "type", "object name", "object type", "classification", "class", "vessel"),
    "Date": ("dating", "dated", "period", "year", "century", "chronology", "object date", "date text", "datierung"),
    "Decoration": (
        "subject",
        "subjects",
        "iconography",
        "depiction",
        "description",
        "scene",
        "scenes",
        "motif",
        "motifs",
    ),
    "Attributed To": (
        *(
            "attribution",
            "attributed",
            "artist",
            "artists",
            "painter",
            "potter",
            "maker",
            "hand",
            "creator",
            "creators",
        ),
        "artist display name",
    ),
    "Provenance": ("findspot", "find spot", "find place", "provenience", "site", "found", "excavation"),
    "Measurements": ("dimensions", "height", "size"),
    "Inscriptions": ("inscription", "signature"),
    "Publication Record": ("bibliography", "publications", "references"),
    "rights": ("license", "licence", "copyright", "rights statement", "rights and reproduction"),
    "credit": ("credit line", "credits", "courtesy"),
    "file": ("filename", "file name", "image", "photo", "photograph", "picture", "path", "url"),
    "vase_id": ("id", "vase", "object id", "object number", "accession number", "inventory number"),
    "view": ("side", "angle", "aspect"),
    "kind": ("label",),
}
"""For each field, the words by which museums name a column with its values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadColumn:
    """A column that no field reads."""

    name: str
    field: str
    """Field that the column probably belongs to; "" if none is likely."""

    def problem(self, where: str) -> Problem:
        """Returns the problem of this column for a report. `where` is the file name of the table."""
        key = self.field if re.fullmatch(r"[A-Za-z_]+", self.field) else f'"{self.field}"'
        message = (
            f"nothing reads the column {self.name!r}; if it holds the {self.field!r}, set in [source.fields]: "
            f'{key} = "{self.name}"'
        )
        return Problem(where=where, kind="column not read", message=message, effect="keeps the row")


def unread_columns(columns: Iterable[str], read: Mapping[str, str], fields: Iterable[str]) -> Iterator[UnreadColumn]:
    """Yields the columns that belong to no field, sorted by name, each with the field that it probably belongs to.

    columns: the table's columns. read: the field of each column that is read. fields: names of all fields of the table.
    A field that another column fills already is not suggested.
    """
    fields = list(fields)
    for column in sorted(set(columns) - read.keys()):
        near = _nearest_field(column, fields)
        yield UnreadColumn(name=column, field="" if near is None or near in read.values() else near)


def _nearest_field(column: str, fields: list[str]) -> str | None:
    plain = " ".join(re.findall(r"[^\W_]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", column))).casefold()
    names = {word: field for field in fields for word in (field.casefold(), *_WORDS.get(field, ()))}
    if plain in names:
        return names[plain]
    whole = [word for word in names if re.search(rf"\b{re.escape(word)}\b", plain)]
    if whole:
        return names[max(whole, key=len)]
    if len(plain) < 4:  # too short to be a misspelling of anything
        return None
    near = nearest_name(plain, [word for word in names if abs(len(word) - len(plain)) <= 2])
    return names[near] if near else None
