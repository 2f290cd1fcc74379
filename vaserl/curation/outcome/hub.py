"""A data set as the Hugging Face hub wants it: parquet files that hold pictures, turntables and models themselves.

The manifest names files by paths, which nothing but this program can follow: `datasets` opens a path column from the
process's own working directory, and the hub's viewer opens none. So what is published is self-contained, and the
manifest stays small, with no second copy of every model beside the one that training reads.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vaserl.curation.outcome.why import read_settings
from vaserl.dataset.dataset import SPLITS, read_rows
from vaserl.errors import UserError
from vaserl.files.storage import is_url, read_bytes

CARD, SHEET = "DATASET.md", "contact_sheet.png"
LICENSES = (
    *("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0"),
    *("pddl", "odbl", "odc-by", "apache-2.0", "mit"),
)
"""Of the hub's names for licenses, those that data sets are given away under."""
_PICTURE = re.compile(rf"!\[[^]]*\]\({re.escape(SHEET)}\)\n\n.*\n\n")
"""The picture's place in the card, with the line below it."""
ROWS_A_GROUP = 32
"""Rows that the hub's viewer must fetch to show one page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What was written."""

    num_vases: Mapping[str, int]
    """Vases by split."""
    num_withheld: int
    """Vases whose rights do not allow it, or are unknown."""
    files: Sequence[Path]
    """The parquet files."""
    num_bytes: int
    """Their size."""


def publish(folder: Path, out: Path, rights: str = ".+", max_bytes: int = 500_000_000) -> Published:
    """Writes data/<split>-<n>-of-<m>.parquet, README.md and the card's picture into the new folder `out`.

    A vase is published if `rights`, a regular expression, fits the whole of what its photograph's rights say; model and
    turntable are made of that photograph. A file is closed at the first row beyond `max_bytes`.

    Raises: UserError when nothing may be published, a named file is missing, or `out` is not empty.
    """
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty; name a new folder")
    kept = [row for row in read_rows(folder) if not row["rejected_by"]]
    allowed = _pattern(rights)
    rows = [row for row in kept if allowed.fullmatch(row["rights"])]
    if not rows:
        raise UserError(
            f"{folder}: of {len(kept)} vases that came through, none has rights that fit {rights!r}; state them in the "
            'column "rights" of the photographs or records, or publish what states none with --rights ".*"'
        )
    final, out = out, out.with_name(f".{out.name}.writing")  # so that a run that ended halfway leaves no half behind
    shutil.rmtree(out, ignore_errors=True)
    (out / "data").mkdir(parents=True)
    files, counts = [], {}
    for split in SPLITS:
        members = sorted((row for row in rows if row["split"] == split), key=lambda row: row["vase_id"])
        if members:
            counts[split] = len(members)
            files += _write_split(folder, out / "data", split, members, max_bytes)
    num_withheld = len(kept) - len(rows)
    if not num_withheld and (folder / SHEET).is_file():
        shutil.copyfile(folder / SHEET, out / SHEET)
    (out / "README.md").write_text(_readme(folder, counts, num_withheld))
    out.replace(final)
    files = [final / path.relative_to(out) for path in files]
    return Published(
        num_vases=counts,
        num_withheld=num_withheld,
        files=files,
        num_bytes=sum(path.stat().st_size for path in files),
    )


def features() -> Any:
    """The columns as `datasets.Features`; `clip` is the key of the turntable in clip and feature stores."""
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


def _write_split(folder: Path, out: Path, split: str, rows: Sequence[Mapping[str, Any]], max_bytes: int) -> list[Path]:
    schema = features().arrow_schema
    parts: list[Path] = []
    writer: pq.ParquetWriter | None = None
    for group in _groups(folder, rows):
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


def _groups(folder: Path, rows: Sequence[Mapping[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Rows with the files' contents, as many as a row group holds."""
    for start in range(0, len(rows), ROWS_A_GROUP):
        yield [_row(folder, row) for row in rows[start : start + ROWS_A_GROUP]]


def _row(folder: Path, row: Mapping[str, Any]) -> dict[str, Any]:
    files = {"photo": row["photo"], "video": f"clips/{row['clip']}.mp4", "mesh": row["mesh"]}
    contents = {}
    for column, name in files.items():
        place = name if is_url(name) else str(folder / name)  # an absolute path stays one
        try:
            contents[column] = {"bytes": read_bytes(place), "path": name.rsplit("/", 1)[-1]}
        except OSError as error:
            raise UserError(f"{folder}: vase {row['vase_id']}: its {column} {place} can't be read: {error}") from error
    texts = ("vase_id", "caption", "reference", "rights", "credit", "view", "photo_sha256", "clip", "questions")
    as_json = {name: json.dumps(row[name], ensure_ascii=False, sort_keys=True) for name in ("record", "scores")}
    return {**contents, **{name: row[name] for name in texts}, **as_json}


def _readme(folder: Path, counts: Mapping[str, int], num_withheld: int) -> str:
    """The hub's card: its header names the files of each split, its body is the data set's own card.

    Where vases are withheld, the card says so, and goes without its picture, which may show them.
    """
    license = read_settings(folder).get("card", {}).get("license", "")
    head = ["---", *_license(license), "configs:", "- config_name: default", "  data_files:"]
    for split in counts:
        head += [f"  - split: {split}", f"    path: data/{split}-*.parquet"]
    head += ["tags:", "- 3d", "- cultural-heritage", "---", ""]
    card = folder / CARD
    body = card.read_text() if card.is_file() else "# Data set\n"
    if num_withheld:
        published = ", ".join(f"{number:,} {split}" for split, number in counts.items())
        title, rest = _PICTURE.sub("", body).split("\n", 1)
        body = (
            f"{title}\n\nPublished here: {published}. The card below is that of the whole collection; "
            f"{num_withheld:,} of its vases are withheld for the rights in their photographs.\n{rest}"
        )
    return "\n".join(head) + "\n" + body


def _license(stated: str) -> list[str]:
    """The header's lines for the license that the card states, under the hub's own name if it has one."""
    if not stated:
        return []
    name = stated.lower().replace(" ", "-")
    return [f"license: {name}"] if name in LICENSES else ["license: other", f"license_name: {json.dumps(stated)}"]


def _pattern(rights: str) -> re.Pattern[str]:
    try:
        return re.compile(rights, re.DOTALL)
    except re.error as error:
        raise UserError(f"--rights {rights!r} is not a regular expression: {error}") from error
