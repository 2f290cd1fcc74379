"""An example of a reward in a file of one's own: short captions earn more."""

from vaserl.types import Completion, Task


def brevity(task: Task, completion: Completion, max_words: int = 30) -> float:
    """1 for a single word, falling to 0 at `max_words`; an empty caption earns nothing."""
    num_words = len(completion.text.split())
    return max(0.0, 1 - (num_words - 1) / (max_words - 1)) if num_words else 0.0
