"""OpenRLHF's form: reward_func(queries, prompts, labels, **kwargs), a tensor or a dict with "rewards".

Prompts are in the chat markup of Qwen, and a query is its prompt followed by the completion, so that functions which
cut the prompt off a query find the completion. Labels are the references. "extra_logs" become parts: a number for all
completions, or one for each.
"""

from collections.abc import Mapping
from typing import Any

from vaserl.reward_adapters.calling import GroupReward, numbers, on_groups
from vaserl.types import Group, Score


def openrlhf(function: Any) -> GroupReward:
    """The adapter."""
    return on_groups(function, _inputs, _read)


def _inputs(group: Group) -> dict[str, Any]:
    prompt = f"<|im_start|>user\n{group.task.prompt}<|im_end|>\n<|im_start|>assistant\n"
    return {
        "queries": [prompt + completion.text for completion in group.completions],
        "prompts": [prompt] * len(group.completions),
        "labels": [group.task.reference] * len(group.completions),
    }


def _read(answer: Any, group: Group, given: Mapping[str, Any]) -> list[Score | None]:
    rewards = [float(reward) for reward in (answer["rewards"] if isinstance(answer, Mapping) else answer)]
    logs = answer.get("extra_logs", {}) if isinstance(answer, Mapping) else {}
    return [
        Score(total=reward, parts=numbers({name: _of_member(value, i, len(rewards)) for name, value in logs.items()}))
        for i, reward in enumerate(rewards)
    ]


def _of_member(value: Any, member: int, size: int) -> Any:
    """A log's value for one completion: its own where there are as many as completions."""
    try:
        return value[member] if len(value) == size else value
    except TypeError:  # a number, or a tensor without axes
        return value
