"""Dynamic sampling: a step replaces each group whose rewards are all equal by the group of a newly drawn task.

A group of equal rewards has no gradient. The method is that of DAPO, Yu et al., arXiv 2503.14476, which draws tasks
until the batch is full. Here the number of rounds is bounded, so that a policy which always or never succeeds can't
stall a run.

Axes: P tasks, G completions of a group.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vaserl.types import Batch, ScoredGroup, Task

Advantages = Sequence[Sequence[float]]
"""Advantage of each completion of each task, [P tasks][G completions]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """State of a step's sampling: the groups scored so far, and the tasks to sample next.

    `Grpo.draw` returns the first state of a step, and `Grpo.refill` each later state. The step learns from the last
    state, whose `tasks` is empty.

    Example, with 3 tasks a step, after a first draw in which one group had equal rewards: Draw(step=7, refill=1,
    tasks=(one new task,), scored=(three groups,), …)
    """

    step: int
    refill: int
    """Number of the sampling round that `tasks` belong to: 0 is the step's first draw, 1 its first refill."""
    tasks: tuple[Task, ...]
    """Tasks to sample and score next, [P]; empty once the batch is full or all rounds are used."""
    scored: tuple[ScoredGroup, ...]
    """All groups of the step so far, [P]; those of the first draw come before those of the refills."""
    advantages_P_G: Advantages
    """Advantages of the completions in `scored`, [P groups][G completions]."""
    batch: Batch
    """Training batch: the groups of `scored` that the step learns from."""

    def metrics(self, num_tasks: int) -> Mapping[str, float]:
        """Returns metrics of the step's sampling: the number of refills, of groups added by refills, of groups left out
        of the batch, and of completions in the batch.

        num_tasks: number of tasks in the first draw.
        """
        return {
            "refills": float(self.refill),
            "refilled_groups": float(len(self.scored) - num_tasks),
            "dropped_groups": float(len(self.scored) - len(self.batch.groups)),
            "learned_completions": float(sum(len(group.samples) for group in self.batch.groups)),
        }
