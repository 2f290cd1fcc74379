"""Small reward functions that tests name by dotted path."""

from vaserl.types import Completion, Group, Score, Task


def even_tokens(task: Task, completion: Completion) -> Score:
    """Returns the share of generated tokens with an even id, which varies within a group and which a policy can
    learn."""
    share = sum(token % 2 == 0 for token in completion.token_ids) / len(completion.token_ids)
    return Score(total=share, parts={"even": share})


def first_is_even(task: Task, completion: Completion) -> float:
    """Returns 1 if the first token's id is even, so that some groups have equal rewards."""
    return float(completion.token_ids[0] % 2 == 0)


def one(task: Task, completion: Completion) -> float:
    return 1.0


def broken(task: Task, completion: Completion) -> float:
    raise KeyError("no such thing")


def takes_one_argument(task: Task) -> float:
    return 0.0


def spread_of_lengths(group: Group) -> list[float]:
    """Returns how many characters each completion is shorter than the longest of its group."""
    return [max(len(c.text) for c in group.completions) - len(c.text) for c in group.completions]
