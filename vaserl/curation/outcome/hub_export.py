"""Exports a data set for the Hugging Face hub, as parquet files that contain photographs, turntable videos and 3D
models.

The manifest of a data set contains only the paths of these files, so that they are stored once. The hub's viewer can't
open such paths, and the library `datasets` looks for them in the working directory of the process. So the export
contains the files themselves.
"""

import io
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
from vaserl.files.photograph import UnreadablePhotograph, is_plain_picture, read_photograph
from vaserl.files.storage import read_bytes

LICENSES = (
    *("cc0-1.0", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0"),
    *("pddl", "odbl", "odc-by", "apache-2.0", "mit"),
)
"""The hub's identifiers of common licenses of data sets."""
ROWS_IN_GROUP = 32
"""Number of rows in a row group of a parquet file. It is small because the hub's viewer downloads a whole row group to
show one page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HubExport:
    """The result of an export: the written files and the numbers of exported and withheld vases."""

    num_vases: Mapping[str, int]
    """Number of exported vases, by split (train, val, test)."""
    num_withheld: int
    """Number of vases that were not exported, because the rights in their photographs are unknown or don't allow it."""
    num_converted: int
    """Number of exported photographs that are not the original files, because the hub's viewer could not show them."""
    files: Sequence[Path]
    """Paths of the parquet files."""
    num_bytes: int
    """Total size of the parquet files in bytes."""


def export_to_hub(dataset: DataSet, out: Path, rights: str = ".+", max_bytes: int = 500_000_000) -> HubExport:
    """Exports a data set into the new folder `out`: data/<split>-<n>-of-<m>.parquet, README.md and, if no vase is
    withheld, the contact sheet.

    A vase is exported if the regular expression `rights` matches the whole text of the rights in its photograph. The
    rights in the photograph decide because the vase's 3D model and turntable video are derived from it. When a parquet
    file has become larger than `max_bytes` bytes, the next rows are written to a new file.

    Raises: UserError when no vase may be exported, a file of a vase can't be read, or `out` is not empty.
    """
    if out.exists() and any(out.iterdir()):
        raise UserError(f"folder {out} is not empty; export into a new folder")
    kept = [row for row in dataset.rows if row.kept]
    allowed = _pattern(rights)
    rows = [row for row in kept if allowed.fullmatch(row.rights)]
    if not rows:
        raise UserError(
            f"{dataset.path}: none of the {len(kept)} vases has rights that match {rights!r}; fill in the column "
            '"rights" of the photographs or records, or export vases without rights too, with --rights ".*"'
        )
    final, out = out, out.with_name(f".{out.name}.writing")  # an interrupted export leaves nothing under the final name
    shutil.rmtree(out, ignore_errors=True)
    (out / "data").mkdir(parents=True)
    files, counts, num_converted = [], {}, 0
    for split in SPLITS:
        members = sorted((row for row in rows if row.split == split), key=lambda row: row.vase_id)
        if members:
            counts[split] = len(members)
            written, converted = _write_split(dataset, out / "data", split, members, max_bytes)
            files += written
            num_converted += converted
    num_withheld = len(kept) - len(rows)
    if not num_withheld and dataset.sheet.is_file():
        shutil.copyfile(dataset.sheet, out / dataset.sheet.name)
    (out / "README.md").write_text(_readme(dataset, counts, num_withheld, num_converted))
    out.replace(final)
    files = [final / path.relative_to(out) for path in files]
    return HubExport(
        num_vases=counts,
        num_withheld=num_withheld,
        num_converted=num_converted,
        files=files,
        num_bytes=sum(path.stat().st_size for path in files),
    )


def features() -> Any:
    """Returns the names and types of the columns of the export, as `datasets.Features`. The column `clip` contains the
    content hash of the turntable video, by which this package finds the video and the features computed from it."""
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


def _write_split(
    dataset: DataSet, out: Path, split: str, rows: Sequence[Row], max_bytes: int
) -> tuple[list[Path], int]:
    """Writes the parquet files of a split. Returns: their paths, and the number of converted photographs in them."""
    schema = features().arrow_schema
    parts: list[Path] = []
    writer: pq.ParquetWriter | None = None
    num_converted = 0
    for group in _groups(dataset, rows):
        if writer is None:
            parts.append(out / f"{split}-{len(parts):05d}.writing")
            writer = pq.ParquetWriter(parts[-1], schema)
        writer.write_table(pa.Table.from_pylist([columns for columns, _ in group], schema=schema))
        num_converted += sum(is_converted for _, is_converted in group)
        if parts[-1].stat().st_size > max_bytes:
            writer.close()
            writer = None
    if writer is not None:
        writer.close()
    named = [out / f"{split}-{number:05d}-of-{len(parts):05d}.parquet" for number in range(len(parts))]
    return [part.rename(name) for part, name in zip(parts, named, strict=True)], num_converted


def _groups(dataset: DataSet, rows: Sequence[Row]) -> Iterator[list[tuple[dict[str, Any], bool]]]:
    """Yields the row groups of a parquet file, each as a list of what `_columns` returns for a row."""
    for start in range(0, len(rows), ROWS_IN_GROUP):
        yield [_columns(dataset, row) for row in rows[start : start + ROWS_IN_GROUP]]


def _columns(dataset: DataSet, row: Row) -> tuple[dict[str, Any], bool]:
    """Returns the exported values of a row of the manifest, by column (see `features`), in types that pyarrow can
    convert, and whether the photograph was converted. The values include the contents of the vase's files."""
    contents, is_converted = {}, False
    for column, name in {"photo": row.photo, "video": clip_name(row.clip), "mesh": row.mesh}.items():
        place = dataset.place(name)
        try:
            file = {"bytes": read_bytes(place), "path": name.rsplit("/", 1)[-1]}
            contents[column] = _viewable(file) if column == "photo" else file
            is_converted |= contents[column] is not file
        except (OSError, UnreadablePhotograph) as error:
            raise UserError(
                f"{dataset.path}, vase {row.vase_id}: the file of its {column}, {place}, can't be read: {error}"
            ) from error
    as_json = {name: columns[name] for columns in [row.as_columns()] for name in ("record", "scores")}
    columns = {
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
    return columns, is_converted


def _viewable(photo: dict[str, Any]) -> dict[str, Any]:
    """Returns a photograph, {"bytes", "path"}, that the hub's viewer can show: `photo` itself, or a PNG made from it.

    The viewer writes each picture as JPEG or PNG in the mode in which Pillow opens it. It fails for some modes (LAB,
    floats) and shows others wrongly (16-bit greys, CMYK, first pages).

    Raises: UnreadablePhotograph if it can't be decoded.
    """
    if is_plain_picture(photo["bytes"]):
        return photo
    file = io.BytesIO()
    read_photograph(photo["bytes"]).save(file, format="PNG")
    return {"bytes": file.getvalue(), "path": f"{photo['path'].rpartition('.')[0] or photo['path']}.png"}


def _readme(dataset: DataSet, counts: Mapping[str, int], num_withheld: int, num_converted: int) -> str:
    """Returns the text of README.md for the hub. Its YAML header lists the files of each split; its body is the card of
    the data set.

    If vases are withheld, the body states how many and omits the contact sheet, which may show these vases.
    """
    settings = dataset.settings(CurateSettings)
    head = ["---", *_license(settings.card.license if settings else ""), "configs:"]
    head += ["- config_name: default", "  data_files:"]
    for split in counts:
        head += [f"  - split: {split}", f"    path: data/{split}-*.parquet"]
    head += ["tags:", "- 3d", "- cultural-heritage", "---", ""]
    body = dataset.card or "# Data set\n"
    if num_converted:
        body = (
            f"{body.rstrip()}\n\nOf the photographs, {num_converted:,} are PNG files made from files that the hub's "
            "viewer could not show (other colours than RGB or grey, transparency, more than 8 bits, TIFF). "
            "`photo_sha256` is the hash of the original file.\n"
        )
    if num_withheld:
        exported = ", ".join(f"{number:,} {split}" for split, number in counts.items())
        title, rest = _picture(dataset.sheet.name).sub("", body).split("\n", 1)
        body = (
            f"{title}\n\nPublished here: {exported}. The card below is that of the whole collection; "
            f"{num_withheld:,} of its vases are withheld for the rights in their photographs.\n{rest}"
        )
    return "\n".join(head) + "\n" + body


def _picture(name: str) -> re.Pattern[str]:
    """Returns a regular expression that matches the card's lines with the contact sheet `name` and its caption."""
    return re.compile(rf"!\[[^]]*\]\({re.escape(name)}\)\n\n.*\n\n")


def _license(stated: str) -> list[str]:
    """Returns the lines of the YAML header for the license `stated` in the settings. If it is in LICENSES, the line
    contains the hub's identifier. Otherwise the lines are `license: other` and the license's name."""
    if not stated:
        return []
    name = stated.lower().replace(" ", "-")
    return [f"license: {name}"] if name in LICENSES else ["license: other", f"license_name: {json.dumps(stated)}"]


def _pattern(rights: str) -> re.Pattern[str]:
    try:
        return re.compile(rights, re.DOTALL)
    except re.error as error:
        raise UserError(f"--rights {rights!r} is not a regular expression: {error}") from error
