"""Order of the curation stages, and their division into passes and pools; a new stage is added here in one line.

A pool is a set of worker processes that run the same stages. The first pass filters every photograph. After it
the best view of each vase is chosen, which needs all views of the vase at once. The second pass makes a 3D model of
each chosen photograph, renders it, and writes captions and questions.
"""

from dataclasses import dataclass

from vaserl.curation.job.pool import Pool
from vaserl.curation.job.prepared import PreparedStage, StageOverBatches, prepare
from vaserl.curation.stage import Column, Stage, StageContext
from vaserl.curation.stages.best_view import BEST_VIEW
from vaserl.curation.stages.describe import DESCRIBE
from vaserl.curation.stages.intact import INTACT
from vaserl.curation.stages.lift import LIFT
from vaserl.curation.stages.mesh_gate import MESH_GATE
from vaserl.curation.stages.quality import QUALITY
from vaserl.curation.stages.questions import QUESTIONS
from vaserl.curation.stages.shown import SHOWN
from vaserl.curation.stages.source import SOURCE
from vaserl.curation.stages.turntable import TURNTABLE
from vaserl.errors import UserError

Groups = tuple[tuple[Stage, ...], ...]
"""Stages in order, grouped by the pool (set of worker processes) that runs them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """All curation stages, in the order in which they run."""

    filters: Groups
    """Stages of the first pass, which goes over every photograph."""
    choice: Stage
    """Stage between the passes, which compares all views of a vase and keeps one."""
    lift: Groups
    """Stages of the second pass, which goes over the kept views only."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages, in order."""
        filters, lift = ([stage for group in groups for stage in group] for groups in (self.filters, self.lift))
        return (*filters, self.choice, *lift)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all stages, in order."""
        return tuple(stage.name for stage in self.stages)

    @property
    def model_stages(self) -> tuple[str, ...]:
        """Names of the stages that make and judge a photograph's 3D model: those of the second pass's first group. If
        one of them rejects a photograph, another photograph of the vase may do."""
        return tuple(stage.name for stage in self.lift[0])

    @property
    def columns(self) -> tuple[Column, ...]:
        """All columns that the stages add, each once."""
        return tuple({column.name: column for stage in self.stages for column in stage.columns}.values())

    def stage(self, name: str) -> Stage | None:
        """Returns the stage with that name; None if there is none, as when another program wrote the data set."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def check(self, context: StageContext) -> None:
        """Checks that the pools in the settings exist and that every enabled stage can be built; starts no cluster.

        Raises: UserError that states the setting.
        """
        settings = context.settings
        pools = [group[0].name for group in (*self.filters, *self.lift)]
        for name in settings.pool.named:
            if name not in pools:
                own = f" ({name} runs in the pool of an earlier stage)" if name in self.names else ""
                raise UserError(f"pool.{name}: unknown pool{own}; known pools: {', '.join(pools)}")
        for stage in self.stages:
            if stage.is_enabled(settings):
                stage.check(context)

    def filter_pools(self, context: StageContext) -> list[Pool]:
        """Returns the pools of worker processes for the first pass."""
        return self._pools(self.filters, context)

    def lift_pools(self, context: StageContext) -> list[Pool]:
        """Returns the pools of worker processes for the second pass."""
        return self._pools(self.lift, context)

    def choice_over_batches(self, context: StageContext) -> StageOverBatches:
        """Builds the stage that chooses between a vase's views."""
        return StageOverBatches(self.choice.name, self.choice.columns, self.choice.recipe(context))

    def prepared(self, stage: Stage, context: StageContext) -> PreparedStage:
        """Returns a stage in the form that is sent to its worker process.

        This form lists the columns that refer to files, including those of earlier stages.
        """
        until = self.stages[: self.names.index(stage.name) + 1]
        files = {column.name: column.file for earlier in until for column in earlier.columns if column.file}
        return prepare(stage, stage.recipe(context), files)

    def _pools(self, groups: Groups, context: StageContext) -> list[Pool]:
        pools: list[Pool] = []
        for first, *others in groups:
            stages = [self.prepared(s, context) for s in (first, *others) if s.is_enabled(context.settings)]
            if pools and not first.opens_pool(context.settings):
                pools[-1] = Pool(stages=[*pools[-1].stages, *stages], settings=pools[-1].settings)
            elif stages:
                pools.append(Pool(stages=stages, settings=context.settings.pool.of(first.name, first.pool)))
        return pools


PIPELINE = Pipeline(
    filters=((SOURCE,), (QUALITY,), (INTACT,), (SHOWN,)),
    choice=BEST_VIEW,
    lift=((LIFT, MESH_GATE, TURNTABLE), (DESCRIBE, QUESTIONS)),
)
