"""Helpers that make groups of completions with given texts and rewards."""

from collections.abc import Sequence

from vaserl.rewards.vase import reference_caption
from vaserl.types import DIMENSIONS, Completion, Group, Score, ScoredGroup, Task

RECORD = {"Fabric": "ATHENIAN", "Technique": "BLACK-FIGURE", "Shape Name": "KYLIX"}


def group_of(task_id: str, *texts: str) -> Group:
    """Returns a group of completions with these texts, one token per letter, sampled with version 3 of the weights."""
    reference = reference_caption(RECORD)
    task = Task(id=task_id, clip="c", prompt="p", dimensions=DIMENSIONS, record=RECORD, reference=reference)
    completions = tuple(
        Completion(
            text=text,
            token_ids=tuple(range(len(text))),
            logprobs=(-1.0,) * len(text),
            finish_reason="stop",
            weights_version=3,
        )
        for text in texts
    )
    return Group(task=task, prompt_ids=(7,), completions=completions)


def scored_group(task_id: str, texts: Sequence[str], rewards: Sequence[float]) -> ScoredGroup:
    """Returns a group of completions with these texts and rewards."""
    scores = tuple(Score(total=reward, parts={"fabric": reward}) for reward in rewards)
    return ScoredGroup(group=group_of(task_id, *texts), scores=scores)
