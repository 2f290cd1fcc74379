"""One worker of a pool: takes shards through the pool's stages, in a process that can be killed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vaserl.curation.job.batch import RowBatch
from vaserl.curation.job.isolated import Effort, Isolated, Limits
from vaserl.curation.job.journal import Journal, key_after
from vaserl.curation.job.shards import Shard
from vaserl.curation.job.stage import Stage


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
        batch: RowBatch | None = None
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
