"""Dynamic sampling: a step replaces groups without signal by new draws, in a bounded number of rounds.

From DAPO, Yu et al., arXiv 2503.14476, which draws until the batch is full. Here the rounds are bounded, so that a
policy which always or never succeeds can't hold up a run.

Axes: P task, G group member.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vaserl.types import Batch, ScoredGroup, Task

Advantages = Sequence[Sequence[float]]
"""[P][G] the advantage of each completion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """What a step has drawn so far and what it samples next. `Grpo.draw` makes the first, `Grpo.refill` the next ones;
    the step learns from the last, which has no `tasks`.

    Example: with 3 tasks a step, of which one group had no signal: Draw(step=7, refill=1, tasks=(one task,),
    scored=(three groups,), …)
    """

    step: int
    refill: int
    """Round of `tasks`: 0 is the first draw of the step, refills count from 1."""
    tasks: tuple[Task, ...]
    """[P] tasks to sample and score next; empty once the batch is full or all rounds are used."""
    scored: tuple[ScoredGroup, ...]
    """[P] all groups of the step so far, the first draw before the refills."""
    advantages_P_G: Advantages
    """Advantages of `scored`."""
    batch: Batch
    """The groups of `scored` to learn from."""

    def metrics(self, num_tasks: int) -> Mapping[str, float]:
        """Returns the number of refills, groups they brought, groups left out, and completions to learn from.

        num_tasks: size of the first draw.
        """
        return {
            "refills": float(self.refill),
            "refilled_groups": float(len(self.scored) - num_tasks),
            "dropped_groups": float(len(self.scored) - len(self.batch.groups)),
            "learned_completions": float(sum(len(group.samples) for group in self.batch.groups)),
        }
