"""Divides the rows of each pass into shards of a few rows. Only one shard at a time is converted to Python objects."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.parquet as pq

from vaserl.curation.job.batch import INPUT_COLUMNS, RowBatch, batch_from, with_column
from vaserl.curation.job.journal import Journal, key_of
from vaserl.files.storage import is_url

INPUT = "input"
"""Name of the journal's folder for shards that have not passed any stage yet."""

Versions = Mapping[str, Sequence[str]]
"""Mapping from a file's URL to the file's version: digest and size, or modification time and size if its storage lists
no digest. See `versions_below`."""

Losers = Mapping[int, Mapping[int, str]]
"""Rows that the choice of one view per vase rejected: maps a shard's number to a mapping from row index to reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The outcome of the choice of one view per vase."""

    losers: Losers
    chosen: Mapping[int, Mapping[int, Mapping[str, str]]]
    """The chosen rows: maps a shard's number to a mapping from row index to the values of the choice's columns, by name
    of the column, where they differ from its default."""


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
    """Digest that identifies the shard in the journal, as it is after its last finished stage."""
    step: str = ""
    """Name of the last finished stage; "" if no stage is finished."""
    added: tuple[Mapping[str, str], ...] = ()
    """Values by column name to add to each of the rows in the file, in their order; () if there are none."""

    def read(self, journal: Journal) -> RowBatch:
        """Returns the shard's rows as they are after its last finished stage."""
        if self.step:
            return journal.read(self.step, self.key)
        table = pq.read_table(self.file, columns=None if self.columns is None else list(self.columns))
        batch = batch_from(table if self.rows is None else table.take(list(self.rows)))
        for name in sorted({name for values in self.added for name in values}):
            values = {row: values[name] for row, values in enumerate(self.added) if name in values}
            batch = with_column(batch, name, values, "")
        return batch


def source_shards(
    photographs: pa.Table, journal: Journal, num_rows: int, versions: Versions = MappingProxyType({})
) -> list[Shard]:
    """Divides photographs into shards of `num_rows` rows each and writes the rows to the journal. Returns: the shards.

    A shard's key depends on the size and modification time of the photographs' files, so it changes when a file
    changes. For files at URLs it depends on `versions` instead.
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
    choice: Choice,
    journal: Journal,
    num_rows: int,
    given: Callable[[str], str] | None = None,
    versions: Versions = MappingProxyType({}),
) -> list[Shard]:
    """Returns the chosen views, in shards of at most `num_rows` rows.

    All rows of a shard come from one shard of the first pass (`filtered`), so that adding or removing a vase does not
    change the keys of other shards. The rows don't contain scores, so that a changed score invalidates no 3D model.
    They contain the columns of the choice, on which their keys depend.

    choice: the chosen views, and the values that the choice added to them.
    given: function from a vase's id to the path or URL of its existing 3D model; None if models are generated. When
    such a model is added or replaced, the key of its shard changes.
    """
    shards: list[Shard] = []
    for parent in filtered:
        file = journal.path(parent.step, parent.key)
        chosen = choice.chosen.get(parent.number, {})
        if not chosen:
            continue
        table, kept = pq.read_table(file, columns=list(INPUT_COLUMNS)), sorted(chosen)
        for start in range(0, len(kept), num_rows):
            rows = kept[start : start + num_rows]
            values = tuple(chosen[row] for row in rows)
            shards.append(
                Shard(
                    number=len(shards),
                    file=str(file),
                    rows=tuple(rows),
                    columns=INPUT_COLUMNS,
                    num_rows=len(rows),
                    key=key_of(
                        row | more | ({"given": _changed(given(row["vase_id"]), versions)} if given else {})
                        for row, more in zip(table.take(rows).to_pylist(), values, strict=True)
                    ),
                    added=values if any(values) else (),
                )
            )
    return shards


def _changed(place: str, versions: Versions) -> Sequence[int | str]:
    """Returns size in bytes and modification time in ns of a local file, or the version of a URL; [] if absent."""
    if is_url(place):
        return versions.get(place, [])
    try:
        status = Path(place).stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]
