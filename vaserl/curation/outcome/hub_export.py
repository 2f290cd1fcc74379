"""Exports a data set for the Hugging Face hub: parquet files that hold photographs, turntable videos and 3D models.

The manifest names files by paths, which only this package can follow: `datasets` resolves a path column from the
process's working directory, and the hub's viewer resolves none. So the export contains the files themselves, and the
manifest stays small, without a second copy of every 3D model and video beside the one that training reads.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vaserl.curation.settings import CurateSettings
from vaserl.dataset import SPLITS, DataSet, Row, clip_name
from vaserl.errors import UserError
from vaserl.files.storage import read_bytes

LICENSES = (
    *("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0"),
    *("pddl", "odbl", "odc-by", "apache-2.0", "mit"),
)
"""The hub's identifiers of licenses that are common for data sets."""
ROWS_IN_GROUP = 32
"""Rows per row group of a parquet file. The hub's viewer must fetch a whole row group to show one page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubExport:
    """The result of an export: its files, and how many vases were exported and withheld."""

    num_vases: Mapping[str, int]
    """Number of exported vases, by split."""
    num_withheld: int
    """Number of vases that were not exported, because their rights are unknown or do not allow it."""
    files: Sequence[Path]
    """Paths of the parquet files."""
    num_bytes: int
    """Total size of the parquet files in bytes."""


def export_to_hub(dataset: DataSet, out: Path, rights: str = ".+", max_bytes: int = 500_000_000) -> HubExport:
    """Writes data/<split>-<n>-of-<m>.parquet, README.md and the card's picture into the new folder `out`.

    A vase is exported if the regular expression `rights` matches the whole text of its photograph's rights, because its
    3D model and turntable video are derived from that photograph. A file is closed after the first row
    group that makes it larger than `max_bytes`.

    Raises: UserError when no vase may be exported, a named file is missing, or `out` is not empty.
    """
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty; name a new folder")
    kept = [row for row in dataset.rows if row.kept]
    allowed = _pattern(rights)
    rows = [row for row in kept if allowed.fullmatch(row.rights)]
    if not rows:
        raise UserError(
            f"{dataset.path}: of {len(kept)} vases that came through, none has rights that match {rights!r}; state "
            'them in the column "rights" of the photographs or records, or export what states none with --rights ".*"'
        )
    final, out = out, out.with_name(f".{out.name}.writing")  # an interrupted export leaves nothing under the final name
    shutil.rmtree(out, ignore_errors=True)
    (out / "data").mkdir(parents=True)
    files, counts = [], {}
    for split in SPLITS:
        members = sorted((row for row in rows if row.split == split), key=lambda row: row.vase_id)
        if members:
            counts[split] = len(members)
            files += _write_split(dataset, out / "data", split, members, max_bytes)
    num_withheld = len(kept) - len(rows)
    if not num_withheld and dataset.sheet.is_file():
        shutil.copyfile(dataset.sheet, out / dataset.sheet.name)
    (out / "README.md").write_text(_readme(dataset, counts, num_withheld))
    out.replace(final)
    files = [final / path.relative_to(out) for path in files]
    return HubExport(
        num_vases=counts,
        num_withheld=num_withheld,
        files=files,
        num_bytes=sum(path.stat().st_size for path in files),
    )


def features() -> Any:
    """Returns the columns of the export as `datasets.Features`. The column `clip` is the content hash by which this
    package finds the turntable video and the features computed from it."""
    from datasets import Features, Image, List, Mesh, Value, Video

    text = Value("string")
    question = {"dimension": text, "question": text, "answer": text}
    return Features(
        {
            "vase_id": text,
            "photo": Image(),
            "video": Video(),
            "mesh": Mesh(),
            "caption": text,
            "reference": text,
            "questions": List(question),
            "record": text,
            "rights": text,
            "credit": text,
            "view": text,
            "photo_sha256": text,
            "clip": text,
            "scores": text,
        }
    )


def _write_split(dataset: DataSet, out: Path, split: str, rows: Sequence[Row], max_bytes: int) -> list[Path]:
    schema = features().arrow_schema
    parts: list[Path] = []
    writer: pq.ParquetWriter | None = None
    for group in _groups(dataset, rows):
        if writer is None:
            parts.append(out / f"{split}-{len(parts):05d}.writing")
            writer = pq.ParquetWriter(parts[-1], schema)
        writer.write_table(pa.Table.from_pylist(group, schema=schema))
        if parts[-1].stat().st_size > max_bytes:
            writer.close()
            writer = None
    if writer is not None:
        writer.close()
    named = [out / f"{split}-{number:05d}-of-{len(parts):05d}.parquet" for number in range(len(parts))]
    return [part.rename(name) for part, name in zip(parts, named, strict=True)]


def _groups(dataset: DataSet, rows: Sequence[Row]) -> Iterator[list[dict[str, Any]]]:
    """Yields one row group at a time: the columns of its rows, with the contents of their files."""
    for start in range(0, len(rows), ROWS_IN_GROUP):
        yield [_columns(dataset, row) for row in rows[start : start + ROWS_IN_GROUP]]


def _columns(dataset: DataSet, row: Row) -> dict[str, Any]:
    """Returns the columns of `features` for a row, as values that pyarrow converts."""
    contents = {}
    for column, name in {"photo": row.photo, "video": clip_name(row.clip), "mesh": row.mesh}.items():
        place = dataset.place(name)
        try:
            contents[column] = {"bytes": read_bytes(place), "path": name.rsplit("/", 1)[-1]}
        except OSError as error:
            raise UserError(
                f"{dataset.path}: vase {row.vase_id}: its {column} {place} can't be read: {error}"
            ) from error
    as_json = {name: columns[name] for columns in [row.as_columns()] for name in ("record", "scores")}
    return {
        **contents,
        "vase_id": row.vase_id,
        "caption": row.caption,
        "reference": row.reference,
        "questions": [asdict(question) for question in row.questions],
        "rights": row.rights,
        "credit": row.credit,
        "view": row.view,
        "photo_sha256": row.photo_sha256,
        "clip": row.clip,
        **as_json,
    }


def _readme(dataset: DataSet, counts: Mapping[str, int], num_withheld: int) -> str:
    """Returns the hub's README.md: its header names the files of each split, its body is the data set's own card.

    Where vases are withheld, the body states how many and omits the picture, which may show them.
    """
    settings = dataset.settings(CurateSettings)
    head = ["---", *_license(settings.card.license if settings else ""), "configs:"]
    head += ["- config_name: default", "  data_files:"]
    for split in counts:
        head += [f"  - split: {split}", f"    path: data/{split}-*.parquet"]
    head += ["tags:", "- 3d", "- cultural-heritage", "---", ""]
    body = dataset.card or "# Data set\n"
    if num_withheld:
        exported = ", ".join(f"{number:,} {split}" for split, number in counts.items())
        title, rest = _picture(dataset.sheet.name).sub("", body).split("\n", 1)
        body = (
            f"{title}\n\nPublished here: {exported}. The card below is that of the whole collection; "
            f"{num_withheld:,} of its vases are withheld for the rights in their photographs.\n{rest}"
        )
    return "\n".join(head) + "\n" + body


def _picture(name: str) -> re.Pattern[str]:
    """Returns a pattern that matches the picture in the card and the line below it."""
    return re.compile(rf"!\[[^]]*\]\({re.escape(name)}\)\n\n.*\n\n")


def _license(stated: str) -> list[str]:
    """Returns the header's lines for the license that the card states, under the hub's own name if it has one."""
    if not stated:
        return []
    name = stated.lower().replace(" ", "-")
    return [f"license: {name}"] if name in LICENSES else ["license: other", f"license_name: {json.dumps(stated)}"]


def _pattern(rights: str) -> re.Pattern[str]:
    try:
        return re.compile(rights, re.DOTALL)
    except re.error as error:
        raise UserError(f"--rights {rights!r} is not a regular expression: {error}") from error
