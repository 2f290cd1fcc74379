"""The constant baseline: what a policy earns that ignores the clip and always gives the most common caption."""

import sys
from collections.abc import Sequence

import numpy as np

from vaserl.errors import RewardError
from vaserl.grpo.parts import Rewards
from vaserl.types import Completion, Group, ScoredGroup, Task


class ConstantBaseline:
    """The reward of one constant caption on the tasks of a step, to compare a policy's reward with.

    Scores each task once in a run. A reward function that fails on a text without tokens ends the comparison, not the
    run.
    """

    def __init__(self, caption: str):
        self._answer = Completion(text=caption, token_ids=(), logprobs=(), finish_reason="stop", weights_version=0)
        self._earned: dict[str, float] = {}
        self._has_failed = False

    def metrics(self, scored: Sequence[ScoredGroup], rewards: Rewards) -> dict[str, float]:
        """Returns {"reward/constant_baseline": mean over the tasks of these groups}, or {} after a failure."""
        if self._has_failed:
            return {}
        tasks = {group.group.task.id: group.group.task for group in scored}
        try:
            self._score([task for name, task in tasks.items() if name not in self._earned], rewards)
        except RewardError as error:
            self._has_failed = True
            print(f"no reward/constant_baseline: {error}", file=sys.stderr)
            return {}
        return {"reward/constant_baseline": float(np.mean([self._earned[group.group.task.id] for group in scored]))}

    def _score(self, tasks: Sequence[Task], rewards: Rewards) -> None:
        answers = [Group(task=task, prompt_ids=(), completions=(self._answer,)) for task in tasks]
        for answer in rewards.score(answers) if answers else ():
            self._earned[answer.group.task.id] = answer.scores[0].total
