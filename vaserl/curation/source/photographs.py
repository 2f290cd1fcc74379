"""Reads the list of the input photographs, from a table or from the image files in a folder."""

import re
import unicodedata
from collections.abc import Collection, Iterator

import pyarrow as pa

from vaserl.curation.fields import PHOTOGRAPH_FIELDS, Renaming
from vaserl.curation.source.problem import Report
from vaserl.curation.source.tables import read_table
from vaserl.errors import Problem
from vaserl.files.picture_kind import PICTURE_SUFFIXES
from vaserl.files.storage import files_below, is_file, is_url, joined

PHOTOGRAPHS = "photographs"
"""File name, without suffix, of the table that lists the photographs if the settings specify no other table."""

PHOTOGRAPHS_SCHEMA = pa.schema([(name, pa.string()) for name in (*PHOTOGRAPH_FIELDS, "problem")])
"""Columns of the list of photographs. The column `problem` contains why a photograph can't be used, else ""."""


class Grouping:
    """Callable that derives a vase's id and the view, such as "front", from the file name of a photograph."""

    def __init__(self, pattern: str, ids: Collection[str]) -> None:
        self._pattern, self._ids = re.compile(pattern), ids
        self._whole = "/" in pattern

    def __call__(self, file: str) -> dict[str, str]:
        """Returns a dict with the keys vase_id, view and problem; problem is "" if the file name matches the pattern.

        An id may end like a view, as in "v1_2". If a record's id equals the whole file name without suffix, that name
        is the vase's id and the view is "".
        """
        path = unicodedata.normalize("NFC", file.rpartition(".")[0])  # macOS decomposes accents in file names
        stem = path.rsplit("/", 1)[-1]
        if stem in self._ids:
            return {"vase_id": stem, "view": "", "problem": ""}
        match = self._pattern.fullmatch(path if self._whole else stem)
        if match is None:
            problem = f"its name does not fit source.pattern {self._pattern.pattern}"
            return {"vase_id": "", "view": "", "problem": problem}
        return {"vase_id": match["vase_id"], "view": match.groupdict().get("view") or "", "problem": ""}


def found(folder: str, group: Grouping) -> Iterator[dict[str, str]]:
    """Yields one row, by column name, for each picture in the folder and its subfolders. Pictures are recognised by
    their suffix. Those of a kind that isn't read are rows too, which the source stage rejects with the reason."""
    for name in files_below(folder):
        if name[name.rfind(".") :].lower() in PICTURE_SUFFIXES:
            yield {"file": name, "kind": "", "rights": "", "credit": "", **group(name)}


def listed_photographs(
    folder: str, place: str, group: Grouping, renaming: Renaming, report: Report
) -> Iterator[dict[str, str]]:
    """Yields one row, by column name, for each photograph that the table at `place` lists. The file names in the table
    are URLs or paths relative to `folder`."""
    seen: dict[str, str] = {}
    present = set(files_below(folder)) if is_url(folder) else None
    for where, row in read_table(place, report):
        nested = [name for name, value in row.items() if isinstance(value, dict | bytes)]
        if nested:
            message = f"{nested[0]} holds the picture itself; write it to a file and give its name"
            report(Problem(where=where, kind="picture in the table", message=message))
            continue
        fields = renaming(row)
        entry = {name: fields.get(name, "") for name in PHOTOGRAPH_FIELDS}
        # paths from Windows have backslashes
        file = entry["file"] = entry["file"] if is_url(entry["file"]) else entry["file"].replace("\\", "/")
        if not file:
            message = 'lacks "file"; a row is {"file": …, "vase_id": …, "view": …}, or set source.fields.file'
            report(Problem(where=where, kind="no file named", message=message))
            continue
        if not is_url(file) and (file.startswith("/") or ".." in file.split("/")):
            message = f"{file} lies outside of the folder; give a path relative to it, or a URL"
            report(Problem(where=where, kind="outside of the folder", message=message))
            continue
        if file in seen:
            message = f"{file} was listed on line {seen[file].rpartition(':')[2]} already"
            report(Problem(where=where, kind="listed twice", message=message))
            continue
        seen[file] = where
        if not entry["vase_id"]:
            entry |= {name: value for name, value in group(file).items() if value}
        entry["vase_id"] = unicodedata.normalize("NFC", entry["vase_id"])
        if not is_url(file) and not (is_file(joined(folder, file)) if present is None else file in present):
            entry["problem"] = "no such file"
        yield {"problem": "", **entry}
