"""Reads the rows of a CSV, JSON, JSONL or parquet file one at a time, each with its line or row number.

CSV, JSONL and parquet files are read in parts. The whole text of a JSON file is in memory, but its rows are parsed one
at a time.
"""

import csv
import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import IO, Any

from vaserl.curation.source.problem import Report
from vaserl.errors import Problem, UserError
from vaserl.files.foreign import HEAD_BYTES, foreign_format
from vaserl.files.parquet import open_parquet, rows_of_parquet
from vaserl.files.storage import UNDECODED, open_file

TABLE_SUFFIXES = (".jsonl", ".csv", ".json", ".parquet", ".tsv")

DELIMITERS = (",", ";", "\t")
"""Accepted delimiters of a CSV file. Spreadsheets write semicolons in countries where the comma is the decimal mark."""

NOT_READ_SUFFIXES = (".xlsx", ".xls", ".ods", ".numbers", ".tab", ".txt", ".xml", ".html", ".pdf", ".gz", ".zip")
"""Suffixes of files that may hold a table but aren't read."""

TableRow = tuple[str, dict[str, Any]]
"""A row of a table as (place, fields): place is "FILE:LINE", and fields are the row's values by column name."""


def read_table(place: str, report: Report) -> Iterator[TableRow]:
    """Yields the rows of the table with the path or URL `place`. Lines and rows are counted from 1; the header of a CSV
    file is line 1.

    If a line can't be parsed, `report` is called with the problem and the line is left out. A JSON file contains a list
    of objects, one for each row, or an object that maps each row's id to an object; that id becomes the field "id".
    Rows without any value, as spreadsheets append, are left out, and `report` is called once with their number.

    Raises: UserError when the file can't be opened or its suffix is not in TABLE_SUFFIXES, and when its content shows
    that it is another kind of file, such as a Git LFS pointer.
    """
    suffix = place[place.rfind(".") :].lower()
    if suffix not in TABLE_SUFFIXES:
        raise UserError(f"{place}: unknown kind of table; the known suffixes are {', '.join(TABLE_SUFFIXES)}")
    try:
        with open_file(place) as stream:
            foreign = foreign_format(stream.read(HEAD_BYTES))
        if foreign:
            raise UserError(f"{place}: is {foreign}")
        stream = open_file(place)
    except OSError as error:
        raise UserError(f"{place}: can't be read: {error.strerror or error}") from error
    blank: list[str] = []
    with stream:
        for where, row in _READERS[suffix](place, stream, report):
            if all(value is None or (isinstance(value, str) and not value.strip()) for value in row.values()):
                blank.append(where)
            else:
                yield where, row
    if blank:
        message = f"{len(blank):,} rows without any value are left out, the first of them on line {_line(blank[0])}"
        report(Problem(where=place, kind="blank rows", message=message, effect="keeps the row"))


def _line(where: str) -> str:
    return where.rpartition(":")[2]


def parsed(where: str, text: str, report: Report) -> dict[str, Any] | None:
    """Parses a text as a JSON object and returns that object. If the text is no JSON object, calls `report` with the
    problem and returns None. `where` is "FILE:LINE" of the start of the text."""
    place, _, line = where.rpartition(":")
    try:
        entry = json.loads(text)
    except json.JSONDecodeError as error:
        at = f"{place}:{int(line) + error.lineno - 1}"
        report(Problem(where=at, kind="not JSON", message=f"not JSON: {error.msg}"))
        return None
    except (ValueError, RecursionError) as error:  # a number of too many digits, or a thousand brackets
        report(Problem(where=where, kind="not JSON", message=f"not JSON: {error}"))
        return None
    if isinstance(entry, dict):
        return entry
    report(_no_object(where, entry))
    return None


def _json_lines(place: str, stream: IO[bytes], report: Report) -> Iterator[TableRow]:
    for number, line in enumerate(stream, start=1):
        where = f"{place}:{number}"
        try:
            text = line.decode("utf-8-sig").strip()
        except UnicodeDecodeError:
            report(_not_utf8(where))
            continue
        if text and (entry := parsed(where, text, report)) is not None:
            yield where, entry


def _csv(place: str, stream: IO[bytes], report: Report) -> Iterator[TableRow]:
    # detached at the end, because the caller closes the stream
    text = io.TextIOWrapper(stream, encoding="utf-8-sig", newline="", errors="surrogateescape")
    header = text.readline()
    delimiter = _delimiter(header)
    reader = csv.DictReader(itertools.chain([header], text), delimiter=delimiter)
    try:
        if UNDECODED.search(header):
            report(_not_utf8(f"{place}:1"))
            return
        repeated = [name for name, number in Counter(reader.fieldnames or ()).items() if name and number > 1]
        if repeated:
            message = f"the header has {repeated[0]!r} twice; rename one of the two"
            report(Problem(where=f"{place}:1", kind="column twice", message=message))
        for entry in reader:
            where = f"{place}:{reader.line_num}"
            surplus = entry.pop(None, None)  # pyright: ignore[reportArgumentType]
            if surplus:
                message = f"{len(surplus)} cells more than the header has; quote cells that hold a {delimiter!r}"
                report(Problem(where=where, kind="too many cells", message=message))
            elif any(UNDECODED.search(value) for value in entry.values() if value):
                report(_not_utf8(where))
            else:
                yield where, dict(entry)
    except csv.Error as error:
        report(Problem(where=f"{place}:{reader.line_num}", kind="not CSV", message=f"not CSV: {error}"))
    finally:
        text.detach()


def _delimiter(header: str) -> str:
    """Returns the delimiter that occurs most often in the header of a CSV file, outside of quotes, or a comma if no
    delimiter occurs."""
    bare = re.sub(r'"[^"]*"', "", header)
    return max(DELIMITERS, key=bare.count)


def _json(place: str, stream: IO[bytes], report: Report) -> Iterator[TableRow]:
    """Yields the rows of a JSON file and parses each one when it is needed, so that a long list of objects is never in
    memory as a whole."""
    content = stream.read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        report(_not_utf8(f"{place}:{line}"))
        return
    start = len(text) - len(text.lstrip())
    if not text.startswith("[", start):
        entry = parsed(f"{place}:1", text, report)
        for key, value in (entry or {}).items():
            if isinstance(value, dict):
                yield f"{place}:{key}", {"id": key, **value}
            else:
                report(_no_object(f"{place}:{key}", value))
        return
    decoder, position, line = json.JSONDecoder(), start + 1, text.count("\n", 0, start + 1) + 1

    def skip(position: int) -> int:
        while position < len(text) and text[position] in " \t\r\n":
            position += 1
        return position

    while not text.startswith("]", after := skip(position)):
        line += text.count("\n", position, after)
        where = f"{place}:{line}"
        try:
            entry, end = decoder.raw_decode(text, after)
        except json.JSONDecodeError as error:
            report(Problem(where=f"{place}:{error.lineno}", kind="not JSON", message=f"not JSON: {error.msg}"))
            return
        except (ValueError, RecursionError) as error:
            report(Problem(where=where, kind="not JSON", message=f"not JSON: {error}"))
            return
        if isinstance(entry, dict):
            yield where, entry
        else:
            report(_no_object(where, entry))
        position = skip(end)
        if not text.startswith((",", "]"), position):
            line += text.count("\n", after, position)
            message = 'not JSON: expected "," or "]" after an element'
            report(Problem(where=f"{place}:{line}", kind="not JSON", message=message))
            return
        line += text.count("\n", after, position)
        position += text.startswith(",", position)


def _parquet(place: str, stream: IO[bytes], report: Report) -> Iterator[TableRow]:
    try:
        for number, entry in enumerate(rows_of_parquet(open_parquet(stream, place), place), start=1):
            yield f"{place}:{number}", entry
    except UserError as error:
        message = str(error).removeprefix(f"{place} is ").removeprefix(f"{place}: ")
        report(Problem(where=place, kind="not parquet", message=message))


_READERS: dict[str, Callable[[str, IO[bytes], Report], Iterator[TableRow]]] = {
    ".jsonl": _json_lines,
    ".csv": _csv,
    ".tsv": _csv,
    ".json": _json,
    ".parquet": _parquet,
}


def _not_utf8(where: str) -> Problem:
    return Problem(where=where, kind="not UTF-8", message="not UTF-8; save the file as UTF-8")


def _no_object(where: str, entry: Any) -> Problem:
    message = f"expected a JSON object, got {type(entry).__name__}"
    return Problem(where=where, kind="no object", message=message)
