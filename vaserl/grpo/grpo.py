"""The arithmetic of a GRPO run: which tasks a step draws, and what their scores become."""

from collections.abc import Sequence
from dataclasses import dataclass

from vaserl.grpo.advantage import advantages
from vaserl.grpo.baseline import ConstantBaseline
from vaserl.grpo.batch import assemble
from vaserl.grpo.draw import Draw
from vaserl.grpo.metrics import step_metrics
from vaserl.grpo.overlong import punish_overlong
from vaserl.grpo.parts import Rewards
from vaserl.grpo.tasks import draw_items
from vaserl.settings import TrainSettings
from vaserl.types import Batch, Publication, ScoredGroup, Task, Update


@dataclass(frozen=True, slots=True, kw_only=True)
class Grpo:
    """The settings and tasks of a run, and everything that a step computes from them without an actor."""

    settings: TrainSettings
    tasks: Sequence[Task]
    """Every task of the run."""
    baseline: ConstantBaseline | None = None
    """Adds `reward/constant_baseline` to the metrics."""

    def draw(self, step: int) -> Draw:
        """Returns the first draw of a step, counted from 1."""
        tasks, batch = tuple(self.tasks_of(step, 0)), Batch(step=step, groups=())
        return Draw(step=step, refill=0, tasks=tasks, scored=(), advantages_P_G=(), batch=batch)

    def tasks_of(self, step: int, refill: int) -> Sequence[Task]:
        """Returns [P] the tasks of a round of a step, a function of (seed, step, refill) alone."""
        num_tasks, seed = self.settings.tasks_per_step, self.settings.seed
        return draw_items(self.tasks, num_per_step=num_tasks, seed=seed, step=step, refill=refill)

    def clips(self) -> list[str]:
        """Returns the hashes of the clips that the first draws show, in the order in which the steps need them."""
        steps = range(1, self.settings.num_steps + 1)
        return list(dict.fromkeys(task.clip for step in steps for task in self.tasks_of(step, 0)))

    def refill(self, draw: Draw, scored: Sequence[ScoredGroup]) -> Draw:
        """Adds the scored groups of `draw.tasks`, and draws as many new tasks as the batch lacks groups with signal.

        Applies the length penalty, and forms the advantages over all groups of the step.
        """
        settings, step = self.settings, draw.step
        penalised = punish_overlong(scored, settings.overlong, settings.rollout.max_new_tokens)
        scored_P = (*draw.scored, *penalised)
        advantages_P_G = advantages(
            scored_P,
            normalise=settings.loss.normalise_advantages,
            part_weights=settings.advantage.weights if settings.advantage.per_dimension else None,
        )
        batch = assemble(
            scored_P,
            advantages_P_G,
            step,
            # a group that a refill replaced must not come back for its KL term
            keep_without_signal=settings.loss.beta > 0 and settings.max_refills == 0,
            mask_truncated=settings.loss.mask_truncated,
        )
        refill, tasks = draw.refill, ()
        num_missing = settings.tasks_per_step - len(batch.groups)
        if num_missing > 0 and refill < settings.max_refills:
            refill += 1
            tasks = tuple(self.tasks_of(step, refill)[:num_missing])
        return Draw(step=step, refill=refill, tasks=tasks, scored=scored_P, advantages_P_G=advantages_P_G, batch=batch)

    def metrics(self, draw: Draw, update: Update, published: Publication, rewards: Rewards) -> dict[str, float]:
        """Returns the metrics of a step in the order of metrics.jsonl. published: of the weights that wrote it."""
        values = step_metrics(draw.scored, draw.advantages_P_G, update, published)
        values |= draw.metrics(self.settings.tasks_per_step)
        return values if self.baseline is None else values | self.baseline.metrics(draw.scored, rewards)
