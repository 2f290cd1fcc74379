"""verl's form: compute_score(data_source, solution_str, ground_truth, extra_info), a number or a dict with "score".

The other numbers of the dict become parts. `extra_info` holds index (the task's id), question, record, clip and
finish_reason.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from vaserl.reward_adapters.calling import GroupReward, accepted, is_async, numbers, on_groups
from vaserl.types import Completion, Group, Score, Task

DATA_SOURCE = "vaserl"


def verl(function: Any) -> Any:
    """For a function of one completion."""
    if is_async(function):

        async def reward_later(task: Task, completion: Completion, **arguments: Any) -> Score:
            return _score(await function(**accepted(function, {**_inputs(task, completion), **arguments})))

        return reward_later

    def reward(task: Task, completion: Completion, **arguments: Any) -> Score:
        return _score(function(**accepted(function, {**_inputs(task, completion), **arguments})))

    return reward


def verl_batch(function: Any) -> GroupReward:
    """For a function of lists: compute_score(data_sources, solution_strs, ground_truths, extra_infos)."""
    return on_groups(function, _batch, _read)


def _inputs(task: Task, completion: Completion) -> dict[str, Any]:
    return {
        "data_source": DATA_SOURCE,
        "solution_str": completion.text,
        "ground_truth": task.reference,
        "extra_info": {
            "index": task.id,
            "question": task.prompt,
            "record": dict(task.record),
            "clip": task.clip,
            "finish_reason": completion.finish_reason,
        },
    }


def _batch(group: Group) -> dict[str, Any]:
    inputs = [_inputs(group.task, completion) for completion in group.completions]
    names = {name: f"{name}s" for name in ("data_source", "solution_str", "ground_truth", "extra_info")}
    return {plural: [each[name] for each in inputs] for name, plural in names.items()}


def _read(answers: Sequence[Any], group: Group, given: Mapping[str, Any]) -> list[Score | None]:
    return [_score(answer) for answer in answers]


def _score(answer: Any) -> Score:
    if not isinstance(answer, Mapping):
        return Score(total=float(answer), parts={})
    return Score(
        total=float(answer["score"]), parts=numbers({name: v for name, v in answer.items() if name != "score"})
    )
