"""The manifest from the journal's shards, a shard at a time, in the order of the photographs."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq

from vaserl.curation.job.batch import rows_of
from vaserl.curation.job.journal import Journal
from vaserl.curation.job.shards import Losers, Shard
from vaserl.curation.stages.best_view import STAGE as BEST_VIEW
from vaserl.curation.stages.describe import FALLBACK
from vaserl.dataset import Row


class Outcomes:
    """What became of every photograph, read anew from the shards each time somebody goes through it."""

    def __init__(self, filtered: Sequence[Shard], losers: Losers, lifted: Sequence[Shard], journal: Journal) -> None:
        self._filtered, self._losers, self._journal = filtered, losers, journal
        self._lifted: defaultdict[str, list[Shard]] = defaultdict(list)
        for shard in lifted:
            self._lifted[shard.file].append(shard)

    def survivors(self, *columns: str) -> Iterator[dict[str, Any]]:
        """Some columns of the rows that came through, in the order of the photographs."""
        for shards in self._lifted.values():
            for shard in shards:
                table = pq.read_table(self._journal.path(shard.step, shard.key), columns=[*columns, "rejected_by"])
                for row in table.to_pylist():
                    if not row.pop("rejected_by"):
                        yield row

    def num_fallbacks(self) -> int:
        """Terse captions that failed the check of facts."""
        count = 0
        for shards in self._lifted.values():
            for shard in shards:
                file = pq.ParquetFile(self._journal.path(shard.step, shard.key))
                if FALLBACK in file.schema_arrow.names:
                    count += sum(value == 1.0 for value in file.read(columns=[FALLBACK])[FALLBACK].to_pylist())
        return count

    def manifest_rows(self, splits: Mapping[str, str]) -> Iterator[Row]:
        """The rows of one shard of the filters after the other, with the columns of the manifest: scores gathered, and
        each survivor in the split of its vase."""
        for parent in self._filtered:
            rows = rows_of(parent.read(self._journal))
            for number, reason in self._losers.get(parent.number, {}).items():
                rows[number] |= {"rejected_by": BEST_VIEW, "reason": reason}
            for shard in self._lifted.get(str(self._journal.path(parent.step, parent.key)), ()):
                assert shard.rows is not None, "lift takes rows of the filters' files"
                for number, row in zip(shard.rows, rows_of(shard.read(self._journal)), strict=True):
                    rows[number] |= row
            assert len(rows) == parent.num_rows, "a row was lost or doubled"
            yield from (_manifest_row(row, splits) for row in rows)


def _manifest_row(row: Mapping[str, Any], splits: Mapping[str, str]) -> Row:
    """Returns the row of a photograph from the columns that its stages have filled."""
    scores = {name: value for name, value in row.items() if isinstance(value, float) and not math.isnan(value)}
    scores.pop(FALLBACK, None)
    split = "" if row["rejected_by"] else splits[row["vase_id"]]
    return replace(Row.from_columns({**row, "scores": ""}), scores=scores, split=split)
