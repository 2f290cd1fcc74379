"""How the rows of each pass are cut into shards. Only a shard's rows are ever held as Python objects."""

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
"""The journal's name for rows that no stage has seen."""

Versions = Mapping[str, Sequence[str]]
"""By URL, what tells one version of the file there from another; see `versions_below`."""

Losers = Mapping[int, Mapping[int, str]]
"""By shard and by row in it: why the best view of its vase is another one, or none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A few rows on their way through the pools of a pass. The rows themselves lie in a file.

    Example: Shard(number=3, file="/data/.work/input/5e….parquet", rows=None, columns=None, num_rows=128, key="5e…")
    """

    number: int
    """Its place in the pass."""
    file: str
    """Where its rows are, as they were before the pass."""
    rows: tuple[int, ...] | None
    """Which rows of the file; None: all."""
    columns: tuple[str, ...] | None
    """Which columns; None: all."""
    num_rows: int
    """How many rows."""
    key: str
    """What the journal knows it by, after what it has passed."""
    step: str = ""
    """The last stage that it has passed; "" before the first."""

    def read(self, journal: Journal) -> RowBatch:
        """Its rows as they are now."""
        if self.step:
            return journal.read(self.step, self.key)
        table = pq.read_table(self.file, columns=None if self.columns is None else list(self.columns))
        return batch_from(table if self.rows is None else table.take(list(self.rows)))


def source_shards(
    photographs: pa.Table, journal: Journal, num_rows: int, versions: Versions = MappingProxyType({})
) -> list[Shard]:
    """All photographs, in their order, `num_rows` to a shard; their rows are written where workers find them.

    A photograph whose file was changed since makes another shard of its own; `versions` are of those behind URLs.
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
    """The best views of the vases that came through, at most `num_rows` to a shard.

    A shard never takes photographs from two of the filters' shards: a vase more or less leaves the others' alone. Nor
    does it take their scores along, so that a filter may change its mind about a figure without a model being redone.

    given: where a vase's model ought to be, if models are given; one that came later, or that was exchanged, makes
    another shard of its own.
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
    """Size and time of change of a file on this machine, or the version of one behind a URL; [] where there is none, or
    none known."""
    if is_url(place):
        return versions.get(place, [])
    try:
        status = Path(place).stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]
