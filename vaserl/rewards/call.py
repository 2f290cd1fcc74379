"""Calls reward functions: for each completion or each group, synchronous or async, with retries for a remote service.

The signature decides the form:

    def f(task, completion)      -> float | Score | None              called for each completion
    def f(group)                 -> a sequence of these               called for each group; parameter named `group`
    async def …                                                       either form; the calls of a step run together
    class F: __init__(**arguments), __call__ as above, prepare(records) if it learns from the training records

None means that the function has no score for this completion.

Axes: F function, P task, G group member.
"""

import asyncio
import functools
import inspect
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from vaserl.errors import RewardError, UserError
from vaserl.rewards.adapters.calling import Factory, is_async
from vaserl.settings import RemoteSettings
from vaserl.types import Group, Score

LOCAL_CONCURRENCY = 64
"""Concurrent calls of an async function that is not declared remote."""


class Unavailable(Exception):
    """Raised by a reward function whose service is down: the call is retried as `reward.remote` configures.
    TimeoutError and ConnectionError mean the same."""


FAILURES = (Unavailable, TimeoutError, ConnectionError)


class Outcome(NamedTuple):
    """Result of a reward function for one completion."""

    score: Score | None
    """None where the function has no score."""
    failed: bool = False
    """True when the service failed on every attempt; `score` then comes from `reward.remote.NAME.on_failure`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundReward:
    """A reward function with its arguments bound."""

    name: str
    """Name in the config, for messages."""
    function: Any
    """Takes (task, completion) or (group)."""
    takes_group: bool
    """True when it is called once for a group."""
    remote: RemoteSettings | None
    """Time-out and retries; None for a function that calls no service."""

    @property
    def waits(self) -> bool:
        """True when its calls run concurrently."""
        return self.remote is not None or is_async(self.function)


def bind(name: str, found: Any, arguments: Mapping[str, Any], remote: RemoteSettings | None = None) -> BoundReward:
    """Binds arguments to an imported function, or makes an instance of an imported class with them.

    Raises: UserError when it doesn't accept them, or can't be called with a completion or a group.
    """
    if not callable(found):
        raise UserError(f"reward {name!r} is {found!r}, which can't be called")
    try:
        inspect.signature(found).bind_partial(**arguments)
    except (TypeError, ValueError) as error:  # ValueError: written in C without a signature
        raise UserError(f"reward {name!r}: [reward.arguments] don't fit: {error}") from error
    if isinstance(found, type | Factory):
        try:
            inspect.signature(found).bind(**arguments)
        except TypeError as error:
            raise UserError(f"reward {name!r}: [reward.arguments] are incomplete: {error}") from error
        function = found(**arguments)
    else:
        function = functools.partial(found, **arguments) if arguments else found
    try:
        signature = inspect.signature(function)
        positional = [
            p for p in signature.parameters.values() if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        ]
        takes_group = bool(positional) and positional[0].name == "group"
        signature.bind(*(None,) * (1 if takes_group else 2))
    except (TypeError, ValueError) as error:
        raise UserError(f"reward {name!r} must take (task, completion) or (group): {error}") from error
    return BoundReward(name=name, function=function, takes_group=takes_group, remote=remote)


def call_rewards(rewards: Sequence[BoundReward], groups: Sequence[Group]) -> list[list[list[Outcome]]]:
    """Returns [F][P][G], the outcome of every function for every completion.

    Raises: RewardError when a function raises, or returns something that is not a finite score.
    """
    concurrent = [reward for reward in rewards if reward.waits]
    outcomes = {id(r): [_call_in_turn(r, group) for group in groups] for r in rewards if not r.waits}
    if concurrent:
        outcomes |= dict(zip(map(id, concurrent), asyncio.run(_call_concurrently(concurrent, groups)), strict=True))
    return [outcomes[id(reward)] for reward in rewards]


def _call_in_turn(reward: BoundReward, group: Group) -> list[Outcome]:
    returned = []
    for member, call in enumerate(_calls(reward, group)):
        try:
            returned.append(reward.function(*call))
        except Exception as error:
            raise _broken(reward, group, member, repr(error)) from error
    return _outcomes(reward, group, returned)


async def _call_concurrently(rewards: Sequence[BoundReward], groups: Sequence[Group]) -> list[list[list[Outcome]]]:
    async def on_all(reward: BoundReward) -> list[list[Outcome]]:
        gate = asyncio.Semaphore(reward.remote.max_concurrency if reward.remote else LOCAL_CONCURRENCY)
        return list(await asyncio.gather(*(_call_on_group(reward, group, gate) for group in groups)))

    return list(await asyncio.gather(*map(on_all, rewards)))


async def _call_on_group(reward: BoundReward, group: Group, gate: asyncio.Semaphore) -> list[Outcome]:
    async def one(member: int, call: tuple[Any, ...]) -> Any:
        async with gate:
            try:
                return await _call_with_retries(reward, call)
            except Exception as error:
                if isinstance(error, FAILURES) and reward.remote and reward.remote.on_failure != "stop":
                    return _FAILED
                attempts = (
                    f" in {reward.remote.retries + 1} calls" if isinstance(error, FAILURES) and reward.remote else ""
                )
                raise _broken(reward, group, member, f"{error!r}{attempts}") from error

    returned = await asyncio.gather(*(one(i, call) for i, call in enumerate(_calls(reward, group))))
    return _outcomes(reward, group, list(returned))


_FAILED = object()
"""Stands for the result of a call whose service failed on every attempt."""


async def _call_with_retries(reward: BoundReward, call: tuple[Any, ...]) -> Any:
    """Returns the result of one call; a remote function is called with its time-out and retries."""
    remote = reward.remote
    if remote is None:
        return await reward.function(*call)
    for attempt in range(remote.retries + 1):
        started = reward.function(*call) if is_async(reward.function) else _in_thread(reward.function, call)
        try:
            return await asyncio.wait_for(started, remote.timeout_s)
        except FAILURES:
            if attempt == remote.retries:
                raise
            await asyncio.sleep(remote.backoff_s * 2**attempt)
    raise AssertionError("unreachable: the last attempt returns or raises")


async def _in_thread(function: Any, call: tuple[Any, ...]) -> Any:
    """Runs a blocking function in a daemon thread. A thread that outlives its time-out is abandoned; being a daemon it
    blocks neither the event loop nor the end of the process."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Any] = loop.create_future()

    def settle(result: Any, error: BaseException | None) -> None:
        if not done.done():
            done.set_result(result) if error is None else done.set_exception(error)

    def work() -> None:
        try:
            result, error = function(*call), None
        except BaseException as raised:
            result, error = None, raised
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, result, error)

    threading.Thread(target=work, daemon=True, name="reward").start()
    return await done


def _calls(reward: BoundReward, group: Group) -> list[tuple[Any, ...]]:
    return [(group,)] if reward.takes_group else [(group.task, completion) for completion in group.completions]


def _outcomes(reward: BoundReward, group: Group, returned: list[Any]) -> list[Outcome]:
    """Returns [G] the outcomes of a group, from what its calls returned."""
    size = len(group.completions)
    if reward.takes_group:
        (whole,) = returned
        returned = [_FAILED] * size if whole is _FAILED else list(whole)
        if len(returned) != size:
            raise RewardError(
                f"reward {reward.name} returned {len(returned)} scores for the {size} completions of {group.task.id}"
            )
    outcomes = []
    for member, value in enumerate(returned):
        if value is _FAILED:
            assert reward.remote is not None
            declared = reward.remote.on_failure
            score = Score(total=declared, parts={}) if isinstance(declared, float) else None
            outcomes.append(Outcome(score, failed=True))
        elif value is None:
            outcomes.append(Outcome(None))
        else:
            outcomes.append(Outcome(_score(reward, group, member, value)))
    return outcomes


def _score(reward: BoundReward, group: Group, member: int, value: Any) -> Score:
    try:
        score = value if isinstance(value, Score) else Score(total=float(value), parts={})
    except (TypeError, ValueError) as error:
        raise _broken(reward, group, member, f"{value!r} is no score") from error
    for name, number in (("", score.total), *score.parts.items()):
        if not math.isfinite(number):
            raise RewardError(
                f"reward {reward.name} returned {name and f'{name} '}{number} for {group.task.id}, completion {member}"
            )
    return score


def _broken(reward: BoundReward, group: Group, member: int, reason: str) -> RewardError:
    # a function of whole groups breaks on all of their completions
    where = group.task.id if reward.takes_group else f"{group.task.id}, completion {member}"
    return RewardError(f"reward {reward.name} failed on {where}: {reason}")
