"""Cuts the rows of each pass into shards. Only one shard's rows are held as Python objects."""

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
"""The journal's folder of rows that no stage has seen."""

Versions = Mapping[str, Sequence[str]]
"""By URL, the version of the file there; see `versions_below`."""

Losers = Mapping[int, Mapping[int, str]]
"""By shard and row: why the choice between views rejected it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A few rows on their way through the pools of a pass. The rows themselves are in a file.

    Example: Shard(number=3, file="/data/.work/input/5e….parquet", rows=None, columns=None, num_rows=128, key="5e…")
    """

    number: int
    """Its place in the pass."""
    file: str
    """Path of its rows as they were before the pass."""
    rows: tuple[int, ...] | None
    """Indices of its rows in the file; None: all."""
    columns: tuple[str, ...] | None
    """Columns that it reads; None: all."""
    num_rows: int
    key: str
    """Its key in the journal after the last stage that it has passed."""
    step: str = ""
    """The last stage that it has passed; "" before the first."""

    def read(self, journal: Journal) -> RowBatch:
        """Reads its rows as they are now."""
        if self.step:
            return journal.read(self.step, self.key)
        table = pq.read_table(self.file, columns=None if self.columns is None else list(self.columns))
        return batch_from(table if self.rows is None else table.take(list(self.rows)))


def source_shards(
    photographs: pa.Table, journal: Journal, num_rows: int, versions: Versions = MappingProxyType({})
) -> list[Shard]:
    """Returns all photographs, in their order, `num_rows` to a shard, and writes their rows to the journal.

    A photograph whose file has changed since gives its shard another key; `versions` are those of URLs.
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
    """Returns the best views of the vases that passed the filters, at most `num_rows` to a shard.

    A shard never holds photographs from two of the filters' shards, so that one vase more or less leaves the other
    shards alone. Nor does it hold their scores, so that another score invalidates no model.

    given: the place of a vase's model, if models are given; one that was added or exchanged gives its shard another
    key.
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
    """Returns size and time of change of a local file, or the version of a URL; [] where there is none."""
    if is_url(place):
        return versions.get(place, [])
    try:
        status = Path(place).stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]
