"""Example of a reward function in a user's file: short captions earn more."""

from vaserl.types import Completion, Task


def brevity(task: Task, completion: Completion, max_words: int = 30) -> float:
    """Returns 1 for a single word, falling linearly to 0 at `max_words`; 0 for an empty caption."""
    num_words = len(completion.text.split())
    return max(0.0, 1 - (num_words - 1) / (max_words - 1)) if num_words else 0.0
