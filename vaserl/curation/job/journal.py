"""What is finished: the rows of each shard after each stage, kept under the data set, so that a killed job goes on.

A shard is a few rows that travel together. After each stage they are written to

    <data set>/.work/<stage>/<key>.parquet

in one step (written aside, flushed, renamed), so a file that is there is whole. The key is a digest of the rows that
came in and of all the stages that they have passed; whoever has the same rows and the same settings therefore finds
them done, and a change of a stage's settings costs that stage and those after it, nothing before. Nobody keeps a list:
two processes that do the same shard write the same file.

The folder must be seen by every node, like the data set that it lies in.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vaserl.curation.job.batch import RowBatch, batch_from, table_of
from vaserl.curation.job.stage import Stage
from vaserl.dataset import DataSet, clip_name
from vaserl.files import atomic_file

_FILES = b"files"


def key_of(rows: Iterable[Mapping[str, Any]]) -> str:
    """Digest of rows before any stage, hex."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()[:32]


def key_after(key: str, stages: Sequence[Stage]) -> str:
    """The key of the same rows after these stages."""
    for stage in stages:
        key = hashlib.sha256(f"{key} {stage.digest}".encode()).hexdigest()[:32]
    return key


class Journal:
    """The finished shards of a data set."""

    def __init__(self, dataset: Path) -> None:
        self._dataset, self._folder = Path(dataset), DataSet(dataset).work

    def path(self, step: str, key: str) -> Path:
        """Where the shard of that key lies after that stage, or would lie."""
        return self._folder / step / f"{key}.parquet"

    def has(self, step: str, key: str) -> bool:
        """Whether that shard is finished, and the models and clips that its rows name are still the ones it made."""
        path = self.path(step, key)
        try:
            metadata = pq.read_metadata(path).metadata or {}
        except (FileNotFoundError, pa.ArrowInvalid):
            return False  # ArrowInvalid: a file system that lost power may keep the name and lose the content
        files: dict[str, list[int]] = json.loads(metadata.get(_FILES, b"{}"))
        return all(_stamp(self._dataset / name) == stamp for name, stamp in files.items())

    def read(self, step: str, key: str) -> RowBatch:
        """The rows of a finished shard."""
        return batch_from(pq.read_table(self.path(step, key)))

    def write(self, step: str, key: str, batch: RowBatch) -> None:
        """Declares a shard finished."""
        files = {name: _stamp(self._dataset / name) for name in _files_of(batch)}
        table = table_of(batch).replace_schema_metadata({_FILES: json.dumps(files)})
        self.write_table(step, key, table)

    def write_table(self, step: str, key: str, table: pa.Table) -> None:
        """The same for rows that no stage has seen."""
        path = self.path(step, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file:
            pq.write_table(table, file)

    def stale(self, used: set[Path]) -> list[Path]:
        """Shards that this run has not used: of other settings, other photographs, other code."""
        return sorted(path for path in self._folder.glob("*/*.parquet") if path not in used)


def _files_of(batch: RowBatch) -> list[str]:
    """Paths, relative to the data set, of what the rows' stages wrote beside them."""
    meshes = [name for name in batch.get("mesh", ()) if name]
    return [*meshes, *(clip_name(digest) for digest in batch.get("clip", ()) if digest)]


def _stamp(path: Path) -> list[int]:
    """Size, and time of change in ns where the name doesn't say the content already; [] where there is no file."""
    try:
        status = path.stat()
    except FileNotFoundError:
        return []
    return [status.st_size] if path.suffix == ".mp4" else [status.st_size, status.st_mtime_ns]
