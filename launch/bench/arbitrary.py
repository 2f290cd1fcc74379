"""A reward for models with random weights, whose words earn nothing: any number will do, if it differs."""

from vaserl.types import Completion, Task


def arbitrary(task: Task, completion: Completion) -> float:
    """Between 0 and 1, a function of the tokens alone."""
    return sum((at + 1) * token for at, token in enumerate(completion.token_ids)) % 997 / 996
