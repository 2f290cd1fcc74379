"""The choice between a vase's views, which lies between the passes: it needs all of them, wherever they are.

What must be known of all photographs at once is held in columns, a few thousand of them at a time as Python objects.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from vaserl.curation.job.batch import batch_from
from vaserl.curation.job.journal import Journal
from vaserl.curation.job.shards import Losers, Shard
from vaserl.curation.stages.best_view import BestView
from vaserl.curation.stages.intact import VIEW

VIEW_COLUMNS = ("photo", "photo_sha256", "vase_id", "view", VIEW, "rejected_by", "reason")
"""What the choice looks at."""
NUM_AT_ONCE = 4096

_pc: Any = pyarrow.compute  # its functions are made when it is imported, which no type checker sees


def choose_views(filtered: Sequence[Shard], journal: Journal, best_view: BestView) -> Losers:
    """Every vase's views, wherever they are, before the stage that chooses among them."""
    parts = []
    for shard in filtered:
        file = pq.ParquetFile(journal.path(shard.step, shard.key))
        table = file.read(columns=[name for name in VIEW_COLUMNS if name in file.schema_arrow.names])
        table = table.append_column("shard", pa.array(np.full(len(table), shard.number)))
        table = table.append_column("row", pa.array(np.arange(len(table))))
        parts.append(table.filter(_pc.equal(table["rejected_by"], "")))
    views = pa.concat_tables(parts, promote_options="default").combine_chunks()
    if VIEW in views.column_names:
        views = views.set_column(views.column_names.index(VIEW), VIEW, _pc.fill_null(views[VIEW], float("nan")))
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
        end = min(start + NUM_AT_ONCE, len(views))
        while end < len(views) and views["vase_id"][end] == views["vase_id"][end - 1]:
            end += 1
        yield views.slice(start, end - start)
        start = end
