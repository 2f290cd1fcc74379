"""Scores the constant answer: the reward of a policy that ignores the picture and gives every vase the same caption."""

import sys
from collections.abc import Sequence

import numpy as np

from vaserl.evaluation.predictions import completion_of
from vaserl.grpo.loop import RewardPool
from vaserl.rewards import RewardError, Scorer
from vaserl.types import DIMENSIONS, Group, ScoredGroup, Task


class ConstantBaseline:
    """Reward of the constant answer on a step's tasks, for comparison with the policy's.

    Each task is scored once in a run, together with the others of its step. A reward function that can't score a text
    without tokens ends the comparison, not the run.
    """

    def __init__(self, caption: str, rewards: RewardPool):
        self._completion = completion_of(caption)
        self._rewards = rewards
        self._earned: dict[str, float] = {}
        self._failed = False

    def __call__(self, scored: Sequence[ScoredGroup]) -> dict[str, float]:
        """Returns {"reward/constant_baseline": mean over the tasks of these groups}, or {} after a failure."""
        if self._failed:
            return {}
        tasks = {group.group.task.id: group.group.task for group in scored}
        new = [task for name, task in tasks.items() if name not in self._earned]
        groups = [Group(task=task, prompt_ids=(), completions=(self._completion,)) for task in new]
        try:
            for result in self._rewards.score(groups) if groups else ():
                self._earned[result.group.task.id] = result.scores[0].total
        except RewardError as error:
            self._failed = True
            print(f"no reward/constant_baseline: {error}", file=sys.stderr)
            return {}
        return {"reward/constant_baseline": float(np.mean([self._earned[group.group.task.id] for group in scored]))}


def score_constant_caption(caption: str, tasks: Sequence[Task], scorer: Scorer) -> dict[str, float | str]:
    """Returns means over the tasks of one caption's reward and its dimensions: {"caption", "reward", "fabric", …}."""
    groups = [Group(task=task, prompt_ids=(), completions=(completion_of(caption),)) for task in tasks]
    scores = [scored.scores[0] for scored in scorer.score_all(groups)]
    result: dict[str, float | str] = {"caption": caption, "reward": float(np.mean([s.total for s in scores]))}
    for dimension in DIMENSIONS:
        values = [s.parts[dimension] for s in scores if dimension in s.parts]
        if values:
            result[dimension] = float(np.mean(values))
    return result
