"""Tests pools of actors: where they are placed, how work is distributed and collected, and the message of a
time-out."""

import os
import time
from collections.abc import Iterator

import pytest
import ray

from actors.placement import PlacementSlice, placed
from actors.pool import ActorPool
from vaserl.errors import RewardError, UserError
from vaserl.planning.requests import ActorRequest
from vaserl.settings import ClusterSettings


class Echo:
    def __init__(self, prefix: str, *, number: int = 0):
        self._prefix, self._number = prefix, number

    def repeat(self, items: list[str]) -> list[str]:
        return [f"{self._prefix}{self._number}:{item}" for item in items]

    def variable(self, name: str) -> str:
        return os.environ[name]

    def sleep(self) -> None:
        time.sleep(5)

    def refuse(self, kind: type[Exception]) -> None:
        raise kind("clip 7 has 8 frames:\nset data.num_frames to 8")


class Refusing:
    def __init__(self, kind: type[Exception]):
        raise kind("the model folder is empty:\nset model.path")

    def ready(self) -> None:
        raise AssertionError("never started")


RefusingActor = ray.remote(Refusing)
EchoActor = ray.remote(Echo)
REQUESTS = {
    "first": ActorRequest(num_actors=1, num_cpus=0.1),
    "none": ActorRequest(num_actors=0, num_cpus=0.1),
    "echo": ActorRequest(num_actors=3, num_cpus=0.2),
}


@pytest.fixture(scope="module")
def placement(cluster) -> Iterator[dict[str, PlacementSlice]]:
    with placed(REQUESTS, ClusterSettings()) as placement:
        yield placement


@pytest.fixture(scope="module")
def pool(placement) -> ActorPool:
    each = [{"number": number} for number in range(3)]
    return ActorPool(EchoActor, placement["echo"], ("e",), each=each, environment={"ECHO": "7"})


def test_placed_hands_out_consecutive_slices_by_name(placement):
    slices = {name: (place.bundles, place.request.num_actors) for name, place in placement.items()}
    assert slices == {"first": ((0,), 1), "none": ((), 0), "echo": ((1, 2, 3), 3)}
    assert {place.name for place in placement.values()} == set(REQUESTS)
    assert placement["echo"].strategy(2).placement_group_bundle_index == 3


def test_placed_without_room_states_request_and_resources(cluster):
    requests = {"rollout": ActorRequest(num_actors=2, num_cpus=50), "reward": ActorRequest(num_actors=1, num_cpus=0.5)}
    with pytest.raises(UserError) as raised, placed(requests, ClusterSettings(placement_timeout_s=0.2)):
        pass
    message = str(raised.value)
    assert "asks for 100.5 CPU and 0 GPU in 3 actors: 2 rollout of 50 CPU and 0 GPU, 1 reward of 0.5 CPU" in message
    assert "has 4 CPU and 0 GPU on 1 nodes" in message


@pytest.mark.parametrize("num_items", [0, 2, 7])
def test_actor_pool_deals_in_turn_and_collects_in_order(pool: ActorPool, num_items: int):
    items = [str(index) for index in range(num_items)]
    calls = [actor.repeat.remote(share) for actor, share in pool.deal(items)]
    assert len(calls) == min(num_items, 3)  # an actor without work is not called
    assert pool.collect(calls, "repeat", num_items) == [f"e{index % 3}:{index}" for index in range(num_items)]


def test_actor_pool_sets_the_environment_of_its_actors(pool: ActorPool):
    assert pool.wait([actor.variable.remote("ECHO") for actor in pool.actors], "variable") == ["7"] * 3


def test_actor_pool_timeout_names_pool_and_call(placement):
    own = ActorPool(
        EchoActor, placement["first"], ("e",), environment={}, timeout_s=0.5, timeout_setting="reward.timeout_s"
    )
    with pytest.raises(
        TimeoutError, match=r"^the first actors did not answer sleep within 0\.5 s \(reward\.timeout_s\)$"
    ):
        own.wait([own.actors[0].sleep.remote()], "sleep")
    # a deadline given with the call replaces the setting
    with pytest.raises(TimeoutError, match=r"within 0\.1 s$"):
        own.wait([own.actors[0].sleep.remote()], "sleep", 0.1)


@pytest.mark.parametrize("kind", [UserError, RewardError])
def test_actor_pool_raises_an_actors_user_error_as_it_was(pool: ActorPool, kind: type[Exception]):
    """Ray would raise the actor's coloured traceback of some 70 lines as the message of the error."""
    with pytest.raises(kind) as error:
        pool.wait([pool.actors[1].refuse.remote(kind)], "refuse")
    assert type(error.value) is kind
    assert str(error.value) == "clip 7 has 8 frames:\nset data.num_frames to 8"


def test_actor_pool_raises_a_constructors_user_error_as_it_was(placement):
    own = ActorPool(RefusingActor, placement["first"], (UserError,), environment={})
    with pytest.raises(UserError) as error:
        own.wait([own.actors[0].ready.remote()], "ready")
    assert str(error.value) == "the model folder is empty:\nset model.path"


def test_actor_pool_keeps_the_traceback_of_a_programming_error(pool: ActorPool):
    with pytest.raises(ray.exceptions.RayTaskError, match="in refuse"):
        pool.wait([pool.actors[1].refuse.remote(KeyError)], "refuse")
