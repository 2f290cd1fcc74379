"""Reward functions by name, and what several of them say together of a group."""

import importlib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vaserl.errors import UserError
from vaserl.types import Completion, Group, Score, ScoredGroup, Task

RewardFunction = Callable[[Task, Completion], "Score | float"]


class RewardError(RuntimeError):
    """A reward function broke; says which one and on which completion. Broken code stops the run, because a made-up
    score would be learned from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorer:
    """The weighted sum of reward functions."""

    functions: Mapping[str, RewardFunction]
    """By the name they were asked for."""
    weights: Mapping[str, float]
    """One for each function."""

    def score(self, group: Group) -> ScoredGroup:
        """Scores every completion of a group.

        Raises: RewardError when a function raises or returns something that is not finite.
        """
        return ScoredGroup(
            group=group, scores=tuple(self._one(group.task, c, i) for i, c in enumerate(group.completions))
        )

    def _one(self, task: Task, completion: Completion, member: int) -> Score:
        total, parts = 0.0, {}
        for name, function in self.functions.items():
            try:
                answer = function(task, completion)
                score = answer if isinstance(answer, Score) else Score(total=float(answer), parts={})
            except Exception as error:
                raise RewardError(f"reward {name} failed on {task.id}, completion {member}: {error!r}") from error
            if not math.isfinite(score.total):
                raise RewardError(f"reward {name} gave {score.total} for {task.id}, completion {member}")
            total += self.weights[name] * score.total
            # the parts of a lone reward keep their names; those of several are told apart by the function's
            prefix = "" if len(self.functions) == 1 else f"{name.rpartition(':')[2]}/"
            parts.update({f"{prefix}{part}": value for part, value in score.parts.items()})
            if prefix:
                parts[f"{prefix}total"] = score.total
        return Score(total=total, parts=parts)


def load_scorer(names: Sequence[str], weights: Sequence[float] = ()) -> Scorer:
    """Imports reward functions `package.module:function`.

    Raises: UserError naming the function that can't be imported or called with (task, completion).
    """
    functions = {name: load_function(name) for name in names}
    chosen = weights or [1.0] * len(names)
    return Scorer(functions=functions, weights=dict(zip(names, chosen, strict=True)))


def load_function(name: str) -> Any:
    """The object `package.module:function` names. Raises: UserError."""
    module_name, colon, function_name = name.partition(":")
    if not colon:
        raise UserError(f"reward {name!r}: write it as package.module:function")
    try:
        function = getattr(importlib.import_module(module_name), function_name)
    except ImportError as error:
        raise UserError(f"reward {name!r} can't be imported: {error}") from error
    except AttributeError:
        raise UserError(f"reward {name!r}: module {module_name} has no {function_name}") from None
    try:
        inspect.signature(function).bind(None, None)
    except TypeError as error:
        raise UserError(f"reward {name!r} must take (task, completion): {error}") from error
    return function
