"""The journal: the rows of each shard after each stage, kept under the data set, so that a killed job resumes.

A shard is a few rows that pass the stages together. After each stage they are written atomically to

    <data set>/.work/<stage>/<key>.parquet

The key is a digest of the rows before the first stage and of all the stages that they have passed. A job over the same
rows with the same settings therefore finds them finished. After a change of one stage's settings, only that stage and
the stages after it run again. Two processes that work on the same shard don't conflict: they write the same file, and
there is no list of finished shards.

The folder must be on storage that every node of the cluster can access, as must the data set that contains it.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vaserl.curation.job.batch import RowBatch, batch_from, table_of
from vaserl.curation.job.prepared import LAYOUT, PreparedStage
from vaserl.dataset import DataSet
from vaserl.files import atomic_file

_FILES = b"files"


def key_of(rows: Iterable[Mapping[str, Any]]) -> str:
    """Returns the key of a shard with these rows before the first stage: the rows' hexadecimal digest."""
    digest = hashlib.sha256()
    for row in rows:
        digest.update(json.dumps(row, sort_keys=True, ensure_ascii=False).encode() + b"\n")
    return digest.hexdigest()[:32]


def key_after(key: str, stages: Sequence[PreparedStage]) -> str:
    """Returns a shard's key after `stages`, computed from its key before them."""
    for stage in stages:
        key = hashlib.sha256(f"{key} {stage.digest}".encode()).hexdigest()[:32]
    return key


class Journal:
    """The finished shards of a data set, each of which is a file.

    The argument `step` of the methods is the name of the last stage that a shard has passed, or "input" if it has
    passed none.
    """

    def __init__(self, dataset: Path) -> None:
        self._dataset, self._folder = Path(dataset), DataSet(dataset).work

    def path(self, step: str, key: str) -> Path:
        """Returns the path of the shard with key `key` after stage `step`, whether the file exists or not."""
        return self._folder / step / f"{key}.parquet"

    def has(self, step: str, key: str) -> bool:
        """Returns True if the shard is finished and the files that its rows refer to, such as GLBs, are unchanged."""
        path = self.path(step, key)
        try:
            metadata = pq.read_metadata(path).metadata or {}
        except (FileNotFoundError, pa.ArrowInvalid):
            return False  # ArrowInvalid: a file system may lose a file's content, but not its name, in a power failure
        files: dict[str, list[int]] = json.loads(metadata.get(_FILES, b"{}"))
        return all(_stamp(self._dataset / name) == stamp for name, stamp in files.items())

    def read(self, step: str, key: str) -> RowBatch:
        """Reads the rows of a finished shard."""
        return batch_from(pq.read_table(self.path(step, key)))

    def write(self, step: str, key: str, batch: RowBatch, files: Mapping[str, str] = MappingProxyType({})) -> None:
        """Writes a finished shard, with the size and modification time of each file that its rows refer to.

        files: the columns that refer to files; see `PreparedStage.files`.
        """
        names = [pattern.format(name) for column, pattern in files.items() for name in batch.get(column, ()) if name]
        stamps = {name: _stamp(self._dataset / name) for name in names}
        table = table_of(batch).replace_schema_metadata({_FILES: json.dumps(stamps)})
        self.write_table(step, key, table)

    def write_table(self, step: str, key: str, table: pa.Table) -> None:
        """Writes the rows of a finished shard, given as an Arrow table, atomically."""
        path = self.path(step, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_file(path) as file:
            pq.write_table(table, file)

    def stale(self, used: set[Path]) -> list[Path]:
        """Returns the paths of all shards that are not in `used`, such as those of other settings or photographs."""
        return sorted(path for path in self._folder.glob("*/*.parquet") if path not in used)

    def adopt(self) -> int:
        """Writes the layout version `LAYOUT` into the journal. The caller must hold the data set's lock.

        Returns: the number of finished shards that were written with another layout. Their keys contain that
        layout's version, so none of them is reused.
        """
        mark = self._folder / "layout"
        if mark.is_file() and mark.read_text() == LAYOUT:
            return 0
        num_earlier = len(self.stale(set()))
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(LAYOUT)
        return num_earlier


def _stamp(path: Path) -> list[int]:
    """Returns a file's size in bytes and modification time in ns; [] if there is no file.

    The list has no time for a video, because a video's file is named after the hash of its content.
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        return []
    return [status.st_size] if path.suffix == ".mp4" else [status.st_size, status.st_mtime_ns]
