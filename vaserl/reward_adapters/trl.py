"""TRL's form: f(prompts, completions, completion_ids, trainer_state, log_extra, log_metric, **columns).

It returns a number or None for each completion. The columns are those of a data set of ours: task, clip, record,
reference, and reference again as `solution` and `ground_truth`, which many published functions ask for. What a
function tells `log_metric` becomes a part of the group's scores; `log_extra` is heard and dropped, since the stored
rollouts have the completions anyway. `trainer_state.global_step` is the version of the weights that wrote the group.
"""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from vaserl.reward_adapters.calling import GroupReward, on_groups
from vaserl.types import Group, Score


def trl(function: Any) -> GroupReward:
    """For functions of conversational data sets: prompts and completions are lists of messages."""
    return on_groups(function, _conversation, _read)


def trl_text(function: Any) -> GroupReward:
    """For functions of standard data sets: prompts and completions are texts."""
    return on_groups(function, _text, _read)


class _Metrics(dict[str, float]):
    """Remembers the last value under each name."""

    def __call__(self, name: str, value: float) -> None:
        self[name] = float(value)


def _text(group: Group) -> dict[str, Any]:
    task, completions = group.task, group.completions
    columns = {
        "task": task.id,
        "clip": task.clip,
        "record": dict(task.record),
        "reference": task.reference,
        "solution": task.reference,
        "ground_truth": task.reference,
    }
    return {
        "prompts": [task.prompt] * len(completions),
        "completions": [completion.text for completion in completions],
        "completion_ids": [list(completion.token_ids) for completion in completions],
        "trainer_state": SimpleNamespace(global_step=max((c.weights_version for c in completions), default=0)),
        "log_extra": lambda column, values: None,
        "log_metric": _Metrics(),
        **{name: [value] * len(completions) for name, value in columns.items()},
    }


def _conversation(group: Group) -> dict[str, Any]:
    given = _text(group)
    return given | {
        "prompts": [[{"role": "user", "content": prompt}] for prompt in given["prompts"]],
        "completions": [[{"role": "assistant", "content": text}] for text in given["completions"]],
    }


def _read(answers: Sequence[float | None], group: Group, given: Mapping[str, Any]) -> list[Score | None]:
    metrics = dict(given.get("log_metric", {}))
    return [None if answer is None else Score(total=float(answer), parts=metrics) for answer in answers]
