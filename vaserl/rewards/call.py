"""Calls reward functions, sync or async, once for each completion or each group; retries calls of remote services.

A group is the set of completions sampled for one task. A function's signature decides how it is called:

    def f(task, completion)      -> float | Score | None              called for each completion
    def f(group)                 -> list, one value per completion    called for each group; parameter named `group`
    async def …                                                       either signature; the calls run concurrently
    class F: __init__(**arguments), __call__ with either signature, prepare(records) if it uses the training records

None means that the function has no score for this completion.

Axes of nested lists: F reward functions; P tasks, each with one group; G completions of a group.
"""

import functools
import inspect
import math
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vaserl.errors import RewardError, UserError
from vaserl.rewards.adapters.calling import Factory, is_async
from vaserl.types import Group, Score

if TYPE_CHECKING:
    from vaserl.settings import RemoteSettings  # a reward function needs none, and they take long to import

_OWN_FILES = (__file__, str(Path(__file__).with_name("waiting.py")))
_NUM_FRAMES = 3
"""Number of frames of a failed reward function that the error message shows."""


class Unavailable(Exception):
    """Error for a reward function to raise when the remote service that it calls is down.

    The call is then retried as often as the config's `reward.remote` table allows. TimeoutError and ConnectionError
    have the same effect."""


FAILURES = (Unavailable, TimeoutError, ConnectionError)


class Outcome(NamedTuple):
    """Result of one reward function for one completion: the score, and whether a remote service failed."""

    score: Score | None
    """Score of the completion; None if the function has no score for it."""
    failed: bool = False
    """True if the remote service failed on every attempt; `reward.remote.NAME.on_failure` then decides the score."""


NO_RESULT = object()
"""Placeholder for the result of a call whose remote service failed on every attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundReward:
    """A reward function together with its arguments from the config."""

    name: str
    """Name of the function in the config ("rewards/mine.py:concise"), for error messages."""
    function: Any
    """Callable that takes (group) if `takes_group` is True, else (task, completion)."""
    takes_group: bool
    """True if the function is called once for a whole group, False if once for each completion."""
    remote: "RemoteSettings | None"
    """Time-out, retries and concurrency of the calls; None if the config has no `reward.remote` table for `name`."""

    @property
    def waits(self) -> bool:
        """True if the function is remote or async, so that its calls run concurrently."""
        return self.remote is not None or is_async(self.function)


def bind(name: str, found: Any, arguments: Mapping[str, Any], remote: "RemoteSettings | None" = None) -> BoundReward:
    """Binds the arguments to an imported reward function, or creates an instance of an imported class with them.

    name: name of the function or class in the config. found: the imported function or class.

    Raises: UserError if `found` doesn't accept the arguments, or if the result can be called neither with
    (task, completion) nor with (group).
    """
    if not callable(found):
        raise UserError(f"reward {name!r} must be a function or a class, got {found!r}")
    try:
        inspect.signature(found).bind_partial(**arguments)
    except (TypeError, ValueError) as error:  # ValueError: a function written in C has no signature
        raise UserError(f"reward {name!r} doesn't accept its arguments in [reward.arguments]: {error}") from error
    if isinstance(found, type | Factory):
        try:
            inspect.signature(found).bind(**arguments)
        except TypeError as error:
            raise UserError(f"reward {name!r}: its arguments in [reward.arguments] are incomplete: {error}") from error
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
    """Returns the outcome of every reward function for every completion, indexed [function][group][completion].

    Raises: RewardError if a function raises, or returns a value that is not a finite score.
    """
    concurrent = [reward for reward in rewards if reward.waits]
    outcomes = {id(r): [_call_in_turn(r, group) for group in groups] for r in rewards if not r.waits}
    if concurrent:
        from vaserl.rewards.waiting import call_together  # loads asyncio

        outcomes |= dict(zip(map(id, concurrent), call_together(concurrent, groups), strict=True))
    return [outcomes[id(reward)] for reward in rewards]


def _call_in_turn(reward: BoundReward, group: Group) -> list[Outcome]:
    returned = []
    for member, call in enumerate(calls_of(reward, group)):
        try:
            returned.append(reward.function(*call))
        except Exception as error:
            raise broken(reward, group, member, f"{error!r}{last_frames(error)}") from error
    return outcomes_of(reward, group, returned)


def calls_of(reward: BoundReward, group: Group) -> list[tuple[Any, ...]]:
    """Returns the arguments of each call of a reward function for a group."""
    return [(group,)] if reward.takes_group else [(group.task, completion) for completion in group.completions]


def outcomes_of(reward: BoundReward, group: Group, returned: list[Any]) -> list[Outcome]:
    """Converts the values that the reward function returned for a group to G outcomes, one for each completion."""
    size = len(group.completions)
    if reward.takes_group:
        (whole,) = returned
        returned = [NO_RESULT] * size if whole is NO_RESULT else list(whole)
        if len(returned) != size:
            raise RewardError(
                f"reward {reward.name} returned {len(returned)} scores for the {size} completions of {group.task.id}"
            )
    outcomes = []
    for member, value in enumerate(returned):
        if value is NO_RESULT:
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
        raise broken(reward, group, member, f"it returned {value!r}, expected a number, a Score or None") from error
    for name, number in (("", score.total), *score.parts.items()):
        if not math.isfinite(number):
            raise RewardError(
                f"reward {reward.name} returned {name and f'{name} '}{number} for {group.task.id}, completion {member}"
            )
    return score


def broken(reward: BoundReward, group: Group, member: int, reason: str) -> RewardError:
    # a function that is called once for a group fails for all its completions
    where = group.task.id if reward.takes_group else f"{group.task.id}, completion {member}"
    return RewardError(f"reward {reward.name} failed on {where}: {reason}")


def last_frames(error: Exception) -> str:
    """Returns the last frames of the reward function's code, one line each, without those of the engine. They are part
    of the message, because a traceback that crosses an actor's process is long and coloured."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename not in _OWN_FILES]
    lines = [f"\n  {frame.filename}:{frame.lineno} in {frame.name}: {frame.line}" for frame in frames]
    return "".join(lines[-_NUM_FRAMES:])
