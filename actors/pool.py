"""A pool of actors of one class: starts them, distributes work to them round-robin, and collects the results in
order."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import ray
from ray.exceptions import ActorDiedError, GetTimeoutError, RayError, RayTaskError

from actors.placement import PlacementSlice
from vaserl.errors import UserError

START_TIMEOUT_S = 600.0
"""Time-out in seconds of a call that waits for an actor to load its model."""
CALL_TIMEOUT_S = 1800.0
"""Time-out in seconds of a call that does not wait for a model to load."""

_USER_ERRORS = "|".join(kind.__name__ for kind in (UserError, *UserError.__subclasses__()))
_RAISED = rf"^{UserError.__module__}\.(?:{_USER_ERRORS}): "
"""Start of the last line of a traceback that ends with a UserError."""

_T = TypeVar("_T")


class ActorPool:
    """Actors of one class, each on the resources (bundle) that a slice of a job's placement reserves for it.

    Work is distributed round-robin: actor k of N receives items k, k + N, k + 2N, … So the actor that processes an item
    does not depend on the actors' speed, and a run repeats exactly.
    """

    def __init__(
        self,
        actor: Any,
        place: PlacementSlice,
        arguments: Sequence[Any] = (),
        *,
        each: Sequence[Mapping[str, Any]] | None = None,
        environment: Mapping[str, str],
        timeout_s: float = CALL_TIMEOUT_S,
        timeout_setting: str = "",
        **options: Any,
    ):
        """Starts the actors without waiting for them.

        actor: class made by `ray.remote`. arguments: positional arguments for the constructor of every actor. each:
        keyword arguments for the constructor, one mapping for each actor. environment: environment variables of the
        actors' processes. timeout_s: time-out of calls to the actors. timeout_setting: key of the config that sets
        `timeout_s`, for the error message. options: further options of Ray.
        """
        self.name = place.name
        self._timeout_s, self._timeout_setting = timeout_s, timeout_setting
        request = place.request
        self.actors: list[Any] = [
            actor.options(
                num_cpus=request.num_cpus,
                num_gpus=request.num_gpus,
                scheduling_strategy=place.strategy(index),
                runtime_env={"env_vars": dict(environment)},
                **options,
            ).remote(*arguments, **keywords)
            for index, keywords in enumerate(each or [{}] * request.num_actors)
        ]

    def deal(self, items: Sequence[_T]) -> list[tuple[Any, Sequence[_T]]]:
        """Distributes items round-robin: returns (actor, its share of the items) for each actor with a share."""
        size = len(self.actors)
        return [(actor, items[index::size]) for index, actor in enumerate(self.actors) if items[index::size]]

    def collect(self, calls: Sequence[Any], call: str, num_items: int) -> list[Any]:
        """Blocks until calls on the shares of one `deal` return, and returns one result for each item, in the order of
        the items.

        calls: Ray references of the calls, one for each share, in the order of `deal`. Each call returns a list of one
        result for each item of its share. call: name of the method, for the error message.
        """
        results: list[Any] = [None] * num_items
        for index, share in enumerate(self.wait(calls, call)):
            results[index :: len(self.actors)] = share
        return results

    def wait(self, calls: Sequence[Any], call: str, timeout_s: float | None = None) -> list[Any]:
        """Blocks until calls to the actors return, and returns their results; see `wait_for`.

        timeout_s: time-out in seconds, None for the time-out of the pool.
        """
        seconds = self._timeout_s if timeout_s is None else timeout_s
        return wait_for(calls, self.name, call, seconds, setting="" if timeout_s else self._timeout_setting)


def wait_for(
    calls: Sequence[Any], pool: str, call: str, timeout_s: float = CALL_TIMEOUT_S, *, setting: str = ""
) -> list[Any]:
    """Blocks until calls to actors return, and returns their results.

    pool: name of the actors, for the error message. call: name of the method, for the error message. setting: name of
    the config key that sets the time-out, for the error message.

    Raises: TimeoutError when a result is missing after `timeout_s` seconds, and the error of a call that failed. A
    UserError that was raised in an actor is raised as it was, without the actor's traceback.
    """
    try:
        return ray.get(list(calls), timeout=timeout_s)
    except GetTimeoutError as error:
        hint = f" ({setting})" if setting else ""
        raise TimeoutError(f"the {pool} actors did not answer {call} within {timeout_s:g} s{hint}") from error
    except (RayTaskError, ActorDiedError) as error:
        if (mistake := _user_error(error)) is not None:
            raise mistake from None
        raise


def _user_error(error: RayError) -> UserError | None:
    """Returns the UserError that an actor raised in a call or in its constructor, None for any other error."""
    if isinstance(error, RayTaskError):
        return error.cause if isinstance(error.cause, UserError) else None
    # Ray keeps only the text of an error in a constructor; it ends with the error's type and message
    raised = re.split(_RAISED, str(error), flags=re.MULTILINE)
    return UserError(raised[-1].strip()) if len(raised) > 1 else None
