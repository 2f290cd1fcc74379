"""Calls reward functions that wait: async ones, and those of remote services, with time-outs and retries.

Only configs with such a function load this module, because asyncio takes long to import.
"""

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from vaserl.rewards.adapters.calling import is_async
from vaserl.rewards.call import FAILURES, NO_RESULT, BoundReward, Outcome, broken, calls_of, last_frames, outcomes_of
from vaserl.types import Group

LOCAL_CONCURRENCY = 64
"""Largest number of concurrent calls of an async reward function that has no `reward.remote` table in the config."""


def call_together(rewards: Sequence[BoundReward], groups: Sequence[Group]) -> list[list[list[Outcome]]]:
    """Returns the outcomes of functions whose calls run concurrently, indexed [function][group][completion].

    Raises: RewardError if a function raises, or returns a value that is not a finite score.
    """
    return asyncio.run(_call_concurrently(rewards, groups))


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
                    return NO_RESULT
                attempts = (
                    f" in {reward.remote.retries + 1} calls" if isinstance(error, FAILURES) and reward.remote else ""
                )
                raise broken(reward, group, member, f"{error!r}{attempts}{last_frames(error)}") from error

    returned = await asyncio.gather(*(one(i, call) for i, call in enumerate(calls_of(reward, group))))
    return outcomes_of(reward, group, list(returned))


async def _call_with_retries(reward: BoundReward, call: tuple[Any, ...]) -> Any:
    """Calls a reward function once and returns its result; if it is remote, limits the time and retries on failure."""
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
    """Runs a blocking function in a daemon thread and returns its result.

    If the time limit is exceeded, the thread continues, but its result is ignored. As a daemon thread it blocks neither
    the event loop nor the exit of the process.
    """
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
