"""The constant answer: what a policy earns that never looks and always says the commonest thing."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from vaserl.rewards import gold_caption
from vaserl.scoring import Scorer
from vaserl.types import DIMENSIONS, FIELD_OF_DIMENSION, Completion, Group, Task


def constant_caption(records: Sequence[Mapping[str, str]]) -> str:
    """The caption of a record made of each field's commonest value (ties: the first in the alphabet); a field that
    most records leave empty is left out."""
    commonest: dict[str, str] = {}
    for dimension in DIMENSIONS:
        field = FIELD_OF_DIMENSION[dimension]
        counts = Counter(record.get(field, "") for record in records)
        value = min(counts, key=lambda v: (-counts[v], v))
        if value:
            commonest[field] = value
    return gold_caption(commonest)


def constant_answer(caption: str, tasks: Sequence[Task], scorer: Scorer) -> dict[str, float | str]:
    """Means over the tasks of the reward of one caption and of its dimensions: {"caption", "reward", "fabric", …}."""
    completion = Completion(text=caption, token_ids=(), logprobs=(), finish_reason="stop", weights_version=0)
    scores = [scorer.score(Group(task=t, prompt_ids=(), completions=(completion,))).scores[0] for t in tasks]
    result: dict[str, float | str] = {"caption": caption, "reward": float(np.mean([s.total for s in scores]))}
    for dimension in DIMENSIONS:
        values = [s.parts[dimension] for s in scores if dimension in s.parts]
        if values:
            result[dimension] = float(np.mean(values))
    return result
