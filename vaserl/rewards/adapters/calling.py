"""Calls reward functions of other trainers, sync or async, with the keyword arguments that they accept."""

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from vaserl.types import Group, Score

GroupReward = Callable[..., Any]
"""A reward function that takes (group, **arguments) and returns a score or None for each of the completions.
It is async if it wraps an async function."""


def is_async(function: Any) -> bool:
    """Returns True if a call returns a coroutine: for an `async def`, or an object with an async `__call__`."""
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(type(function).__call__)


def on_groups(
    function: Any,
    inputs: Callable[[Group], Mapping[str, Any]],
    read: Callable[[Any, Group, Mapping[str, Any]], Sequence[Score | None]],
) -> GroupReward:
    """Wraps a foreign function as a reward function that is called once for a group.

    inputs: makes the foreign keyword arguments from the group. read: makes one score for each completion from the
    returned value, the group and the keyword arguments.
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
    """A foreign class or function that makes a reward function from its arguments.

    Example: TRL's `get_soft_overlong_punishment`.
    """

    make: Any
    """The foreign class or function; called once, with the function's `reward.arguments` of the config."""
    adapt: Callable[[Any], Any]
    """Adapter of the reward function that `make` returns."""

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.make)

    def __call__(self, **arguments: Any) -> Any:
        return self.adapt(self.make(**arguments))


def adapted(function: Any, form: Collection[str], adapt: Callable[[Any], Any]) -> Any:
    """Returns `adapt(function)` for a reward function, or a Factory for a class or function that makes one.

    form: parameters of the foreign signature; a function that has none of them makes a reward function.
    """
    if not callable(function):
        return function  # `bind` reports it
    parameters = inspect.signature(function).parameters.values()
    rewards = any(p.kind is p.VAR_KEYWORD or p.name in form for p in parameters)
    return adapt(function) if rewards and not isinstance(function, type) else Factory(function, adapt)


def accepted(function: Any, keywords: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the keyword arguments that a function accepts: its parameters, or all of them if it takes `**kwargs`."""
    parameters = inspect.signature(function).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return dict(keywords)
    return {name: value for name, value in keywords.items() if name in parameters}


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """Returns the values that are numbers or single-element tensors, as floats by name; all others are left out."""
    found = {}
    for name, value in values.items():
        if isinstance(value, str) or value is None:
            continue
        try:
            found[str(name)] = float(value)
        except (TypeError, ValueError, RuntimeError):
            continue
    return found
