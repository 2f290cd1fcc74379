"""Helper that makes a scored group with given rewards."""

from vaserl.types import DIMENSIONS, Completion, Group, Score, ScoredGroup, Task


def scored(rewards: list[float], truncated: tuple[int, ...] = ()) -> ScoredGroup:
    """Returns a group of one completion for each reward; those in `truncated` were cut off by the token limit."""
    task = Task(id="t", clip="c", prompt="p", dimensions=DIMENSIONS, record={}, reference="")
    completions = tuple(
        Completion(
            text="",
            token_ids=(1, 2),
            logprobs=(-1.0, -2.0),
            finish_reason="length" if member in truncated else "stop",
            weights_version=1,
        )
        for member in range(len(rewards))
    )
    scores = tuple(Score(total=reward, parts={}) for reward in rewards)
    return ScoredGroup(group=Group(task=task, prompt_ids=(9,), completions=completions), scores=scores)
