"""The computations of a GRPO step that run without Ray actors: drawing its tasks, and computing advantages, batch and
metrics from the scores."""

from collections.abc import Sequence
from dataclasses import dataclass

from vaserl.grpo.advantage import advantages
from vaserl.grpo.baseline import ConstantBaseline
from vaserl.grpo.batch import assemble
from vaserl.grpo.draw import Draw
from vaserl.grpo.metrics import step_metrics
from vaserl.grpo.overlong import punish_overlong
from vaserl.grpo.parts import Rewards, Validator
from vaserl.grpo.tasks import draw_items
from vaserl.settings import TrainSettings
from vaserl.types import Batch, Publication, ScoredGroup, Task, Update


@dataclass(frozen=True, slots=True, kw_only=True)
class Grpo:
    """Settings and tasks of a GRPO run, with the computations of a step that run without Ray actors."""

    settings: TrainSettings
    tasks: Sequence[Task]
    """All requests for captions that the steps draw from."""
    questions: Sequence[Task] = ()
    """All questions that the steps draw from; empty unless `questions.share` is set."""
    baseline: ConstantBaseline | None = None
    """Baseline that computes the metric `reward/constant_baseline`; with None the metric is omitted."""
    validation: Validator | None = None
    """Validation of the weights on held-out vases during the run; None for none."""

    @property
    def stop_reason(self) -> str:
        """Reason why the run is to stop before its last step; empty if it goes on."""
        return self.validation.stop_reason if self.validation else ""

    def draw(self, step: int) -> Draw:
        """Returns the first state of a step's sampling: the tasks of its first draw, and no groups yet. Steps count
        from 1."""
        tasks, batch = tuple(self.tasks_of(step, 0)), Batch(step=step, groups=())
        return Draw(step=step, refill=0, tasks=tasks, scored=(), advantages_P_G=(), batch=batch)

    def tasks_of(self, step: int, refill: int) -> Sequence[Task]:
        """Returns the tasks of a step's first draw (refill 0) or of one of its refills (1, 2, …), [P].

        The tasks depend only on the run's seed, the step and the refill. The questions among them are evenly spaced, so
        that the first few of a refill have about the same share of questions.
        """
        num_tasks, seed = self.settings.tasks_per_step, self.settings.seed
        num_questions = self.settings.num_questions
        kinds = ((self.tasks, num_tasks - num_questions), (self.questions, num_questions))
        captions, questions = (
            iter(draw_items(of, num_per_step=number, seed=seed, step=step, refill=refill, stream=stream))
            for stream, (of, number) in enumerate(kinds)
        )
        asks = [(k + 1) * num_questions // num_tasks > k * num_questions // num_tasks for k in range(num_tasks)]
        return [next(questions if is_question else captions) for is_question in asks]

    def clips(self, first_step: int = 1) -> list[str]:
        """Returns the content hashes of the videos in the validation and in the first draws of the steps from
        `first_step` on, without duplicates, in the order of first use."""
        steps = range(first_step, self.settings.num_steps + 1)
        validated = self.validation.tasks if self.validation else ()
        drawn = (task for step in steps for task in self.tasks_of(step, 0))
        return list(dict.fromkeys(task.clip for task in (*validated, *drawn)))

    def refill(self, draw: Draw, scored: Sequence[ScoredGroup]) -> Draw:
        """Returns the state of a step's sampling after the tasks of `draw` are scored; draws new tasks if the batch has
        too few groups and the limit on refills is not reached.

        Subtracts the length penalty from the scores, and computes the advantages over all groups of the step.

        scored: the groups of `draw.tasks`.
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
            # a group that a refill replaced must not be in the batch for its KL term
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
        """Returns the metrics of a step, in the order in which metrics.jsonl lists them.

        published: result of publishing the weights that sampled the step.
        """
        values = step_metrics(draw.scored, draw.advantages_P_G, update, published)
        values |= draw.metrics(self.settings.tasks_per_step)
        captions = [group for group in draw.scored if not group.group.task.is_question]
        # the constant answer is a caption, so it answers no question
        return values if self.baseline is None or not captions else values | self.baseline.metrics(captions, rewards)
