"""Tests that Ray places a job's actors as `seat_actors` says, on a cluster of two nodes with GPUs that don't exist."""

import subprocess
import sys
from pathlib import Path

import pytest

TWO_NODES = """
import ray
from ray.cluster_utils import Cluster
from actors.placement import placed
from actors.pool import ActorPool
from vaserl.planning.placement import ClusterNode, seat_actors
from vaserl.planning.requests import ActorRequest
from vaserl.settings import ClusterSettings

NAMES = ("first", "second")
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 8, "num_gpus": 4, "resources": {"first": 1}})
cluster.add_node(num_cpus=8, num_gpus=4, resources={"second": 1})
ray.init(address=cluster.address)

@ray.remote
class Sitter:
    def seat(self):
        return ray.get_runtime_context().get_node_id(), tuple(sorted(ray.get_gpu_ids()))

def seats(requests):
    with placed(requests, ClusterSettings(placement_timeout_s=60)) as placement:
        pools = {name: ActorPool(Sitter, place, environment={}) for name, place in placement.items()}
        return {name: pool.wait([a.seat.remote() for a in pool.actors], "seat", 120.0) for name, pool in pools.items()}

def asked(engines, ranks, of_engine, of_rank):
    return {
        "rollout": ActorRequest(num_actors=engines, num_cpus=0.5, num_gpus=of_engine),
        "reward": ActorRequest(num_actors=1, num_cpus=0.1),
        "learner": ActorRequest(num_actors=ranks, num_cpus=0.5, num_gpus=of_rank, is_collective=True),
    }

def groups(found):
    '''Which actors share a node, and which share a GPU, whatever the nodes and GPUs are called.'''
    on_node, on_gpu = {}, {}
    for actor, (node, gpus) in found.items():
        on_node.setdefault(node, set()).add(actor)
        for gpu in gpus:
            on_gpu.setdefault((node, gpu), set()).add(actor)
    def as_set(groups):
        return {frozenset(group) for group in groups.values()}
    return as_set(on_node), as_set(on_gpu)

nodes = [ClusterNode(name=name, num_cpus=8, num_gpus=4) for name in NAMES]
for requests in (asked(4, 4, 0.5, 0.4), asked(3, 4, 1, 1), asked(2, 3, 2, 1), asked(4, 4, 1, 1)):
    found = {(role, i): seat for role, all_of in seats(requests).items() for i, seat in enumerate(all_of)}
    predicted = {(s.member.role, s.member.index): (s.node, s.gpus) for s in seat_actors(requests, nodes).seats}
    gpus_only = lambda seats: {actor: seat for actor, seat in seats.items() if actor[0] != "reward"}
    print(requests["rollout"], found)
    assert groups(gpus_only(found)) == groups(gpus_only(predicted)), (found, predicted)
ray.shutdown()
cluster.shutdown()
print("as predicted")
"""


@pytest.mark.slow
def test_ray_places_actors_as_predicted():
    done = subprocess.run(
        [sys.executable, "-c", TWO_NODES],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "as predicted" in done.stdout, done.stdout + done.stderr
