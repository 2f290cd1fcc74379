"""A reward for models with random weights, which would get 0 from the vase reward for every answer.

It is arbitrary: it only has to differ between answers."""

from vaserl.types import Completion, Task


def arbitrary(task: Task, completion: Completion) -> float:
    """Returns a number between 0 and 1 that depends on the tokens only."""
    return sum((at + 1) * token for at, token in enumerate(completion.token_ids)) % 997 / 996
