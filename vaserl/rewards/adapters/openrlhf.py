"""Adapter for OpenRLHF's reward functions: reward_func(queries, prompts, labels), called with three one-item lists.

A prompt is in the chat markup of Qwen. A query is the whole sequence with its special tokens: the prompt, the
completion, and the end-of-turn token. The end-of-turn token is missing if the token limit cut the completion off. A
label is the task's reference, the perfect answer. The function returns a dict with "rewards" and "extra_logs"; the
numbers in "extra_logs" become parts of the score. Older OpenRLHF functions return only the reward.
"""

from collections.abc import Mapping
from typing import Any

from vaserl.rewards.adapters.calling import adapted, is_async, numbers
from vaserl.types import Completion, Score, Task

_FORM = ("queries", "prompts", "labels")


def openrlhf(function: Any) -> Any:
    """Wraps a reward function or class written for OpenRLHF as a reward function of vaserl.

    The three lists are passed as positional arguments, so the parameters of `function` may have any name.
    """
    return adapted(function, _FORM, _each) if isinstance(function, type) else _each(function)


def _each(function: Any) -> Any:
    if is_async(function):

        async def reward_later(task: Task, completion: Completion, **arguments: Any) -> Score:
            return _score(await function(*_inputs(task, completion), **arguments))

        return reward_later

    def reward(task: Task, completion: Completion, **arguments: Any) -> Score:
        return _score(function(*_inputs(task, completion), **arguments))

    return reward


def _inputs(task: Task, completion: Completion) -> tuple[list[str], list[str], list[str]]:
    prompt = f"<|im_start|>user\n{task.prompt}<|im_end|>\n<|im_start|>assistant\n"
    end = "<|im_end|>" if completion.finish_reason == "stop" else ""
    return [f"{prompt}{completion.text}{end}"], [prompt], [task.reference]


def _score(returned: Any) -> Score:
    if not isinstance(returned, Mapping):
        return Score(total=_single(returned), parts={})
    logs = returned.get("extra_logs") or {}
    return Score(total=_single(returned["rewards"]), parts=numbers({name: _first(log) for name, log in logs.items()}))


def _single(value: Any) -> float:
    """Converts a number, or a tensor or list with one item, to a float."""
    if isinstance(value, list | tuple):
        (value,) = value
    return float(value)


def _first(log: Any) -> Any:
    return log[0] if isinstance(log, list | tuple) and len(log) == 1 else log
