"""Reads the rows of a file or folder of conversations: JSON lines, JSON, parquet, or a folder of `datasets`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from vaserl.dataset import SPLITS
from vaserl.errors import UserError
from vaserl.files import read_json_lines
from vaserl.files.parquet import DEFECTS, open_parquet, rows_of_parquet

SPLIT_NAMES = {"validation": "val", "valid": "val", "dev": "val", "eval": "val"}
"""Names of splits in other data sets, and the split that they are here."""


def read_chat_rows(path: Path) -> Iterator[tuple[str, Path, dict[str, Any]]]:
    """Yields (place of the row, folder of its file, row) for each row.

    A folder holds parquet files, as on the hub, or what `Dataset.save_to_disk` wrote. A file's name that begins with a
    split ("train-00000-of-00002.parquet"), or its folder's, states the split of its rows.

    Raises: UserError if the file can't be read.
    """
    if not path.exists():
        raise UserError(f"{path} does not exist")
    files = _files_of_folder(path) if path.is_dir() else [path]
    for file in files:
        name = str(file.relative_to(path)) if path.is_dir() else file.name
        split = _split_of(file.relative_to(path)) if path.is_dir() else ""
        for number, row in enumerate(_rows(file), start=1):
            stated = row if row.get("split") or not split else {**row, "split": split}
            yield f"{name}, row {number}", file.parent, stated


def _files_of_folder(folder: Path) -> list[Path]:
    for pattern in ("*.parquet", "*.arrow", "*.jsonl"):
        # a cache that `datasets` left beside the data holds the same rows again
        found = [file for file in sorted(folder.rglob(pattern)) if not file.name.startswith("cache-")]
        if found:
            return found
    raise UserError(f"{folder} holds no .parquet, .arrow or .jsonl file; give such a file or folder")


def _split_of(file: Path) -> str:
    for part in (file.name, *reversed(file.parent.parts)):
        word = part.split("-")[0].split(".")[0].lower()
        split = SPLIT_NAMES.get(word, word)
        if split in SPLITS:
            return split
    return ""


def _rows(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        what = str(path)
        return list(rows_of_parquet(open_parquet(path, what), what))
    if path.suffix == ".arrow":
        try:
            with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as stream:
                return stream.read_all().to_pylist()
        except DEFECTS as error:
            raise UserError(f"{path} can't be read as an Arrow stream: {error}") from error
    if path.suffix != ".json":
        return read_json_lines(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise UserError(f"{path} must be a list of objects")
    return found
