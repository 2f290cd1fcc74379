"""How the rows of each pass are cut into shards, and the choice between a vase's views that lies between the passes.

Only a shard's rows are ever held as Python objects; what must be known of all photographs is held in columns.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from vaserl.curation.batch import INPUT_COLUMNS, Batch, batch_from
from vaserl.curation.best_view import BestView
from vaserl.curation.intact import VIEW
from vaserl.curation.journal import Journal, key_of

INPUT = "input"
"""The journal's name for rows that no stage has seen."""
VIEW_COLUMNS = ("photo", "photo_sha256", "vase_id", "view", VIEW, "rejected_by", "reason")
"""What the choice of the best view looks at."""
NUM_VIEWS_AT_ONCE = 4096

pc: Any = pyarrow.compute  # its functions are made when it is imported, which no type checker sees

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

    def read(self, journal: Journal) -> Batch:
        """Its rows as they are now."""
        if self.step:
            return journal.read(self.step, self.key)
        table = pq.read_table(self.file, columns=None if self.columns is None else list(self.columns))
        return batch_from(table if self.rows is None else table.take(list(self.rows)))


def source_shards(photographs: pa.Table, journal: Journal, num_rows: int) -> list[Shard]:
    """All photographs, in their order, `num_rows` to a shard; their rows are written where workers find them.

    A photograph whose file was changed since makes another shard of its own.
    """
    shards = []
    for number, start in enumerate(range(0, photographs.num_rows, num_rows)):
        part = photographs.slice(start, num_rows)
        key = key_of(row | {"changed": _changed(row["photo"])} for row in part.to_pylist())
        file = journal.path(INPUT, key)
        if not journal.has(INPUT, key):
            journal.write_table(INPUT, key, part)
        shards.append(Shard(number=number, file=str(file), rows=None, columns=None, num_rows=part.num_rows, key=key))
    return shards


def lift_shards(filtered: Sequence[Shard], losers: Losers, journal: Journal, num_rows: int) -> list[Shard]:
    """The best views of the vases that came through, at most `num_rows` to a shard.

    A shard never takes photographs from two of the filters' shards: a vase more or less leaves the others' alone. Nor
    does it take their scores along, so that a filter may change its mind about a figure without a model being redone.
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
                    key=key_of(table.take(rows).to_pylist()),
                )
            )
    return shards


def choose_views(filtered: Sequence[Shard], journal: Journal, best_view: BestView) -> Losers:
    """Every vase's views, wherever they are, before the stage that chooses among them."""
    parts = []
    for shard in filtered:
        file = pq.ParquetFile(journal.path(shard.step, shard.key))
        table = file.read(columns=[name for name in VIEW_COLUMNS if name in file.schema_arrow.names])
        table = table.append_column("shard", pa.array(np.full(len(table), shard.number)))
        table = table.append_column("row", pa.array(np.arange(len(table))))
        parts.append(table.filter(pc.equal(table["rejected_by"], "")))
    views = pa.concat_tables(parts, promote_options="default").combine_chunks()
    if VIEW in views.column_names:
        views = views.set_column(views.column_names.index(VIEW), VIEW, pc.fill_null(views[VIEW], float("nan")))
    losers: defaultdict[int, dict[int, str]] = defaultdict(dict)
    for some in _whole_vases(views.sort_by([("vase_id", "ascending"), ("photo", "ascending")])):
        places = zip(some["shard"].to_pylist(), some["row"].to_pylist(), strict=True)
        answer = best_view(batch_from(some.drop_columns(["shard", "row"])))
        for (shard, row), by, reason in zip(places, answer["rejected_by"], answer["reason"], strict=True):
            if by:
                losers[shard][row] = reason
    return losers


def _whole_vases(views: pa.Table) -> Iterator[pa.Table]:
    """Some thousand rows at a time, no vase cut in two; the table is sorted by vase."""
    start = 0
    while start < len(views):
        end = min(start + NUM_VIEWS_AT_ONCE, len(views))
        while end < len(views) and views["vase_id"][end] == views["vase_id"][end - 1]:
            end += 1
        yield views.slice(start, end - start)
        start = end


def _changed(photo: str) -> list[int]:
    """Size and time of change of a file on this machine; [] where there is none, or where it is a URL."""
    try:
        status = Path(photo).stat()
    except OSError:
        return []
    return [status.st_size, status.st_mtime_ns]
