"""The order of the stages, and where it is cut into passes and pools: a new stage is one line here.

The filters look at every photograph. Then the choice of the best view needs all the views of a vase at once. The
second pass makes and describes the models of the photographs that are left.
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
from vaserl.curation.stages.source import SOURCE
from vaserl.curation.stages.turntable import TURNTABLE
from vaserl.errors import UserError

Groups = tuple[tuple[Stage, ...], ...]
"""Stages in their order, grouped by the pool that runs them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """All stages of curation in their order."""

    filters: Groups
    """First pass: every photograph."""
    choice: Stage
    """Between the passes: judges all views of a vase together."""
    lift: Groups
    """Second pass: the views that are left."""

    @property
    def stages(self) -> tuple[Stage, ...]:
        """Every stage, in order."""
        filters, lift = ([stage for group in groups for stage in group] for groups in (self.filters, self.lift))
        return (*filters, self.choice, *lift)

    @property
    def names(self) -> tuple[str, ...]:
        """Every stage's name, in order."""
        return tuple(stage.name for stage in self.stages)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Every column that a stage adds, without repetition."""
        return tuple({column.name: column for stage in self.stages for column in stage.columns}.values())

    def stage(self, name: str) -> Stage | None:
        """Returns the stage of that name; None if there is none, as in data sets of other programs."""
        return next((stage for stage in self.stages if stage.name == name), None)

    def check(self, context: StageContext) -> None:
        """Checks that every enabled stage can be made, before a cluster is started.

        Raises: UserError naming the setting.
        """
        settings = context.settings
        pools = [group[0].name for group in (*self.filters, *self.lift)]
        for name in settings.pool.named:
            if name not in pools:
                own = f"; {name} runs in the pool of a stage before it" if name in self.names else ""
                raise UserError(f"pool.{name}: no such pool{own}. The pools are {', '.join(pools)}")
        for stage in self.stages:
            if stage.is_enabled(settings):
                stage.check(context)

    def filter_pools(self, context: StageContext) -> list[Pool]:
        """Returns the pools of the first pass."""
        return self._pools(self.filters, context)

    def lift_pools(self, context: StageContext) -> list[Pool]:
        """Returns the pools of the second pass."""
        return self._pools(self.lift, context)

    def choice_over_batches(self, context: StageContext) -> StageOverBatches:
        """Returns the choice between views, made."""
        return StageOverBatches(self.choice.name, self.choice.columns, self.choice.recipe(context))

    def prepared(self, stage: Stage, context: StageContext) -> PreparedStage:
        """Returns a stage before it is made; its rows name the files of all stages up to it."""
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
    filters=((SOURCE,), (QUALITY,), (INTACT,)),
    choice=BEST_VIEW,
    lift=((LIFT, MESH_GATE, TURNTABLE), (DESCRIBE, QUESTIONS)),
)
