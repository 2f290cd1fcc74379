"""Builds the rows of the manifest from the result files of a curation run, called shards. Only one shard is in memory
at a time."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow.parquet as pq

from vaserl.curation.job.batch import rows_of
from vaserl.curation.job.journal import Journal
from vaserl.curation.job.shards import Losers, Shard
from vaserl.curation.pipeline import PIPELINE, Pipeline
from vaserl.curation.stages.describe import FALLBACK
from vaserl.dataset import Row


class Outcomes:
    """The results of a curation run for every photograph. They are read from the files of finished work (shards) anew
    each time that a method is called."""

    def __init__(
        self,
        filtered: Sequence[Shard],
        losers: Losers,
        lifted: Sequence[Shard],
        journal: Journal,
        pipeline: Pipeline = PIPELINE,
    ) -> None:
        self._pipeline = pipeline
        self._filtered, self._losers, self._journal = filtered, losers, journal
        self._lifted: defaultdict[str, list[Shard]] = defaultdict(list)
        for shard in lifted:
            self._lifted[shard.file].append(shard)

    def survivors(self, *columns: str) -> Iterator[dict[str, Any]]:
        """Yields the values of `columns`, by column name, for each photograph that no stage rejected, in the order of
        the photographs."""
        for parent in self._filtered:
            for shard in self._lifted.get(str(self._journal.path(parent.step, parent.key)), ()):
                table = pq.read_table(self._journal.path(shard.step, shard.key), columns=[*columns, "rejected_by"])
                for row in table.to_pylist():
                    if not row.pop("rejected_by"):
                        yield row

    def num_fallbacks(self) -> int:
        """Returns the number of captions that were replaced because their first wording did not agree with the vase's
        record."""
        count = 0
        for shards in self._lifted.values():
            for shard in shards:
                file = pq.ParquetFile(self._journal.path(shard.step, shard.key))
                if FALLBACK.name in file.schema_arrow.names:
                    count += sum(map(bool, file.read(columns=[FALLBACK.name])[FALLBACK.name].to_pylist()))
        return count

    def manifest_rows(self, splits: Mapping[str, str]) -> Iterator[Row]:
        """Yields one manifest row for each photograph, in the order in which the filters processed them.

        splits: the split of each vase that is kept, by vase id.
        """
        for parent in self._filtered:
            rows = rows_of(parent.read(self._journal))
            for number, reason in self._losers.get(parent.number, {}).items():
                rows[number] |= {"rejected_by": self._pipeline.choice.name, "reason": reason}
            for shard in self._lifted.get(str(self._journal.path(parent.step, parent.key)), ()):
                assert shard.rows is not None, "lift takes rows of the filters' files"
                for number, row in zip(shard.rows, rows_of(shard.read(self._journal)), strict=True):
                    rows[number] |= row
            assert len(rows) == parent.num_rows, "a row was lost or doubled"
            yield from (self._manifest_row(row, splits) for row in rows)

    def _manifest_row(self, row: Mapping[str, Any], splits: Mapping[str, str]) -> Row:
        """Returns the manifest row of a photograph. `row` contains the values that the stages computed, by column."""
        hidden = {column.name for column in self._pipeline.columns if not column.is_score}
        scores = {
            name: value
            for name, value in row.items()
            if isinstance(value, float) and not math.isnan(value) and name not in hidden
        }
        split = "" if row["rejected_by"] else splits[row["vase_id"]]
        return replace(Row.from_columns({**row, "scores": ""}), scores=scores, split=split)
