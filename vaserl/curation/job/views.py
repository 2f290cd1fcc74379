"""Chooses one view of each vase after the first pass. A vase's views may be in different shards.

The columns that the choice needs are in memory for all photographs, as Arrow tables. Only a few thousand rows at a time
are converted to Python objects.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from vaserl.curation.job.batch import batch_from
from vaserl.curation.job.journal import Journal
from vaserl.curation.job.prepared import StageOverBatches
from vaserl.curation.job.shards import Choice, Shard
from vaserl.curation.stages.best_view import INSTEAD_OF

VIEW_COLUMNS = ("photo", "photo_sha256", "vase_id", "view", "rights", "credit", "rejected_by", "reason")
"""Columns that the choice of views reads, besides the scores that it compares."""
NUM_AT_ONCE = 4096

Tried = Mapping[str, Sequence[str]]
"""Photographs of which no good 3D model could be made, in the order in which they were tried, by vase id."""

_pc: Any = pyarrow.compute  # its functions are created at import, so type checkers don't know them


def choose_views(
    filtered: Sequence[Shard],
    journal: Journal,
    choice: StageOverBatches,
    scores: Sequence[str] = (),
    tried: Tried = MappingProxyType({}),
) -> Choice:
    """Runs the stage `choice` over the views of every vase; if `tried` isn't empty, of its vases alone, and without the
    views that were tried.

    scores: names of the score columns that the stage reads.

    Returns: the views that the stage rejected, and those that it kept, with what it added to them.
    """
    parts, names = [], {*VIEW_COLUMNS, *scores}
    for shard in filtered:
        file = pq.ParquetFile(journal.path(shard.step, shard.key))
        table = file.read(columns=[name for name in file.schema_arrow.names if name in names])
        table = table.append_column("shard", pa.array(np.full(len(table), shard.number)))
        table = table.append_column("row", pa.array(np.arange(len(table))))
        table = table.filter(_pc.equal(table["rejected_by"], ""))
        parts.append(_untried(table, tried) if tried else table)
    views = pa.concat_tables(parts, promote_options="default").combine_chunks()
    for name in set(scores) & set(views.column_names):
        views = views.set_column(views.column_names.index(name), name, _pc.fill_null(views[name], float("nan")))
    losers: defaultdict[int, dict[int, str]] = defaultdict(dict)
    chosen: defaultdict[int, dict[int, dict[str, str]]] = defaultdict(dict)
    for some in _whole_vases(views.sort_by([("vase_id", "ascending"), ("photo", "ascending")])):
        places = zip(some["shard"].to_pylist(), some["row"].to_pylist(), strict=True)
        answer = choice(batch_from(some.drop_columns(["shard", "row"])))
        for index, (shard, row) in enumerate(places):
            if answer["rejected_by"][index]:
                losers[shard][row] = answer["reason"][index]
                continue
            values = {c.name: answer[c.name][index] for c in choice.columns}
            chosen[shard][row] = {c.name: values[c.name] for c in choice.columns if values[c.name] != c.default}
    return Choice(losers=losers, chosen=chosen)


def _untried(table: pa.Table, tried: Tried) -> pa.Table:
    """Returns the rows of the tried vases whose photographs were not tried, with the column that lists those tried."""
    table = table.filter(_pc.is_in(table["vase_id"], pa.array(list(tried), pa.string())))
    done = pa.array([photo for photos in tried.values() for photo in photos], pa.string())
    table = table.filter(_pc.invert(_pc.is_in(table["photo"], done)))
    before = [json.dumps(list(tried[vase_id]), ensure_ascii=False) for vase_id in table["vase_id"].to_pylist()]
    return table.append_column(INSTEAD_OF.name, pa.array(before, pa.string()))


def _whole_vases(views: pa.Table) -> Iterator[pa.Table]:
    """Yields slices of about NUM_AT_ONCE rows of a table sorted by vase; all views of a vase are in one slice."""
    start = 0
    while start < len(views):
        end = min(start + NUM_AT_ONCE, len(views))
        while end < len(views) and views["vase_id"][end] == views["vase_id"][end - 1]:
            end += 1
        yield views.slice(start, end - start)
        start = end
