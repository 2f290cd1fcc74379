"""A reward for models with random weights.

The vase reward would give every answer of such a model 0. This reward has no meaning: it only has to differ between
answers."""

from vaserl.types import Completion, Task


def arbitrary(task: Task, completion: Completion) -> float:
    """Returns a number between 0 and 1 that depends only on the tokens of the completion."""
    return sum((at + 1) * token for at, token in enumerate(completion.token_ids)) % 997 / 996
