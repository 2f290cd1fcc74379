"""Placement of a job's actors: reserves the resources of all actors at once, as one Ray placement group."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import ray
from ray._private.state import available_resources_per_node
from ray.util.placement_group import PlacementGroup, placement_group, placement_group_table, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from vaserl.errors import UserError
from vaserl.planning.bundles import Bundle
from vaserl.planning.placement import ClusterNode, seat_actors
from vaserl.planning.requests import ActorRequest
from vaserl.planning.shortfall import shortfall_words
from vaserl.settings import ClusterSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementSlice:
    """Part of a placement group: the bundle (reserved resources) of each actor of a class."""

    name: str
    """Name of the actors in messages, for example "rollout"."""
    group: PlacementGroup
    bundles: tuple[int, ...]
    """Index of the bundle of each actor. Several actors may have the same."""
    request: ActorRequest

    def strategy(self, index: int) -> PlacementGroupSchedulingStrategy:
        """Returns the scheduling strategy that places the actor with this index."""
        return PlacementGroupSchedulingStrategy(self.group, self.bundles[index])


@contextmanager
def placed(requests: Mapping[str, ActorRequest], settings: ClusterSettings) -> Iterator[dict[str, PlacementSlice]]:
    """Creates one placement group of all actors' bundles (reserved resources), as `seat_actors` groups them for the
    nodes of this cluster; the end of the `with` block removes it.

    Example:

        with placed({"rollout": actor_request(settings.rollout)}, settings.cluster) as placement:
            engines = RolloutPool(…, placement["rollout"], …)

    Yields: the slice for each request, by the request's name. Raises: UserError when the cluster has no room for all
    actors within the time-out; the message lists the requests, the resources of each node and the changes that fit.
    """
    bundles = _bundles_for(requests)
    group = placement_group([bundle.resources for bundle in bundles], strategy="PACK")
    try:
        if not _is_ready(group, settings.placement_timeout_s):
            raise UserError(_shortfall(requests, settings.placement_timeout_s))
        of_actor = {(m.role, m.index): index for index, bundle in enumerate(bundles) for m in bundle.members}
        yield {
            name: PlacementSlice(
                name=name,
                group=group,
                bundles=tuple(of_actor[name, index] for index in range(request.num_actors)),
                request=request,
            )
            for name, request in requests.items()
        }
    finally:
        remove_placement_group(group)


def check_size(requests: Mapping[str, ActorRequest], nodes: Sequence[Mapping[str, Any]]) -> None:
    """Raises UserError, with what each node has, if the actors can't be placed even when all nodes are idle.

    nodes: description of each node, as `ray.nodes` returns it.
    """
    there = [_cluster_node(node, node["Resources"]) for node in nodes]
    seats = seat_actors(requests, there)
    if seats.unplaced:
        lines = [f"  {node.name}: {node.num_cpus:g} CPU and {node.num_gpus:g} GPU" for node in there]
        raise UserError(
            "the job can't be placed on this cluster, even when it is idle.\n"
            f"{shortfall_words(seats, requests, there)}\nThe cluster's nodes:\n" + "\n".join(lines) + "\n"
            "If further nodes join by themselves, raise cluster.placement_timeout_s"
        )


def _bundles_for(requests: Mapping[str, ActorRequest]) -> tuple[Bundle, ...]:
    """Returns the bundles for what is free on each node now, or if that is not enough, for all that the nodes have:
    other jobs may end, and nodes may be added, within the time-out."""
    found = seat_actors(requests, _nodes(free=True))
    return (seat_actors(requests, _nodes(free=False)) if found.unplaced else found).bundles


def _nodes(*, free: bool) -> list[ClusterNode]:
    """Returns the nodes of the cluster with what they have, or with what is free of it."""
    available = available_resources_per_node()
    alive = [node for node in ray.nodes() if node["Alive"]]
    resources = [available.get(node["NodeID"], {}) if free else node["Resources"] for node in alive]
    return [_cluster_node(node, has) for node, has in zip(alive, resources, strict=True)]


def _cluster_node(node: Mapping[str, Any], resources: Mapping[str, float]) -> ClusterNode:
    return ClusterNode(
        name=node["NodeManagerAddress"], num_cpus=resources.get("CPU", 0), num_gpus=resources.get("GPU", 0)
    )


def _is_ready(group: PlacementGroup, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if placement_group_table(group)["state"] == "CREATED":
            return True
        time.sleep(0.05)
    return False


def _shortfall(requests: Mapping[str, ActorRequest], timeout_s: float) -> str:
    asked = {name: request for name, request in requests.items() if request.num_actors}
    each = {name: {"CPU": request.num_cpus, "GPU": request.num_gpus} for name, request in asked.items()}
    needed = _total([each[name] for name, request in asked.items() for _ in range(request.num_actors)])
    num_actors = sum(request.num_actors for request in asked.values())
    nodes = [node for node in ray.nodes() if node["Alive"]]
    lines = [
        f"the job could not be placed within {timeout_s:g} s.",
        f"  it asks for {_format(needed)} in {num_actors} actors: "
        + ", ".join(f"{r.num_actors} {name} of {_format(each[name])}" for name, r in asked.items()),
        f"  the cluster has {_format(_total([n['Resources'] for n in nodes]))} on {len(nodes)} nodes; "
        f"free now: {_format(ray.available_resources())}",
    ]
    lines += [f"    {node['NodeManagerAddress']}: {_format(node['Resources'])}" for node in nodes]
    all_nodes = _nodes(free=False)
    missing = shortfall_words(seat_actors(requests, all_nodes), requests, all_nodes)
    lines += [f"  {line}" for line in missing.splitlines()]
    lines.append(
        "  lower rollout.num_workers, rollout.num_cpus, learner.num_ranks or learner.num_cpus (or the num_gpus), "
        "raise cluster.num_cpus, or wait longer for nodes with cluster.placement_timeout_s"
    )
    return "\n".join(lines)


def _total(resources: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: sum((each.get(name, 0.0) for each in resources), 0.0) for name in ("CPU", "GPU")}


def _format(resources: Mapping[str, float]) -> str:
    return f"{resources.get('CPU', 0):g} CPU and {resources.get('GPU', 0):g} GPU"
