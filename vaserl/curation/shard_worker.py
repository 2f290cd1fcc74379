"""One worker of a pool: takes shards through the pool's stages, in a process that can be killed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from vaserl.curation.batch import Batch, batch_from
from vaserl.curation.isolated import Effort, Isolated, Limits
from vaserl.curation.journal import Journal, key_after
from vaserl.curation.stage import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """A few rows on their way through the pools of a pass. The rows themselves lie in a file.

    Example: Shard(number=3, file="/data/vases/.work/source/5e….parquet", rows=None, columns=None, key="5e…")
    """

    number: int
    """Its place in the pass."""
    file: str
    """Where its rows are, as they were before the pass."""
    rows: tuple[int, ...] | None
    """Which rows of the file; None: all."""
    columns: tuple[str, ...] | None
    """Which columns; None: all."""
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


class ShardWorker:
    """Does what the journal doesn't have yet. Nothing is loaded for a shard that is finished."""

    def __init__(self, dataset: Path, stages: Sequence[Stage], limits: Limits) -> None:
        self._journal, self._stages = Journal(dataset), stages
        self._isolated = Isolated(stages, limits)

    def __call__(self, shard: Shard) -> tuple[Shard, Mapping[str, Effort]]:
        """The shard after this pool's stages, and what each of them has cost.

        Raises: UserError or JobFailed, see `Isolated.run`.
        """
        efforts: dict[str, Effort] = {}
        batch: Batch | None = None
        for index, stage in enumerate(self._stages):
            effort = efforts[stage.name] = Effort()
            passed = replace(shard, step=stage.name, key=key_after(shard.key, [stage]))
            if self._journal.has(passed.step, passed.key):
                batch = None
                shard = passed
                continue
            if batch is None:
                batch = shard.read(self._journal)
            batch = self._isolated.run(index, batch, effort)
            self._journal.write(passed.step, passed.key, batch)
            shard = passed
        return shard, efforts

    def close(self) -> None:
        """Ends the stages' process."""
        self._isolated.close()
