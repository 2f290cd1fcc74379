"""What comes in: a folder of photographs, and the museum's records of the vases on them.

Photographs are listed in `photographs.jsonl` ({"file", "vase_id", "view"} a line), or else are the image files of the
folder, named `<vase_id>_<view>` or `<vase_id>`. Records lie in `records.jsonl`, in `records.csv`, or in one
`<vase_id>.json` for each vase.
"""

import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaserl.curation.batch import Batch, rejecting, remaining, with_column
from vaserl.curation.photograph import SUFFIXES, UnreadablePhotograph, read_photograph
from vaserl.curation.settings import SourceSettings
from vaserl.errors import UserError
from vaserl.types import FIELD_OF_DIMENSION

STAGE = "source"
PHOTOGRAPHS = "photographs.jsonl"
RECORDS_JSONL = "records.jsonl"
RECORDS_CSV = "records.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Photograph:
    """A photograph and what is known of the vase on it, before anything was looked at."""

    path: Path
    """Absolute path of the image."""
    vase_id: str
    """The vase on it; several photographs may show one."""
    view: str
    """Which of them it is: a number, or a name like "front"."""
    record: Mapping[str, str]
    """The vase's record, Beazley fields that are filled in; empty if there is none."""
    kind: str
    """What the photograph really is, where someone labelled it ("intact", "fragment", "blur", …); else ""."""
    problem: str
    """Why it can't be used, or "": no record, nothing stated, no such file."""

    def row(self) -> dict[str, str]:
        """As the first stage takes it: see `vaserl.curation.batch.INPUT_COLUMNS`."""
        return {
            "photo": str(self.path),
            "photo_sha256": "",
            "vase_id": self.vase_id,
            "view": self.view,
            "record": json.dumps(self.record, ensure_ascii=False, sort_keys=True),
            "rejected_by": STAGE if self.problem else "",
            "reason": self.problem,
        }


class Source:
    """The first stage: hashes each file and makes sure that it decodes."""

    def __call__(self, batch: Batch) -> Batch:
        digests: dict[int, str] = {}
        reasons: dict[int, str] = {}
        for index in remaining(batch):
            try:
                content = Path(batch["photo"][index]).read_bytes()
                digests[index] = hashlib.sha256(content).hexdigest()
                read_photograph(content)
            except OSError as error:
                reasons[index] = f"can't be read: {error.strerror}"
            except UnreadablePhotograph as error:
                reasons[index] = str(error)
        return rejecting(with_column(batch, "photo_sha256", digests, ""), STAGE, reasons)


def read_source(settings: SourceSettings) -> list[Photograph]:
    """Every photograph of the folder with its record, by path.

    Raises: UserError when the folder, its photographs or its records are missing or can't be parsed: file and line.
    """
    folder = settings.path
    if not folder.is_dir():
        raise UserError(f"source.path {folder}: no such folder")
    records, origin = _read_records(folder, settings.id_field)
    listed = folder / PHOTOGRAPHS
    entries = _listed(listed) if listed.is_file() else _found(folder, re.compile(settings.pattern), records)
    photographs = [_photograph(folder, entry, records, origin) for entry in entries]
    if not photographs:
        raise UserError(
            f"{folder} holds no photographs: it has neither {PHOTOGRAPHS} with a line for each nor files with a suffix "
            f"of {', '.join(sorted(SUFFIXES))}"
        )
    return sorted(photographs, key=lambda photograph: str(photograph.path))


def _photograph(folder: Path, entry: Mapping[str, str], records: Mapping[str, Any], origin: str) -> Photograph:
    path = folder / entry["file"]
    record = records.get(entry["vase_id"])
    problem = ""
    if not path.is_file():
        problem = "no such file"
    elif record is None:
        problem = f"no record with the id {entry['vase_id']!r} in {origin}"
    elif not any(record.get(field) for field in FIELD_OF_DIMENSION.values()):
        problem = f"its record states none of {', '.join(FIELD_OF_DIMENSION.values())}"
    return Photograph(
        path=path,
        vase_id=entry["vase_id"],
        view=entry["view"],
        record=record or {},
        kind=entry.get("kind", ""),
        problem=problem,
    )


def _listed(path: Path) -> Iterator[dict[str, str]]:
    seen: dict[str, int] = {}
    for number, entry in _json_lines(path):
        missing = [name for name in ("file", "vase_id") if not entry.get(name)]
        if missing:
            raise UserError(f'{path}:{number}: lacks "{missing[0]}"; a line is {{"file": …, "vase_id": …, "view": …}}')
        entry = {name: str(entry.get(name, "")) for name in ("file", "vase_id", "view", "kind")}
        if Path(entry["file"]).is_absolute() or ".." in Path(entry["file"]).parts:
            raise UserError(f"{path}:{number}: {entry['file']} lies outside of the folder; give a path relative to it")
        if entry["file"] in seen:
            raise UserError(f"{path}:{number}: {entry['file']} was listed on line {seen[entry['file']]} already")
        seen[entry["file"]] = number
        yield entry


def _found(folder: Path, pattern: re.Pattern[str], records: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in SUFFIXES:
            continue
        match = pattern.fullmatch(path.stem)
        # an id may itself end like a view: a record under the whole name decides
        if path.stem in records or not match:
            yield {"file": path.name, "vase_id": path.stem, "view": ""}
        else:
            yield {"file": path.name, "vase_id": match["vase_id"], "view": match["view"] or ""}


def _read_records(folder: Path, id_field: str) -> tuple[dict[str, dict[str, str]], str]:
    """Records by vase id, and the name of where they came from."""
    jsonl, table = folder / RECORDS_JSONL, folder / RECORDS_CSV
    if jsonl.is_file():
        return _by_id(jsonl, _json_lines(jsonl), id_field), RECORDS_JSONL
    if table.is_file():
        with table.open(newline="", encoding="utf-8-sig") as file:
            return _by_id(table, enumerate(csv.DictReader(file), start=2), id_field), RECORDS_CSV
    single = [path for path in sorted(folder.glob("*.json")) if path.is_file()]
    if not single:
        raise UserError(
            f"{folder} holds no records: give it {RECORDS_JSONL} or {RECORDS_CSV} with a field {id_field!r}, or one "
            f"<vase_id>.json for each vase, with fields like {', '.join(FIELD_OF_DIMENSION.values())}"
        )
    return {
        path.stem: _cleaned(_parsed(path, 1, path.read_text(encoding="utf-8"))) for path in single
    }, "<vase_id>.json"


def _by_id(path: Path, entries: Iterator[tuple[int, Any]], id_field: str) -> dict[str, dict[str, str]]:
    records: dict[str, dict[str, str]] = {}
    for number, entry in entries:
        key = str(entry.get(id_field) or "")
        if not key:
            raise UserError(
                f"{path}:{number}: no {id_field!r}; the fields there are {', '.join(map(str, entry))}. "
                "Set source.id_field to the one that names the vase"
            )
        if key in records:
            raise UserError(f"{path}:{number}: a second record with the id {key!r}")
        records[key] = _cleaned({name: value for name, value in entry.items() if name != id_field})
    return records


def _cleaned(entry: Mapping[Any, Any]) -> dict[str, str]:
    """Filled-in fields as text; a CSV row with too many cells keeps the rest under None, which is no field."""
    texts = {name: str(value).strip() for name, value in entry.items() if name is not None and value is not None}
    return {name: text for name, text in texts.items() if text}


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), start=1):
        if line.strip():
            yield number, _parsed(path, number, line)


def _parsed(path: Path, number: int, text: str) -> dict[str, Any]:
    try:
        entry = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{number + error.lineno - 1}: not JSON: {error.msg}") from error
    if not isinstance(entry, dict):
        raise UserError(f"{path}:{number}: expected a JSON object, got {type(entry).__name__}")
    return entry
