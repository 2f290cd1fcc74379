"""Tests who sits where: bundles, nodes and GPUs of a job's actors, over cluster shapes."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaserl.errors import UserError
from vaserl.planning.bundles import form_bundles
from vaserl.planning.hardware import parse_cluster
from vaserl.planning.placement import ClusterNode, Seating, seat_actors
from vaserl.planning.requests import ActorRequest, actor_request
from vaserl.planning.seat_table import seats_in_words
from vaserl.planning.shortfall import shortfall_words
from vaserl.settings import LearnerSettings, RolloutSettings

Requests = dict[str, ActorRequest]


def asked(engines: int, ranks: int, *, of_engine: float = 1, of_rank: float = 1, of_encoder: float = 0) -> Requests:
    """Returns the requests of a training job, by the GPUs of an actor of each role."""
    return {
        "rollout": ActorRequest(num_actors=engines, num_cpus=2, num_gpus=of_engine),
        "reward": ActorRequest(num_actors=1, num_cpus=0.1),
        "learner": ActorRequest(num_actors=ranks, num_cpus=2, num_gpus=of_rank, is_collective=True),
        "features": ActorRequest(num_actors=1, num_cpus=0.1, num_gpus=of_encoder),
    }


def where(seating: Seating, role: str) -> list[tuple[str, tuple[int, ...]]]:
    """Returns (node, GPUs) of each actor of a role."""
    return [(seat.node, seat.gpus) for seat in seating.seats if seat.member.role == role]


def test_colocated_engine_and_rank_share_a_gpu_each():
    seating = seat_actors(asked(8, 8, of_engine=0.5, of_rank=0.4, of_encoder=0.1), parse_cluster("1x8xa100-80").nodes)
    assert not seating.unplaced
    assert where(seating, "rollout") == where(seating, "learner") == [("1", (gpu,)) for gpu in range(8)]
    assert where(seating, "features") == [("1", (0,))]
    # with fractions reserved one by one, Ray would put engines 0 and 1 on the same GPU
    shared = [bundle for bundle in seating.bundles if len(bundle.members) > 1]
    assert [bundle.num_gpus for bundle in shared] == [1.0] * 8
    assert [bundle.num_cpus for bundle in shared] == [4.1] + [4.0] * 7


def test_one_shared_gpu_leaves_the_rest_of_it_to_other_jobs():
    seating = seat_actors(asked(1, 1, of_engine=0.3, of_rank=0.2), parse_cluster("1x1xh200").nodes)
    assert [bundle.num_gpus for bundle in seating.bundles if "rollout" in {m.role for m in bundle.members}] == [0.5]


def test_small_engines_share_a_gpu_with_each_other_but_ranks_never():
    engines = {"rollout": ActorRequest(num_actors=4, num_cpus=1, num_gpus=0.5)}
    assert len(form_bundles(engines, 1)) == 2
    ranks = {"learner": ActorRequest(num_actors=4, num_cpus=1, num_gpus=0.25, is_collective=True)}
    assert len(form_bundles(ranks, 1)) == 4


def test_disaggregated_ranks_stay_on_one_node():
    nodes = parse_cluster("2x8xa100-80").nodes
    seating = seat_actors(asked(10, 6), nodes)
    assert not seating.unplaced
    assert len({node for node, _ in where(seating, "learner")}) == 1
    # 12 ranks need two nodes: one is filled
    seating = seat_actors(asked(4, 12), nodes)
    assert [node for node, _ in where(seating, "learner")] == ["1"] * 8 + ["2"] * 4
    assert where(seating, "rollout") == [("2", (4,)), ("2", (5,)), ("2", (6,)), ("2", (7,))]


def test_ranks_are_spread_where_they_leave_no_room_together():
    nodes = [ClusterNode(name=name, num_cpus=3, num_gpus=0) for name in "ab"]
    requests = {
        "rollout": ActorRequest(num_actors=2, num_cpus=2),
        "learner": ActorRequest(num_actors=2, num_cpus=1, is_collective=True),
    }
    seating = seat_actors(requests, nodes)
    assert not seating.unplaced
    assert {node for node, _ in where(seating, "learner")} == {"a", "b"}


def test_tensor_parallel_engine_has_its_gpus_on_one_node():
    nodes = [ClusterNode(name=name, num_cpus=16, num_gpus=3) for name in "ab"]
    seating = seat_actors(asked(2, 2, of_engine=2), nodes)
    assert not seating.unplaced
    assert where(seating, "rollout") == [("a", (0, 1)), ("b", (0, 1))]
    assert shortfall_words(
        seat_actors(asked(1, 1, of_engine=4), nodes), asked(1, 1, of_engine=4), nodes
    ).splitlines() == [
        "no room for 1 of 1 rollout",
        "rollout: 2 CPU and 4 GPU are needed on one node, but the largest has 16 CPU and 3 GPU",
        "no single change fits",
    ]


def test_shortfall_names_the_smallest_change():
    nodes = parse_cluster("2x8xa100-80").nodes
    words = shortfall_words(seat_actors(asked(6, 12), nodes), asked(6, 12), nodes)
    assert words.splitlines() == [
        "no room for 2 of 6 rollout",
        "fits with learner.num_ranks = 10 or rollout.num_workers = 4 or 1 more node of 96 CPU and 8 GPU",
    ]
    one = [ClusterNode(name="a", num_cpus=4, num_gpus=0)]
    cpus = {"rollout": ActorRequest(num_actors=1, num_cpus=5)}
    assert "fits with rollout.num_cpus = 4 or 1 more" not in shortfall_words(seat_actors(cpus, one), cpus, one)
    assert "fits with rollout.num_cpus = 4" in shortfall_words(seat_actors(cpus, one), cpus, one)


def test_seats_in_words_merges_equal_gpus():
    table = seats_in_words(asked(2, 2, of_engine=0.5, of_rank=0.5), parse_cluster("2x2xh100").nodes)
    assert table.splitlines() == [
        "node  GPU  actors",
        "1     0-1  rollout 0-1 (0.5 of a GPU) + learner 0-1 (0.5 of a GPU)",
        "1     -    reward 0 + features 0",
        "2          free",
    ]


def test_actor_request_of_a_divided_engine_needs_all_its_gpus():
    args = {"tensor_parallel_size": 2}
    with pytest.raises(UserError, match=r"rollout\.num_gpus = 0\.5.*over 2 GPUs.*Set rollout\.num_gpus = 2"):
        actor_request(RolloutSettings(num_gpus=0.5, engine_args=args))
    assert actor_request(RolloutSettings(num_gpus=2, engine_args=args)).num_gpus == 2
    with pytest.raises(UserError, match=r"learner\.num_gpus = 1\.5: an actor gets whole GPUs"):
        actor_request(LearnerSettings(num_gpus=1.5))
    with pytest.raises(UserError, match=r"rollout\.num_gpus = 2, but an engine uses one GPU"):
        actor_request(RolloutSettings(num_gpus=2))


@pytest.mark.parametrize("size", ["2", "two", 0, 2.0, True])
def test_actor_request_refuses_a_number_of_shards_that_is_none(size: object):
    with pytest.raises(UserError, match=r"rollout\.engine_args\.tensor_parallel_size = .*without quotes"):
        actor_request(RolloutSettings(num_gpus=2, engine_args={"tensor_parallel_size": size}))


def test_actor_request_refuses_what_ray_can_not_reserve():
    with pytest.raises(UserError, match=r"rollout\.num_gpus = -1: set 0 or more"):
        actor_request(RolloutSettings(num_gpus=-1))
    with pytest.raises(UserError, match=r"learner\.num_cpus = -1: set 0 or more"):
        actor_request(LearnerSettings(num_cpus=-1))
    with pytest.raises(UserError, match=r"learner\.num_cpus = 0: an actor without GPUs needs some CPU"):
        actor_request(LearnerSettings(num_cpus=0))


def test_actors_that_take_exactly_a_node_s_cpus_fit():
    requests = {  # those of the quick start; 2 - 1 - 0.8 - 0.1 is a little less than 0.1
        "rollout": ActorRequest(num_actors=1, num_cpus=0.8),
        "reward": ActorRequest(num_actors=1, num_cpus=0.1),
        "learner": ActorRequest(num_actors=2, num_cpus=0.5, is_collective=True),
        "features": ActorRequest(num_actors=1, num_cpus=0.1),
    }
    assert not seat_actors(requests, parse_cluster("1x0xcpux2").nodes).unplaced


@pytest.mark.parametrize("text", ["8x8", "0x8xh100", "1x8xv100", "1x0xh100", "2x0xcpu", "8 x 8 x h100x0", "1x2xcpux4"])
def test_parse_cluster_refuses_what_is_no_cluster(text):
    with pytest.raises(UserError, match="--cluster"):
        parse_cluster(text)


def test_parse_cluster_counts_cpus():
    assert parse_cluster("8x8xa100-80").num_cpus == 96
    assert parse_cluster("1x4xh200x64").num_cpus == 64
    assert [node.num_cpus for node in parse_cluster("2x0xcpux16").nodes] == [16, 16]


SHARES = st.sampled_from([0, 0.1, 0.25, 0.4, 0.5, 1])
CLUSTERS = st.lists(
    st.builds(ClusterNode, name=st.just(""), num_cpus=st.integers(1, 64), num_gpus=st.integers(1, 8)),
    min_size=1,
    max_size=16,
).map(lambda nodes: [dataclasses.replace(node, name=str(index)) for index, node in enumerate(nodes)])
JOBS_ASKED = st.builds(
    asked,
    st.integers(1, 20),
    st.integers(1, 20),
    of_engine=st.sampled_from([0, 0.25, 0.5, 1, 2, 4, 8]),
    of_rank=st.sampled_from([0, 0.25, 0.5, 1]),
    of_encoder=SHARES,
)


@settings(max_examples=40, deadline=None)
@given(requests=JOBS_ASKED, nodes=CLUSTERS)
def test_everything_is_placed_or_named_and_no_node_is_overfull(requests: Requests, nodes: list[ClusterNode]):
    seating = seat_actors(requests, nodes)
    placed = {(seat.member.role, seat.member.index) for seat in seating.seats}
    missing = {(m.role, m.index) for bundle in seating.unplaced for m in bundle.members}
    everyone = {(role, index) for role, request in requests.items() for index in range(request.num_actors)}
    assert placed | missing == everyone
    assert not placed & missing
    # a bundle is on one node, and an engine's GPUs with it
    for index in range(len(seating.bundles)):
        assert len({seat.node for seat in seating.seats if seat.bundle == index}) <= 1
    by_name = {node.name: node for node in nodes}
    used: dict[tuple[str, int], float] = {}
    for seat in seating.seats:
        assert all(gpu < by_name[seat.node].num_gpus for gpu in seat.gpus)
        for gpu in seat.gpus:
            used[seat.node, gpu] = used.get((seat.node, gpu), 0) + min(seat.member.num_gpus, 1)
    assert all(share <= 1 + 1e-6 for share in used.values())
    for node in nodes:
        cpus = sum(requests[seat.member.role].num_cpus for seat in seating.seats if seat.node == node.name)
        assert cpus <= node.num_cpus + 1e-6
    # no two ranks share a GPU
    if requests["learner"].num_gpus:
        ranks = where(seating, "learner")
        assert len(set(ranks)) == len(ranks)
    # whole ranks that fit on one node, if nothing else is asked for, are on one
    alone = {"learner": requests["learner"]}
    if requests["learner"].num_gpus in (0, 1) and not (only := seat_actors(alone, nodes)).unplaced:
        fits_on_one = any(
            node.num_cpus >= 2 * requests["learner"].num_actors
            and node.num_gpus >= requests["learner"].num_gpus * requests["learner"].num_actors
            for node in nodes
        )
        assert (len({seat.node for seat in only.seats}) == 1) == fits_on_one
    if seating.unplaced:
        words = shortfall_words(seating, requests, nodes)
        assert words.startswith("no room for ")
        assert all(role in words for role, _ in missing)


@settings(max_examples=15, deadline=None)
@given(more=st.integers(1, 20), share=st.sampled_from([0, 1, 2]), nodes=CLUSTERS)
def test_number_of_engines_changes_no_other_bundle(more: int, share: float, nodes: list[ClusterNode]):
    def others(engines: int):
        bundles = seat_actors(asked(engines, 4, of_engine=share), nodes).bundles
        return [bundle for bundle in bundles if bundle.members[0].role != "rollout"]

    few, many = asked(1, 4, of_engine=share), asked(1 + more, 4, of_engine=share)
    if not seat_actors(many, nodes).unplaced and not seat_actors(few, nodes).unplaced:
        assert sum(len(b.members) for b in others(1)) == sum(len(b.members) for b in others(1 + more)) == 6
    assert form_bundles(few, 4)[1:] == form_bundles(many, 4)[1 + more :]
