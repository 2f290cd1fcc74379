"""Adapters for TRL's reward functions: f(prompts, completions, completion_ids, trainer_state, log_extra, log_metric,
**columns), which return a number or None for each completion.

Columns: `task` (id of the task), `clip` (hash of the turntable video), `record` (fields of the museum's record) and
`reference` (the perfect answer). `solution` and `ground_truth` contain the reference too, because many published
functions expect one of these two. `log_metric(name, value)` may be called several times with one name; the mean of the
values becomes a part of every score of the group. `log_extra` does nothing, because the stored rollouts contain the
completions anyway. `trainer_state` has only `global_step`: the newest version of the weights that generated the group's
completions. A function that creates a reward function (`get_soft_overlong_punishment`) is called first, with the
arguments in the config.
"""

from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

from vaserl.rewards.adapters.calling import adapted, on_groups
from vaserl.types import Group, Score

_COLUMNS = ("task", "clip", "record", "reference", "solution", "ground_truth")
_KEYWORDS = ("prompts", "completions", "completion_ids", "trainer_state", "log_extra", "log_metric")


def trl(function: Any) -> Any:
    """Wraps a TRL reward function that expects prompts and completions as lists of chat messages."""
    return adapted(function, (*_KEYWORDS, *_COLUMNS), lambda f: on_groups(f, _conversation, _read))


def trl_text(function: Any) -> Any:
    """Wraps a TRL reward function that expects prompts and completions as strings."""
    return adapted(function, (*_KEYWORDS, *_COLUMNS), lambda f: on_groups(f, _text, _read))


class _Metrics(dict[str, list[float]]):
    """A callable passed to the TRL function as `log_metric`; stores all logged values by metric name."""

    def __call__(self, name: str, value: float) -> None:
        self.setdefault(name, []).append(float(value))


def _text(group: Group) -> dict[str, Any]:
    task, completions = group.task, group.completions
    columns = (task.id, task.clip, dict(task.record), *[task.reference] * 3)
    return {
        "prompts": [task.prompt] * len(completions),
        "completions": [completion.text for completion in completions],
        "completion_ids": [list(completion.token_ids) for completion in completions],
        "trainer_state": SimpleNamespace(global_step=max((c.weights_version for c in completions), default=0)),
        "log_extra": lambda column, values: None,
        "log_metric": _Metrics(),
        **{name: [value] * len(completions) for name, value in zip(_COLUMNS, columns, strict=True)},
    }


def _conversation(group: Group) -> dict[str, Any]:
    given = _text(group)
    return given | {
        "prompts": [[{"role": "user", "content": prompt}] for prompt in given["prompts"]],
        "completions": [[{"role": "assistant", "content": text}] for text in given["completions"]],
    }


def _read(returned: Sequence[float | None], group: Group, given: Mapping[str, Any]) -> list[Score | None]:
    logged: _Metrics = given.get("log_metric") or _Metrics()
    metrics = {name: sum(values) / len(values) for name, values in logged.items()}
    return [None if value is None else Score(total=float(value), parts=metrics) for value in returned]
