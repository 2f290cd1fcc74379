"""Calls reward functions written for other trainers, sync or async, with only the keyword arguments they accept."""

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vaserl.types import Group, Score

GroupReward = Callable[..., Any]
"""Reward function that takes (group, **arguments) and returns a score or None for each completion of the group.
It is async if the function that it wraps is async."""


def is_async(function: Any) -> bool:
    """Returns True if calling `function` returns a coroutine: an `async def` or an object with an async `__call__`."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def on_groups(
    function: Any,
    inputs: Callable[[Group], Mapping[str, Any]],
    read: Callable[[Any, Group, Mapping[str, Any]], Sequence[Score | None]],
) -> GroupReward:
    """Wraps another trainer's function in a reward function that is called once for each group of completions.

    inputs: function that converts the group to keyword arguments of `function`.
    read: function that converts what `function` returned to one score (or None) for each completion. It takes the
    returned value, the group, and the keyword arguments with which `function` was called.
    """

    def keywords(group: Group, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return accepted(function, {**inputs(group), **arguments})

    if is_async(function):

        async def reward_later(group: Group, **arguments: Any) -> Sequence[Score | None]:
            given = keywords(group, arguments)
            return read(await function(**given), group, given)

        return reward_later

    def reward(group: Group, **arguments: Any) -> Sequence[Score | None]:
        given = keywords(group, arguments)
        return read(function(**given), group, given)

    return reward


@dataclass(frozen=True, slots=True)
class Factory:
    """Wrapper of another trainer's class or function that, called with arguments, creates a reward function.

    Example of such a function: TRL's `get_soft_overlong_punishment`.
    """

    make: Any
    """The other trainer's class or function; called once, with the arguments in the config's `reward.arguments`."""
    adapt: Callable[[Any], Any]
    """Function that wraps the reward function returned by `make` in one that vaserl can call."""

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.make)

    def __call__(self, **arguments: Any) -> Any:
        return self.adapt(self.make(**arguments))


def adapted(function: Any, form: Collection[str], adapt: Callable[[Any], Any]) -> Any:
    """Returns `adapt(function)` if `function` is a reward function, and a Factory if it creates reward functions.

    form: names of the parameters that the other trainer passes to a reward function. A function without any of them
    and without `**kwargs` is taken to create a reward function.
    """
    if not callable(function):
        return function  # `bind` reports it
    parameters = inspect.signature(function).parameters.values()
    rewards = any(p.kind is p.VAR_KEYWORD or p.name in form for p in parameters)
    return adapt(function) if rewards and not isinstance(function, type) else Factory(function, adapt)


def accepted(function: Any, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Returns those of `keywords` that are parameters of `function`, or all of them if it takes `**kwargs`."""
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return dict(keywords)
    return {name: value for name, value in keywords.items() if name in parameters}


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Returns a dict of the values that are numbers or one-element tensors, as floats; omits all other values."""
    found = {}
    for name, value in values.items():
        if isinstance(value, str) or value is None:
            continue
        try:
            found[str(name)] = float(value)
        except (TypeError, ValueError, RuntimeError):
            continue
    return found
