"""Computes the reward of a policy that ignores the picture and writes the same caption for every vase."""

from collections.abc import Sequence

import numpy as np

from vaserl.evaluation.predictions import completion_of
from vaserl.rewards import Scorer
from vaserl.types import DIMENSIONS, Group, Task


def score_constant_caption(caption: str, tasks: Sequence[Task], scorer: Scorer) -> dict[str, float | str]:
    """Scores one caption on all tasks and returns the means: {"caption": …, "reward": 0.41, "fabric": 0.8, …}.

    "reward" is the mean reward; "fabric" and the other dimensions are means of the score's parts.
    """
    groups = [Group(task=task, prompt_ids=(), completions=(completion_of(caption),)) for task in tasks]
    scores = [scored.scores[0] for scored in scorer.score_all(groups)]
    result: dict[str, float | str] = {"caption": caption, "reward": float(np.mean([s.total for s in scores]))}
    for dimension in DIMENSIONS:
        values = [s.parts[dimension] for s in scores if dimension in s.parts]
        if values:
            result[dimension] = float(np.mean(values))
    return result
