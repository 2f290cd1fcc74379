"""Divides the rows of each pass into shards of a few rows. Only one shard's rows at a time are Python objects."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.parquet as pq

from vaserl.curation.job.batch import INPUT_COLUMNS, RowBatch, batch_from
from vaserl.curation.job.journal import Journal, key_of
from vaserl.files.storage import is_url

INPUT = "input"
"""Name of the journal's folder for shards before the first stage."""

Versions = Mapping[str, Sequence[str]]
"""Version of the file at each URL (digest or modification time, and size); see `versions_below`."""

Losers = Mapping[int, Mapping[int, str]]
"""Reason why the choice between views rejected a row, by the shard's number and the row's index in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A few rows that pass the stages together. The rows themselves are in a file.

    Example: Shard(number=3, file="/data/.work/input/5e….parquet", rows=None, columns=None, num_rows=128, key="5e…")
    """

    number: int
    """Position among the shards of the pass, from 0."""
    file: str
    """Path of the Parquet file with the rows as they were before the pass."""
    rows: tuple[int, ...] | None
    """Indices of the shard's rows in the file; None: all rows."""
    columns: tuple[str, ...] | None
    """Columns to read from the file; None: all columns."""
    num_rows: int
    key: str
    """Digest under which the journal keeps the shard after its last finished stage."""
    step: str = ""
    """Name of the last finished stage; "" before the first."""

    def read(self, journal: Journal) -> RowBatch:
        """Returns the shard's rows as they are after its last finished stage."""
        if self.step:
            return journal.read(self.step, self.key)
        table = pq.read_table(self.file, columns=None if self.columns is None else list(self.columns))
        return batch_from(table if self.rows is None else table.take(list(self.rows)))


def source_shards(
    photographs: pa.Table, journal: Journal, num_rows: int, versions: Versions = MappingProxyType({})
) -> list[Shard]:
    """Returns shards of `num_rows` photographs each, in their order, and writes their rows to the journal.

    The key covers the size and time of each file, so a changed file gives its shard another key. `versions` are the
    versions of files behind URLs.
    """
    shards = []
    for number, start in enumerate(range(0, photographs.num_rows, num_rows)):
        part = photographs.slice(start, num_rows)
        key = key_of(row | {"changed": _changed(row["photo"], versions)} for row in part.to_pylist())
        file = journal.path(INPUT, key)
        if not journal.has(INPUT, key):
            journal.write_table(INPUT, key, part)
        shards.append(Shard(number=number, file=str(file), rows=None, columns=None, num_rows=part.num_rows, key=key))
    return shards


def lift_shards(
    filtered: Sequence[Shard],
    losers: Losers,
    journal: Journal,
    num_rows: int,
    given: Callable[[str], str] | None = None,
    versions: Versions = MappingProxyType({}),
) -> list[Shard]:
    """Returns the chosen views of the vases that passed the filters, in shards of at most `num_rows` rows.

    A shard never holds photographs from two shards of the first pass, so that a vase more or less leaves the keys of
    the other shards unchanged. Nor does it hold their scores, so that a changed score invalidates no 3D model.

    given: returns the path or URL of a vase's 3D model by the vase's id, where models are given and not made. A model
    that was added or replaced gives its shard another key.
    """
    shards: list[Shard] = []
    for parent in filtered:
        file = journal.path(parent.step, parent.key)
        table = pq.read_table(file, columns=list(INPUT_COLUMNS))
        lost = losers.get(parent.number, {})
        kept = [row for row, by in enumerate(table["rejected_by"].to_pylist()) if not by and row not in lost]
        for start in range(0, len(kept), num_rows):
            rows = kept[start : start + num_rows]
            shards.append(
                Shard(
                    number=len(shards),
                    file=str(file),
                    rows=tuple(rows),
                    columns=INPUT_COLUMNS,
                    num_rows=len(rows),
                    key=key_of(
                        row | ({"given": _changed(given(row["vase_id"]), versions)} if given else {})
                        for row in table.take(rows).to_pylist()
                    ),
                )
            )
    return shards


def _changed(place: str, versions: Versions) -> Sequence[int | str]:
    """Returns size in bytes and modification time in ns of a local file, or the version of a URL; [] without a file."""
    if is_url(place):
        return versions.get(place, [])
    try:
        status = Path(place).stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]
