"""Adapters for verl's reward functions: compute_score(data_source, solution_str, ground_truth, extra_info).

Such a function returns a number, or a dict with the number "score"; other numbers in the dict become parts of the
score. `extra_info` contains `index` (id of the task), `question` (the prompt), `record` (fields of the museum's
record), `clip` (hash of the turntable video) and `finish_reason`. It also has the keys `num_turns` and
`rollout_reward_scores` of verl, which are always None and empty. An argument in the config replaces the keyword
argument of the same name, like `reward_kwargs` in verl. For example, set `data_source = "openai/gsm8k"` for a function
that chooses how to score by `data_source`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from vaserl.rewards.adapters.calling import accepted, adapted, is_async, numbers, on_groups
from vaserl.types import Completion, Group, Score, Task

_DATA_SOURCE = "vaserl"
_FORM = ("data_source", "solution_str", "ground_truth", "extra_info")


def verl(function: Any) -> Any:
    """Wraps a verl reward function that scores one completion at each call."""
    return adapted(function, _FORM, _each)


def verl_batch(function: Any) -> Any:
    """Wraps a verl reward function that scores a whole group of completions at each call and takes lists:
    compute_score(data_sources, solution_strs, ground_truths, extra_infos)."""
    return adapted(function, [f"{name}s" for name in _FORM], lambda f: on_groups(f, _batch, _read))


def _each(function: Any) -> Any:
    if is_async(function):

        async def reward_later(task: Task, completion: Completion, **arguments: Any) -> Score:
            return _score(await function(**accepted(function, {**_inputs(task, completion), **arguments})))

        return reward_later

    def reward(task: Task, completion: Completion, **arguments: Any) -> Score:
        return _score(function(**accepted(function, {**_inputs(task, completion), **arguments})))

    return reward


def _inputs(task: Task, completion: Completion) -> dict[str, Any]:
    return {
        "data_source": _DATA_SOURCE,
        "solution_str": completion.text,
        "ground_truth": task.reference,
        "extra_info": {
            "index": task.id,
            "question": task.prompt,
            "record": dict(task.record),
            "clip": task.clip,
            "finish_reason": completion.finish_reason,
            # verl's own reward managers set these two
            "num_turns": None,
            "rollout_reward_scores": {},
        },
    }


def _batch(group: Group) -> dict[str, Any]:
    inputs = [_inputs(group.task, completion) for completion in group.completions]
    return {f"{name}s": [each[name] for each in inputs] for name in _FORM}


def _read(returned: Sequence[Any], group: Group, given: Mapping[str, Any]) -> list[Score | None]:
    return [_score(value) for value in returned]


def _score(returned: Any) -> Score:
    if not isinstance(returned, Mapping):
        return Score(total=float(returned), parts={})
    return Score(
        total=float(returned["score"]), parts=numbers({name: v for name, v in returned.items() if name != "score"})
    )
