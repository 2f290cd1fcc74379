"""Joins each photograph with the record of its vase; the resulting rows are the input of a curation run."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute

from vaserl.curation.fields import PHOTOGRAPH_FIELDS, RECORD_FIELDS, Renaming
from vaserl.curation.settings import SourceSettings
from vaserl.curation.source.columns import unread_columns
from vaserl.curation.source.photographs import PHOTOGRAPHS, Grouping, found, listed_photographs
from vaserl.curation.source.photographs import PHOTOGRAPHS_SCHEMA as PHOTOGRAPH_SCHEMA
from vaserl.curation.source.problem import Report, stop
from vaserl.curation.source.records import Records, find_table, read_records, records_table
from vaserl.curation.stages.source import SOURCE
from vaserl.errors import Problem, UserError
from vaserl.files.photograph import use_pixel_limit
from vaserl.files.picture_kind import IMAGE_SUFFIXES
from vaserl.files.storage import is_file, is_folder, is_url, joined, use_storage_options
from vaserl.settings.nearest import nearest_name
from vaserl.types import FIELD_OF_DIMENSION

SOURCE_SCHEMA = pa.schema(
    [
        ("photo", pa.string()),  # absolute path, or URL
        ("photo_sha256", pa.string()),  # "" until a stage reads the file
        ("vase_id", pa.string()),
        ("view", pa.string()),  # a number, or a name like "front"; "" if unknown
        ("kind", pa.string()),  # the labelled kind: intact, blur, …; "" where unlabelled
        ("rights", pa.string()),  # terms of use of the picture, "" if unstated
        ("credit", pa.string()),  # credit line to print beside the picture, "" if unstated
        ("record", pa.string()),  # the vase's record with the field names of the Beazley archive, as JSON
        ("rejected_by", pa.string()),  # name of the source stage if the row can't be used, else ""
        ("reason", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """The input of a curation run: the photographs, each joined with its vase's record, and all records."""

    folder: str
    """Path or URL of the folder to which the file names in the input are relative."""
    rows: pa.Table
    """One row for each photograph, with the columns of SOURCE_SCHEMA, sorted by the column `photo`."""
    records: Records
    """The records of all vases, including vases without a photograph."""


_logger = logging.getLogger(__name__)

_pc: Any = pyarrow.compute  # its functions are defined at import, so type checkers don't know them


def read_photograph_source(settings: SourceSettings) -> pa.Table:
    """Returns a table with one row for each photograph; the row includes the record of the photograph's vase. The table
    has the columns of SOURCE_SCHEMA and is sorted by the column `photo`. The image files are not opened.

    Rows are converted to Arrow columns a few thousand at a time, so that a large collection fits in memory.

    Raises: UserError, with file and line, when the photographs or the records are missing or can't be parsed.
    """
    table = inspect_source(settings, stop).rows
    unstated = {name: _pc.sum(_pc.equal(table[name], "")).as_py() for name in ("rights", "credit")}
    if any(unstated.values()):
        _logger.warning(
            "of %s photographs, %s state no rights and %s no credit line",
            *(f"{number:,}" for number in (table.num_rows, *unstated.values())),
        )
    return table


def inspect_source(settings: SourceSettings, report: Report) -> Inspected:
    """Reads the input like `read_photograph_source`, but returns all records too and calls `report` with each problem
    of the files. If `report` returns, reading continues."""
    use_storage_options(settings.path, settings.storage_options)
    use_pixel_limit(settings.max_pixels)
    folder, place = _places(settings)
    records = read_records(folder, settings, report)
    group = Grouping(settings.pattern, records.ids)
    renaming = Renaming(PHOTOGRAPH_FIELDS, settings.fields)
    rows = found(folder, group) if place is None else listed_photographs(folder, place, group, renaming, report)
    photographs = records_table(rows, PHOTOGRAPH_SCHEMA)
    if not photographs.num_rows:
        raise UserError(
            f"{folder} contains no photographs: expected a table {PHOTOGRAPHS}.jsonl, .csv, .json or .parquet, or "
            f"image files with one of the suffixes {', '.join(sorted(IMAGE_SUFFIXES))}"
        )
    for column in records.unread:
        if column.field:
            report(column.problem(records.origin))
    if place is not None:
        for column in unread_columns(renaming.columns, renaming.read, PHOTOGRAPH_FIELDS):
            if column.field:
                report(column.problem(place.rsplit("/", 1)[-1]))
    if records.absent:
        counts = ", ".join(f"{field} {number:,}" for field, number in records.absent.items())
        message = f'placeholders ("unknown") and words that state nothing ("terracotta") count as absent: {counts}'
        report(Problem(where=records.origin, kind="placeholders", message=message, effect="keeps the row"))
    for field, column in settings.fields.items():
        if column not in records.used | renaming.used:
            message = _unused(field, column, records, renaming.columns, place)
            report(Problem(where=f"source.fields.{field}", kind="no such column", message=message))
    return Inspected(folder=folder, rows=_joined(folder, photographs, records), records=records)


def check_apart(settings: SourceSettings, dataset: Path) -> None:
    """Checks that the folder of the data set, `dataset`, is not inside the folder of the photographs.

    Raises: UserError when it is inside and no table lists the photographs. All image files in that folder are then
    photographs, so the next run would use the data set's contact sheet and rendered views as photographs.
    """
    folder, place = _places(settings)
    if place is None and not is_url(folder) and dataset.is_relative_to(folder):
        raise UserError(
            f"dataset {dataset} is inside the folder of the photographs, {folder}. All image files in that folder are "
            "read as photographs, so the next run would include the data set's pictures. Set dataset to a folder "
            "outside of it, or list the photographs in a table"
        )


def _unused(field: str, column: str, records: Records, listed: frozenset[str], place: str | None) -> str:
    """Returns an error message, with the remedy, for a field in the setting source.fields whose column was not found in
    the input tables."""
    if column in records.columns and field not in RECORD_FIELDS:
        way = "set source.id_field for the records' id" if field == "vase_id" else "move the column to that list"
        return f"{column!r} is a column of the records, but {field} is a field of the list of photographs; {way}"
    columns = sorted(records.columns | listed)
    near = nearest_name(column, columns)
    hint = f"did you mean {near!r}?" if near else f"there are {', '.join(columns)}"
    return f"no column {column!r} in {records.origin}" + (f" or {place}" if place else "") + f"; {hint}"


def folder_of(settings: SourceSettings) -> str:
    """Returns the folder to which the file names in the input are relative. If `source.path` is a folder, it is
    returned. If `source.path` is a table, the folder that contains the table is returned."""
    return settings.path.rpartition("/")[0] if is_file(settings.path) else settings.path


def _places(settings: SourceSettings) -> tuple[str, str | None]:
    """Returns (folder, table): the folder to which the file names in the input are relative, and the path of the table
    that lists the photographs, or None if there is no such table."""
    path, folder = settings.path, folder_of(settings)
    if folder != path:
        return folder, path
    # an object store has no empty folders, so a URL is accepted here; if no file is below it, reading fails later
    if not is_url(path) and not is_folder(path):
        raise UserError(f"source.path {path}: no such folder")
    if settings.photographs is not None:
        return path, joined(path, settings.photographs)
    return path, find_table(path, PHOTOGRAPHS)


def _joined(folder: str, photographs: pa.Table, records: Records) -> pa.Table:
    index = _pc.index_in(photographs["vase_id"], value_set=records.table["id"])
    of_vase = records.table.take(index.combine_chunks())
    known = _pc.is_valid(index)
    no_record = _pc.binary_join_element_wise(
        "no record with the id '", photographs["vase_id"], f"' in {records.origin}", ""
    )
    unstated = f"its record states none of {', '.join(FIELD_OF_DIMENSION.values())}"
    reason = _pc.case_when(
        _pc.make_struct(
            _pc.not_equal(photographs["problem"], ""),
            _pc.invert(known),
            _pc.invert(_pc.fill_null(of_vase["stated"], True)),
        ),
        photographs["problem"],
        no_record,
        unstated,
        "",
    )
    columns = {
        "photo": _places_of(folder, photographs["file"]),
        "photo_sha256": pa.array([""] * len(photographs)),
        "vase_id": photographs["vase_id"],
        "view": photographs["view"],
        "kind": photographs["kind"],
        **{name: _first(photographs[name], _pc.fill_null(of_vase[name], "")) for name in ("rights", "credit")},
        "record": _pc.fill_null(of_vase["record"], "{}"),
        "rejected_by": _pc.if_else(_pc.equal(reason, ""), "", SOURCE.name),
        "reason": reason,
    }
    return pa.table(columns, schema=SOURCE_SCHEMA).sort_by("photo").combine_chunks()


def _places_of(folder: str, files: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns the path or URL of each file name in a column: URLs are unchanged, and other names are appended to
    `folder`."""
    return _pc.if_else(
        _pc.match_substring(files, "://"),
        files,
        _pc.binary_join_element_wise(folder.rstrip("/") + "/", files, ""),
    )


def _first(preferred: pa.ChunkedArray, other: pa.ChunkedArray) -> pa.ChunkedArray:
    return _pc.if_else(_pc.equal(preferred, ""), other, preferred)
