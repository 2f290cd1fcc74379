"""Tests the transports of weights with fake engines and ranks: which of them a transport calls, in which order, and as
which member of the NCCL group."""

from collections.abc import Iterator
from typing import Any

import pytest
import ray

from actors.placement import placed
from actors.pool import ActorPool
from actors.publish import NcclTransport, ObjectStoreTransport, goes_by_transfer
from vaserl.planning.requests import ActorRequest
from vaserl.policy.weights import make_weights
from vaserl.settings import ClusterSettings, LearnerSettings, RolloutSettings


class Calls:
    """A fake engine or rank that records its calls."""

    def __init__(self):
        self._calls: list[tuple] = []

    def publish(self, weights) -> None:
        self._calls.append(("publish", weights.version, dict(weights.files)))

    def receive(self, weights, manifest) -> None:
        self._calls.append(("receive", weights.version, manifest))

    def open_transfer(self, address: str, port: int, *, first_rank: int = 0, num_ranks: int) -> None:
        self._calls.append(("open", address, port, first_rank, num_ranks))

    def send(self) -> None:
        self._calls.append(("send",))

    def calls(self) -> list[tuple]:
        return self._calls


CallsActor = ray.remote(Calls)


class Ranks:
    """A fake learner group with one rank: only the methods that a transport calls."""

    def __init__(self, actor: Any):
        self.actor = actor

    def meeting_point(self) -> tuple[str, int]:
        return "here", 29

    def manifest(self) -> tuple[str, ...]:
        return ("layer.weight",)

    def open_transfer(self, address: str, port: int, num_ranks: int) -> Any:
        return self.actor.open_transfer.remote(address, port, num_ranks=num_ranks)

    def send(self) -> list[Any]:
        return [self.actor.send.remote()]


@pytest.fixture
def pools(cluster) -> Iterator[tuple[ActorPool, ActorPool]]:
    """Returns pools of two fake engines and one fake rank."""
    requests = {
        "rollout": ActorRequest(num_actors=2, num_cpus=0.1),
        "learner": ActorRequest(num_actors=1, num_cpus=0.1),
    }
    with placed(requests, ClusterSettings()) as placement:
        yield tuple(ActorPool(CallsActor, place, environment={}) for place in placement.values())


def calls(pool: ActorPool) -> list[list[tuple]]:
    return pool.wait([actor.calls.remote() for actor in pool.actors], "calls")


def test_object_store_transport_gives_every_engine_the_files(pools):
    engines, _ = pools
    transport = ObjectStoreTransport()
    transport.connect(engines, 1)
    publishing = transport.submit(make_weights(4, {"adapter": b"ab"}), engines)
    engines.wait(publishing.calls, "publish")
    assert calls(engines) == [[("publish", 4, {"adapter": b"ab"})]] * 2
    assert (publishing.weights.version, publishing.sending) == (4, ())
    assert "put" in publishing.clock.seconds


def test_nccl_transport_opens_one_group_of_rank_0_and_every_shard(pools):
    engines, ranks = pools
    transport: Any = NcclTransport(Ranks(ranks.actors[0]))  # pyright: ignore[reportArgumentType]
    transport.connect(engines, 4)
    # member 0 is the learner's; two engines of four shards are members 1 to 4 and 5 to 8
    assert calls(ranks) == [[("open", "here", 29, 0, 9)]]
    assert calls(engines) == [[("open", "here", 29, 1, 9)], [("open", "here", 29, 5, 9)]]
    publishing = transport.submit(make_weights(7, {}), engines)
    engines.wait([*publishing.calls, *publishing.sending], "publish")
    assert calls(ranks)[0][1:] == [("send",)]
    assert [each[1:] for each in calls(engines)] == [[("receive", 7, ("layer.weight",))]] * 2


@pytest.mark.parametrize(
    ("learner", "num_gpus", "expected"),
    [
        (LearnerSettings(method="full", num_gpus=1), 1, True),
        (LearnerSettings(method="full", num_gpus=0.5), 0.5, False),  # the rank and the engine may share a GPU
        (LearnerSettings(method="full"), 0, False),
        (LearnerSettings(num_gpus=1), 1, False),  # an adapter is small
    ],
)
def test_goes_by_transfer_needs_a_whole_model_and_whole_gpus(learner: LearnerSettings, num_gpus: float, expected: bool):
    assert goes_by_transfer(learner, RolloutSettings(num_gpus=num_gpus)) == expected
