"""Dynamic sampling: groups without signal are replaced by new draws, a bounded number of times.

From DAPO, Yu et al., arXiv 2503.14476, which draws until the batch is full; here the rounds are counted and end, so
that a policy which always or never succeeds cannot hold a run up. What a round draws is a function of (seed, step,
round) alone.

Axes: P task, G group member.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from vaserl.types import Batch, ScoredGroup, Task

Credit = Sequence[Sequence[float]]
"""[P][G] the advantage of each completion."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """What a step sampled, and what it learns from."""

    scored: tuple[ScoredGroup, ...]
    """[P] every group that was drawn, the first draw before the refills."""
    credit_P_G: Credit
    """Their advantages."""
    batch: Batch
    """The groups to learn from: at most as many as the first draw has tasks."""
    num_refills: int
    """Rounds that were drawn after the first."""
    num_refilled: int
    """Groups that these brought."""

    @property
    def metrics(self) -> Mapping[str, float]:
        """Counts: rounds of refills and their groups, groups not learned from, completions learned from."""
        return {
            "refills": float(self.num_refills),
            "refilled_groups": float(self.num_refilled),
            "dropped_groups": float(len(self.scored) - len(self.batch.groups)),
            "learned_completions": float(sum(len(group.samples) for group in self.batch.groups)),
        }


def draw_with_signal(
    step: int,
    draw_tasks: Callable[[int, int], Sequence[Task]],
    grade: Callable[[int, Sequence[Task], int], Sequence[ScoredGroup]],
    learn_from: Callable[[int, Sequence[ScoredGroup]], tuple[Credit, Batch]],
    *,
    max_refills: int,
) -> Drawn:
    """Draws a step's tasks, then as many new ones as lack a group to learn from, in at most `max_refills` rounds.

    draw_tasks: step, round (0 is the first draw) -> tasks, of which a refill takes as many as it needs. grade: step,
    tasks, round -> their scored groups. learn_from: step, all groups so far -> their advantages, and the batch of
    those that teach.
    """
    tasks = draw_tasks(step, 0)
    scored = list(grade(step, tasks, 0))
    credit_P_G, batch = learn_from(step, scored)
    num_refills = 0
    while num_refills < max_refills and (num_missing := len(tasks) - len(batch.groups)) > 0:
        num_refills += 1
        scored += grade(step, draw_tasks(step, num_refills)[:num_missing], num_refills)
        credit_P_G, batch = learn_from(step, scored)
    return Drawn(
        scored=tuple(scored),
        credit_P_G=credit_P_G,
        batch=batch,
        num_refills=num_refills,
        num_refilled=len(scored) - len(tasks),
    )
