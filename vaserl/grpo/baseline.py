"""The constant baseline: the mean reward of a policy that ignores the video and answers with one fixed caption."""

import sys
from collections.abc import Mapping, Sequence

import numpy as np

from vaserl.errors import RewardError
from vaserl.grpo.parts import Rewards
from vaserl.types import Completion, Group, ScoredGroup, Task

_NAME = "reward/constant_baseline"


class ConstantBaseline:
    """Baseline for a policy's reward: the mean reward of one fixed caption on the same tasks.

    Each task is scored only once in a run. The fixed caption has no token ids. If a reward function fails on it, the
    metric is omitted from then on and the run continues.
    """

    def __init__(self, caption: str, earlier: Sequence[Mapping[str, float]] = ()):
        """earlier: metrics of the steps that a continued run has already. If the last of them lacks this metric,
        scoring the caption failed, and the metric stays omitted."""
        self._answer = Completion(text=caption, token_ids=(), logprobs=(), finish_reason="stop", weights_version=0)
        self._earned: dict[str, float] = {}
        self._has_failed = bool(earlier) and _NAME not in earlier[-1]

    def metrics(self, scored: Sequence[ScoredGroup], rewards: Rewards) -> dict[str, float]:
        """Returns the metric "reward/constant_baseline", or {} once scoring the fixed caption has failed.

        The metric is the mean reward of the fixed caption over the tasks of these groups.
        """
        if self._has_failed:
            return {}
        tasks = {group.group.task.id: group.group.task for group in scored}
        try:
            self._score([task for name, task in tasks.items() if name not in self._earned], rewards)
        except RewardError as error:
            self._has_failed = True
            print(
                f"warning: {error}\nThe scored text was the constant caption, not a sampled answer: the run goes on "
                "without the metric reward/constant_baseline.",
                file=sys.stderr,
            )
            return {}
        return {_NAME: float(np.mean([self._earned[group.group.task.id] for group in scored]))}

    def _score(self, tasks: Sequence[Task], rewards: Rewards) -> None:
        answers = [Group(task=task, prompt_ids=(), completions=(self._answer,)) for task in tasks]
        for answer in rewards.score(answers) if answers else ():
            self._earned[answer.group.task.id] = answer.scores[0].total
