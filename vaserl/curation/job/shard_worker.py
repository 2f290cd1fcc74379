"""One worker of a pool: runs the pool's stages over shards (a few rows each), in a process that can be killed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vaserl.curation.job.batch import RowBatch
from vaserl.curation.job.isolated import Effort, Isolated, Limits
from vaserl.curation.job.journal import Journal, key_after
from vaserl.curation.job.prepared import PreparedStage
from vaserl.curation.job.shards import Shard


class ShardWorker:
    """Runs a pool's stages over shards (groups of photographs).

    A stage is skipped, and its neural network not loaded, if the journal contains its result for the shard.
    """

    def __init__(self, dataset: Path, stages: Sequence[PreparedStage], limits: Limits) -> None:
        self._journal, self._stages = Journal(dataset), stages
        self._isolated = Isolated(stages, limits)

    def __call__(self, shard: Shard) -> tuple[Shard, Mapping[str, Effort]]:
        """Runs the pool's stages over the shard.

        Returns: the shard after these stages; and each stage's rows, seconds and process deaths, by the stage's name.

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
            self._journal.write(passed.step, passed.key, batch, stage.files)
            shard = passed
        return shard, efforts

    def close(self) -> None:
        """Ends the process that runs the stages."""
        self._isolated.close()
