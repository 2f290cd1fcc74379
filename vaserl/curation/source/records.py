"""Reads the museum's records of the vases, from one table or from one JSON file for each vase."""

import itertools
import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from vaserl.curation.canon import canonical_record
from vaserl.curation.fields import RECORD_FIELDS, RIGHTS_FIELDS, Renaming
from vaserl.curation.settings import SourceSettings
from vaserl.curation.source.columns import UnreadColumn, unread_columns
from vaserl.curation.source.photographs import PHOTOGRAPHS
from vaserl.curation.source.problem import Report
from vaserl.curation.source.tables import NOT_READ_SUFFIXES, TABLE_SUFFIXES, TableRow, parsed, read_table
from vaserl.errors import Problem, UserError
from vaserl.files.foreign import HEAD_BYTES, foreign_format
from vaserl.files.storage import files_below, is_file, joined, open_file, read_bytes
from vaserl.types import FIELD_OF_DIMENSION

RECORDS = "records"
"""File name, without suffix, of the table of records if the settings specify no other table."""
ID_FIELDS = ("id", "URI", "Vase Number")
"""Columns that are searched for the vase's id if the setting source.id_field is empty. The first one with a value is
used."""

RECORDS_SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("id", "record", *RIGHTS_FIELDS)),
        ("stated", pa.bool_()),  # True if the record states one of the six dimensions
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The records of all vases, as columns of an Arrow table."""

    table: pa.Table
    """One row for each vase, with the columns of RECORDS_SCHEMA. The column `record` contains the vase's fields as a
    JSON object."""
    ids: frozenset[str]
    """Ids of the vases that have a record."""
    origin: str
    """Source of the records for error messages: the file name of their table, or "<vase_id>.json" if each vase has its
    own file."""
    columns: frozenset[str]
    """Names of the columns of the table, or of the keys in the JSON files."""
    used: frozenset[str]
    """Names of the columns of the records that the setting source.fields maps to a field."""
    unread: tuple[UnreadColumn, ...]
    """Columns that no field reads."""
    absent: Mapping[str, int]
    """For each field, the number of records in which it holds only a placeholder such as "unknown"; these values are
    treated as absent."""
    num_stated: Mapping[str, int]
    """For each field of the six dimensions, the number of records that state it."""


def read_records(folder: str, settings: SourceSettings, report: Report) -> Records:
    """Reads the records from the table that the setting `source.records` gives. Without that setting, reads the default
    table in `folder`; if there is no such table, reads the JSON files in `folder`.

    Raises: UserError when neither a table nor a JSON file is found.
    """
    renaming = Renaming(RECORD_FIELDS, settings.fields)
    place = find_table(folder, RECORDS) if settings.records is None else joined(folder, settings.records)
    if place is not None:
        rows, origin = _identified(read_table(place, report), settings.id_field, report), place.rsplit("/", 1)[-1]
    else:
        files = [name for name in files_below(folder) if "/" not in name]
        names = [name for name in files if name.endswith(".json")]
        if not names:
            tables = [
                name for name in files if name.endswith(TABLE_SUFFIXES) and not name.startswith(f"{PHOTOGRAPHS}.")
            ]
            other = next((name for name in files if name.lower().endswith(NOT_READ_SUFFIXES)), "")
            raise UserError(
                f"{folder} contains no records: add a table {RECORDS}{{{','.join(TABLE_SUFFIXES)}}} with a column "
                f"{settings.id_field or 'id'!r}, or one <vase_id>.json for each vase, with fields like "
                f"{', '.join(FIELD_OF_DIMENSION.values())}; or set source.records to the path of a table"
                + (f", perhaps {' or '.join(tables[:3])}" if tables else "")
                + (f". {_other_table(folder, other)}" if other else "")
            )
        rows, origin = _single(folder, names, report), "<vase_id>.json"
    ids: set[str] = set()
    absent: Counter[str] = Counter()
    num_stated: Counter[str] = Counter()

    def entries() -> Iterator[dict[str, str | bool]]:
        for where, key, row in rows:
            key = unicodedata.normalize("NFC", key)
            if key in ids:
                report(Problem(where=where, kind="second record", message=f"a second record with the id {key!r}"))
                continue
            ids.add(key)
            record = renaming(row)
            nested = [
                name for name, value in row.items() if isinstance(value, dict) and renaming.name(name) in RECORD_FIELDS
            ]
            if nested:
                message = (
                    f"{nested[0]!r} holds {json.dumps(row[nested[0]], ensure_ascii=False)[:60]}; replace it by a text"
                )
                report(Problem(where=where, kind="no text", message=message))
                continue
            rights = {name: record.pop(name, "") for name in RIGHTS_FIELDS}
            canonical = canonical_record(record)
            absent.update(canonical.absent)
            num_stated.update(field for field in FIELD_OF_DIMENSION.values() if field in canonical.fields)
            text = json.dumps(canonical.fields, ensure_ascii=False, sort_keys=True)
            yield {"id": key, "record": text, **rights, "stated": states_something(canonical.fields)}

    table = records_table(entries(), RECORDS_SCHEMA)
    return Records(
        table=table,
        ids=frozenset(ids),
        origin=origin,
        columns=renaming.columns,
        used=frozenset(renaming.used),
        unread=tuple(unread_columns(renaming.columns, renaming.read, RECORD_FIELDS)),
        absent={field: absent[field] for field in RECORD_FIELDS if absent[field]},
        num_stated={field: num_stated[field] for field in FIELD_OF_DIMENSION.values()},
    )


def find_table(folder: str, stem: str) -> str | None:
    """Returns the path of the file in `folder` whose name is `stem` plus one of TABLE_SUFFIXES, or None if there is no
    such file.

    Raises: UserError when there are several such files.
    """
    found = [name for suffix in TABLE_SUFFIXES if is_file(joined(folder, name := stem + suffix))]
    if len(found) > 1:
        raise UserError(f"{folder} contains {' and '.join(found)}: keep one of them, or set source.{stem} to one")
    return joined(folder, found[0]) if found else None


def states_something(record: Mapping[str, str]) -> bool:
    """Returns True if the record has a value for at least one of the six dimensions: fabric, technique, shape, dating,
    decoration and attribution."""
    return any(record.get(field) for field in FIELD_OF_DIMENSION.values())


def records_table(rows: Iterable[Mapping[str, object]], schema: pa.Schema, chunk: int = 4096) -> pa.Table:
    """Returns the rows as an Arrow table. At most `chunk` rows are in memory as Python objects at a time."""
    rows = iter(rows)
    batches = []
    while part := list(itertools.islice(rows, chunk)):
        batches.append(pa.RecordBatch.from_pylist(part, schema=schema))
    return pa.Table.from_batches(batches, schema=schema)


def _identified(rows: Iterable[TableRow], id_field: str, report: Report) -> Iterator[tuple[str, str, dict]]:
    """Yields (place, id, fields) for each record: place is "FILE:LINE", id is the vase's id, and fields are the values
    by column name."""
    for where, row in rows:
        field = id_field or next((name for name in ID_FIELDS if row.get(name)), "id")
        key = str(row.get(field) or "").strip()
        if field == "URI":  # …/record/<uuid>, urn:uuid:<uuid>: image files are named after the uuid
            key = key.rstrip("/").replace("#", "/").replace(":", "/").rsplit("/", 1)[-1]
        if not key:
            message = (
                f"the cell of {field!r} is empty; write the vase's id into it, or remove the row"
                if field in row
                else f"no {field!r}; the fields there are {', '.join(map(str, row))}. "
                "Set source.id_field to the one that names the vase"
            )
            report(Problem(where=where, kind="no id", message=message))
            continue
        yield where, key, {name: value for name, value in row.items() if name != field or field in RECORD_FIELDS}


def _other_table(folder: str, name: str) -> str:
    with open_file(joined(folder, name)) as stream:
        foreign = foreign_format(stream.read(HEAD_BYTES))
    return f"{name} is {foreign}" if foreign else f"{name} isn't read; save the table as CSV in UTF-8"


def _single(folder: str, names: Iterable[str], report: Report) -> Iterator[tuple[str, str, dict]]:
    for name in sorted(names):
        place = joined(folder, name)
        try:
            content = read_bytes(place)
            foreign = foreign_format(content[:HEAD_BYTES])
            message = f"is {foreign}" if foreign else ""
            text = "" if foreign else content.decode("utf-8-sig")
        except OSError as error:
            message = f"can't be read: {error.strerror or type(error).__name__}"
        except UnicodeDecodeError:
            message = "not UTF-8; save the file as UTF-8"
        if message:
            report(Problem(where=place, kind="unreadable", message=message))
            continue
        row = parsed(f"{place}:1", text, report)
        if row is not None:
            yield place, name.removesuffix(".json"), row
