"""Calls foreign reward functions: passes the keywords that they accept and reads what they return, sync or async."""

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vaserl.types import Group, Score

GroupReward = Callable[..., Any]
"""Takes (group, **arguments) and returns a score or None for each completion; async if the wrapped function is."""


def is_async(function: Any) -> bool:
    """Returns True if calling it returns a coroutine: for an `async def`, or an object whose `__call__` is one."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def on_groups(
    function: Any,
    inputs: Callable[[Group], Mapping[str, Any]],
    read: Callable[[Any, Group, Mapping[str, Any]], Sequence[Score | None]],
) -> GroupReward:
    """Returns a reward function of groups: it calls `function` with the keywords from `inputs`, and `read` turns the
    result into scores."""

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
    """A foreign class or function that makes a reward function from its arguments.

    Example: TRL's `get_soft_overlong_punishment`.
    """

    make: Any
    """The class or function; called once, with the arguments of the config."""
    adapt: Callable[[Any], Any]
    """Adapter for the reward function that it makes."""

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.make)

    def __call__(self, **arguments: Any) -> Any:
        return self.adapt(self.make(**arguments))


def adapted(function: Any, form: Collection[str], adapt: Callable[[Any], Any]) -> Any:
    """Returns `adapt(function)`, or a Factory for a class or a function that has none of the `form`'s keywords."""
    if not callable(function):
        return function  # `bind` reports it
    parameters = inspect.signature(function).parameters.values()
    rewards = any(p.kind is p.VAR_KEYWORD or p.name in form for p in parameters)
    return adapt(function) if rewards and not isinstance(function, type) else Factory(function, adapt)


def accepted(function: Any, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the keywords that a function has as parameters; all of them if it takes `**kwargs`."""
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return dict(keywords)
    return {name: value for name, value in keywords.items() if name in parameters}


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Returns the values that are numbers or hold a single one, like a tensor; texts and lists are left out."""
    found = {}
    for name, value in values.items():
        if isinstance(value, str) or value is None:
            continue
        try:
            found[str(name)] = float(value)
        except (TypeError, ValueError, RuntimeError):
            continue
    return found
