"""The constant answer: what a policy earns that never looks and always says the commonest thing."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from vaserl.answer_files import completion_of
from vaserl.rewards import gold_caption
from vaserl.scoring import RewardError, Scorer
from vaserl.train import RewardPool
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Group, ScoredGroup, Task


def constant_caption(records: Sequence[Mapping[str, str]]) -> str:
    """The caption of a record made of each field's commonest value (ties: the first in the alphabet); a field that
    more records leave empty than share any value is left out, unless that would leave nothing.

    Raises: ValueError when no record states one of the six dimensions.
    """
    stated = [Counter(record.get(FIELD_OF_DIMENSION[d], "") for record in records) for d in DIMENSIONS]
    commonest = [_first(counts) for counts in stated]
    if not any(commonest):
        commonest = [_first(Counter({v: n for v, n in counts.items() if v})) for counts in stated]
    return gold_caption({FIELD_OF_DIMENSION[d]: v for d, v in zip(DIMENSIONS, commonest, strict=True) if v})


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


def constant_answer(caption: str, tasks: Sequence[Task], scorer: Scorer) -> dict[str, float | str]:
    """Means over the tasks of the reward of one caption and of its dimensions: {"caption", "reward", "fabric", …}."""
    groups = [Group(task=task, prompt_ids=(), completions=(completion_of(caption),)) for task in tasks]
    scores = [scored.scores[0] for scored in scorer.score_all(groups)]
    result: dict[str, float | str] = {"caption": caption, "reward": float(np.mean([s.total for s in scores]))}
    for dimension in DIMENSIONS:
        values = [s.parts[dimension] for s in scores if dimension in s.parts]
        if values:
            result[dimension] = float(np.mean(values))
    return result


def _first(counts: Mapping[str, int]) -> str:
    return min(counts, key=lambda value: (-counts[value], value), default="")
