"""The curated data set: a parquet manifest with one row for each photograph, and the clips it names.

Every photograph that went in has a row. `rejected_by` is empty for those that came through; for the others it names
the stage, and `reason` says why in words. So the retention table is a query and nothing is lost.
"""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from vaserl.errors import UserError
from vaserl.files import atomic_file
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Dimension, Task

MANIFEST = "manifest.parquet"
ROWS_OF_A_GROUP = 2048
CAPTION_PROMPT = "Describe the vase."
PROVENANCE = "provenance"
Topic = Dimension | Literal["provenance"]
"""What a question asks for: a dimension, or where the vase was found."""

MANIFEST_SCHEMA = pa.schema(
    [
        ("photo", pa.string()),  # path or URL of the photograph
        ("photo_sha256", pa.string()),
        ("vase_id", pa.string()),
        ("view", pa.string()),  # a number, or a name like "front"; "" if unknown
        ("kind", pa.string()),  # what the photograph really is, where someone labelled it; else ""
        ("rights", pa.string()),  # who may use it, "" if nobody says
        ("credit", pa.string()),  # the line to print beside it, "" if nobody says
        ("record", pa.string()),  # the museum's record, Beazley form, as JSON
        ("rejected_by", pa.string()),  # stage, or "" for a row that came through
        ("reason", pa.string()),
        ("scores", pa.string()),  # what each stage measured, as JSON: {"quality": 0.98, …}
        ("mesh", pa.string()),  # path of the GLB, relative to the data set
        ("clip", pa.string()),  # sha256 of the turntable: clips/<sha256>.mp4
        ("caption", pa.string()),  # as a catalogue would print it: what supervised fine-tuning imitates
        ("reference", pa.string()),  # everything the record states: what a perfect caption says
        ("questions", pa.string()),  # [{"dimension", "question", "answer"}, …] as JSON
        ("split", pa.string()),  # train, val or test; "" for a rejected row
    ]
)

UNSTATED = {name: "" for name in ("view", "kind", "rights", "credit")}
"""Columns that a row may lack, and older manifests do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question about one dimension of a vase."""

    dimension: Topic
    """What it asks for."""
    question: str
    """As it is put to the model."""
    answer: str
    """As the record answers it."""


SPLITS = ("train", "val", "test")
"""What a vase is for: learning from it, choosing by it, reporting on it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vase:
    """A row that came through curation: a vase with its clip and texts."""

    id: str
    """The museum's or the world's identifier."""
    record: Mapping[str, str]
    """Beazley-form fields, present ones only."""
    photo: str
    """Path of the photograph it was lifted from."""
    mesh: str
    """Path of the GLB."""
    clip: str
    """Content hash of the turntable."""
    caption: str
    """The catalogue's caption."""
    reference: str
    """The complete caption."""
    questions: tuple[Question, ...]
    """One for each dimension the record states, and one for its provenance."""
    split: str
    """One of SPLITS."""

    def caption_task(self) -> Task:
        """The task of describing the whole vase."""
        return Task(
            id=f"{self.id}/caption",
            clip=self.clip,
            prompt=CAPTION_PROMPT,
            dimensions=DIMENSIONS,
            record=self.record,
            reference=self.reference,
        )


def write_manifest(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Writes rows (columns of SCHEMA, JSON columns as objects; UNSTATED ones may be absent) sorted by photograph,
    atomically."""
    return write_manifest_parts(folder, [sorted(rows, key=lambda row: str(row["photo"]))])


def write_manifest_parts(folder: Path, parts: Iterable[Sequence[Mapping[str, Any]]]) -> Path:
    """The same from parts that are sorted already, each in itself and one after the other; it holds one at a time."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / MANIFEST
    rows = (row for part in parts for row in part)
    with atomic_file(path) as file, pq.ParquetWriter(file, MANIFEST_SCHEMA) as writer:
        # groups of one length, so that the file doesn't depend on how it was cut into parts
        while group := list(itertools.islice(rows, ROWS_OF_A_GROUP)):
            full = [{**UNSTATED, **row} for row in group]
            columns = [{name: _encode(row[name]) for name in MANIFEST_SCHEMA.names} for row in full]
            writer.write_table(pa.Table.from_pylist(columns, schema=MANIFEST_SCHEMA))
    return path


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """Every row of the manifest, JSON columns decoded.

    Raises: UserError when the folder has no manifest, or one with other columns.
    """
    path = Path(folder) / MANIFEST
    if not path.is_file():
        raise UserError(f"data set {folder} has no {MANIFEST}. Make one with `python -m launch.curate CONFIG`.")
    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise UserError(f"{path} is not a parquet file: {error}") from error
    missing = [name for name in MANIFEST_SCHEMA.names if name not in table.column_names and name not in UNSTATED]
    if missing:
        raise UserError(f"{path} lacks the columns {', '.join(missing)}; it was not written by launch.curate")
    rows = table.select([name for name in MANIFEST_SCHEMA.names if name in table.column_names]).to_pylist()
    for row in rows:
        row.update({name: row.get(name) or "" for name in UNSTATED})
        for name in ("record", "scores", "questions"):
            row[name] = json.loads(row[name]) if row[name] else {}
    return rows


def read_vases(folder: Path, split: str) -> list[Vase]:
    """The vases of one split, by id.

    Raises: UserError when there is none, or when a vase's record states none of the six dimensions, or when its clip
    is missing.
    """
    folder = Path(folder)
    rows = [row for row in read_rows(folder) if not row["rejected_by"]]
    chosen = [row for row in rows if row["split"] == split]
    if not chosen:
        found = sorted({row["split"] for row in rows})
        detail = f"splits there: {', '.join(found)}" if found else "every photograph was rejected, or there was none"
        raise UserError(f"data set {folder} has no vase in split {split!r} ({detail})")
    return sorted((_vase(folder, row) for row in chosen), key=lambda vase: vase.id)


def _vase(folder: Path, row: Mapping[str, Any]) -> Vase:
    if not any(row["record"].get(field) for field in FIELD_OF_DIMENSION.values()):
        raise UserError(
            f"{folder / MANIFEST}: vase {row['vase_id']} ({row['photo']}) has a record without a single dimension; "
            f"it needs one of the fields {', '.join(FIELD_OF_DIMENSION.values())}"
        )
    if not (folder / "clips" / f"{row['clip']}.mp4").is_file():
        raise UserError(f"{folder / MANIFEST}: vase {row['vase_id']}: its clip clips/{row['clip']}.mp4 is missing")
    return vase_of(row)


def vase_of(row: Mapping[str, Any]) -> Vase:
    """A row that came through, unchecked."""
    return Vase(
        id=row["vase_id"],
        record=row["record"],
        photo=row["photo"],
        mesh=row["mesh"],
        clip=row["clip"],
        caption=row["caption"],
        reference=row["reference"],
        questions=tuple(Question(**question) for question in row["questions"]),
        split=row["split"],
    )


def _encode(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
