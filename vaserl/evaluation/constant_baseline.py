"""The constant answer: what a policy earns that never looks and always says the commonest thing."""

import sys
from collections.abc import Sequence

import numpy as np

from vaserl.evaluation.predictions import completion_of
from vaserl.grpo.loop import RewardPool
from vaserl.rewards import RewardError, Scorer
from vaserl.types import DIMENSIONS, Group, ScoredGroup, Task


class ConstantBaseline:
    """What the constant answer earns on a step's tasks, so that a policy's reward is seen against it.

    Each task is scored once in a run, together with the others of its step. A function that can't judge a text which
    no engine wrote (one that looks at tokens, say) ends the comparison, not the run.
    """

    def __init__(self, caption: str, rewards: RewardPool):
        self._answer = completion_of(caption)
        self._rewards = rewards
        self._earned: dict[str, float] = {}
        self._failed = False

    def __call__(self, scored: Sequence[ScoredGroup]) -> dict[str, float]:
        """{"reward/constant_baseline": its mean over the tasks of these groups}, or nothing after a failure."""
        if self._failed:
            return {}
        tasks = {group.group.task.id: group.group.task for group in scored}
        new = [task for name, task in tasks.items() if name not in self._earned]
        answers = [Group(task=task, prompt_ids=(), completions=(self._answer,)) for task in new]
        try:
            for answer in self._rewards.score(answers) if answers else ():
                self._earned[answer.group.task.id] = answer.scores[0].total
        except RewardError as error:
            self._failed = True
            print(f"no reward/constant_baseline: {error}", file=sys.stderr)
            return {}
        return {"reward/constant_baseline": float(np.mean([self._earned[group.group.task.id] for group in scored]))}


def score_constant_caption(caption: str, tasks: Sequence[Task], scorer: Scorer) -> dict[str, float | str]:
    """Means over the tasks of the reward of one caption and of its dimensions: {"caption", "reward", "fabric", …}."""
    groups = [Group(task=task, prompt_ids=(), completions=(completion_of(caption),)) for task in tasks]
    scores = [scored.scores[0] for scored in scorer.score_all(groups)]
    result: dict[str, float | str] = {"caption": caption, "reward": float(np.mean([s.total for s in scores]))}
    for dimension in DIMENSIONS:
        values = [s.parts[dimension] for s in scores if dimension in s.parts]
        if values:
            result[dimension] = float(np.mean(values))
    return result
