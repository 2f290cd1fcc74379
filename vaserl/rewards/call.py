"""How a reward function is called: for a completion or a group, here or awaited, with patience for a service.

Its form is told by its signature:

    def f(task, completion)      -> float | Score | None              one completion
    def f(group)                 -> sequence of them, one for each    a whole group; the parameter is named `group`
    async def …                                                       either; the calls of a step run together
    class F: __init__(**arguments), __call__ as above, prepare(records) if it learns from the training records

None means that the function has nothing to say of this completion.
"""

import asyncio
import functools
import inspect
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from vaserl.errors import UserError
from vaserl.rewards.adapters.calling import Factory, is_async
from vaserl.settings import RemoteSettings
from vaserl.types import Group, Score

LOCAL_CONCURRENCY = 64
"""Calls under way at once of an async function that is not declared remote."""


class RewardError(RuntimeError):
    """A reward function broke; says which one and on which completion. Broken code stops the run, because a made-up
    score would be learned from."""


class Unavailable(Exception):
    """For reward functions to raise when the service they ask has no answer now: the call is tried again as
    `reward.remote` says. TimeoutError and ConnectionError mean the same."""


FAILURES = (Unavailable, TimeoutError, ConnectionError)


class Outcome(NamedTuple):
    """What a function said of one completion."""

    score: Score | None
    """None where it has nothing to say."""
    failed: bool = False
    """Whether its service gave no answer, and the score is the declared outcome."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundReward:
    """A reward function, ready to be called."""

    name: str
    """As the config has it, for messages."""
    function: Any
    """Takes (task, completion) or (group)."""
    takes_group: bool
    """Whether it is called once for a group."""
    remote: RemoteSettings | None
    """How to wait for it; None for a function that asks no service."""

    @property
    def waits(self) -> bool:
        """Whether its calls run together instead of one after the other."""
        return self.remote is not None or is_async(self.function)


def bind(name: str, found: Any, arguments: Mapping[str, Any], remote: RemoteSettings | None = None) -> BoundReward:
    """Makes an imported function or class ready with its arguments.

    Raises: UserError when it doesn't take them, or can't be called with a completion or a group.
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
            raise UserError(
                f"reward {name!r} is made of its arguments, and [reward.arguments] lack some: {error}"
            ) from error
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
    """[F][P][G] what every function says of every completion.

    Raises: RewardError when a function breaks, or returns something that is no finite score.
    """
    awaited = [reward for reward in rewards if reward.waits]
    answers = {id(r): [_ask_here(r, group) for group in groups] for r in rewards if not r.waits}
    if awaited:
        answers |= dict(zip(map(id, awaited), asyncio.run(_ask_together(awaited, groups)), strict=True))
    return [answers[id(reward)] for reward in rewards]


def _ask_here(reward: BoundReward, group: Group) -> list[Outcome]:
    given = []
    for member, call in enumerate(_calls(reward, group)):
        try:
            given.append(reward.function(*call))
        except Exception as error:
            raise _broken(reward, group, member, repr(error)) from error
    return _read(reward, group, given)


async def _ask_together(rewards: Sequence[BoundReward], groups: Sequence[Group]) -> list[list[list[Outcome]]]:
    async def of(reward: BoundReward) -> list[list[Outcome]]:
        gate = asyncio.Semaphore(reward.remote.max_concurrency if reward.remote else LOCAL_CONCURRENCY)
        return list(await asyncio.gather(*(_ask_later(reward, group, gate) for group in groups)))

    return list(await asyncio.gather(*map(of, rewards)))


async def _ask_later(reward: BoundReward, group: Group, gate: asyncio.Semaphore) -> list[Outcome]:
    async def one(member: int, call: tuple[Any, ...]) -> Any:
        async with gate:
            try:
                return await _persist(reward, call)
            except Exception as error:
                if isinstance(error, FAILURES) and reward.remote and reward.remote.on_failure != "stop":
                    return _FAILED
                attempts = (
                    f" in {reward.remote.retries + 1} calls" if isinstance(error, FAILURES) and reward.remote else ""
                )
                raise _broken(reward, group, member, f"{error!r}{attempts}") from error

    return _read(reward, group, list(await asyncio.gather(*(one(i, c) for i, c in enumerate(_calls(reward, group))))))


_FAILED = object()


async def _persist(reward: BoundReward, call: tuple[Any, ...]) -> Any:
    """One call; of a remote function with its time-out and retries."""
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
    """A blocking function in a thread of its own. One that outlives its time-out is left to itself: a daemon thread
    keeps neither the loop nor the process waiting."""
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


def _read(reward: BoundReward, group: Group, given: list[Any]) -> list[Outcome]:
    """[G] answers of what the calls of one group returned."""
    size = len(group.completions)
    if reward.takes_group:
        (whole,) = given
        given = [_FAILED] * size if whole is _FAILED else list(whole)
        if len(given) != size:
            raise RewardError(
                f"reward {reward.name} gave {len(given)} scores for {group.task.id}, of {size} completions"
            )
    answers = []
    for member, value in enumerate(given):
        if value is _FAILED:
            assert reward.remote is not None
            outcome = reward.remote.on_failure
            score = Score(total=outcome, parts={}) if isinstance(outcome, float) else None
            answers.append(Outcome(score, failed=True))
        elif value is None:
            answers.append(Outcome(None))
        else:
            answers.append(Outcome(_score(reward, group, member, value)))
    return answers


def _score(reward: BoundReward, group: Group, member: int, value: Any) -> Score:
    try:
        score = value if isinstance(value, Score) else Score(total=float(value), parts={})
    except (TypeError, ValueError) as error:
        raise _broken(reward, group, member, f"{value!r} is no score") from error
    for name, number in (("", score.total), *score.parts.items()):
        if not math.isfinite(number):
            raise RewardError(
                f"reward {reward.name} gave {name and f'{name} '}{number} for {group.task.id}, completion {member}"
            )
    return score


def _broken(reward: BoundReward, group: Group, member: int, reason: str) -> RewardError:
    # a function of whole groups breaks on all of them
    where = group.task.id if reward.takes_group else f"{group.task.id}, completion {member}"
    return RewardError(f"reward {reward.name} failed on {where}: {reason}")
