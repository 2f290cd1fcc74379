"""Placement of a job's actors: reserves the resources of all actors at once, as one Ray placement group."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import ray
from ray.util.placement_group import PlacementGroup, placement_group, placement_group_table, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from vaserl.errors import UserError
from vaserl.settings import ClusterSettings, FeatureSettings, LearnerSettings, RewardSettings, RolloutSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class ActorRequest:
    """Resources to reserve for a number of actors of one class."""

    num_actors: int
    num_cpus: float
    """CPUs reserved for each actor."""
    num_gpus: float = 0
    """GPUs reserved for each actor."""

    @property
    def bundle(self) -> dict[str, float]:
        """Resources of one actor in Ray's form, without the key "GPU" if the actor needs no GPU."""
        return {"CPU": self.num_cpus, **({"GPU": self.num_gpus} if self.num_gpus else {})}


def actor_request(settings: RolloutSettings | RewardSettings | LearnerSettings | FeatureSettings) -> ActorRequest:
    """Returns the resources that a section of the settings reserves for its actors."""
    num_actors = settings.num_ranks if isinstance(settings, LearnerSettings) else settings.num_workers
    return ActorRequest(num_actors=num_actors, num_cpus=settings.num_cpus, num_gpus=settings.num_gpus)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementSlice:
    """Part of a placement group: consecutive bundles (reserved resources), one for each actor of a class."""

    name: str
    """Name of the actors in messages, for example "rollout"."""
    group: PlacementGroup
    first_bundle: int
    request: ActorRequest

    def strategy(self, index: int) -> PlacementGroupSchedulingStrategy:
        """Returns the scheduling strategy that places the actor with this index."""
        return PlacementGroupSchedulingStrategy(self.group, self.first_bundle + index)


@contextmanager
def placed(requests: Mapping[str, ActorRequest], settings: ClusterSettings) -> Iterator[dict[str, PlacementSlice]]:
    """Creates one placement group with a bundle (reserved resources) for each actor; the end of the `with` block
    removes it.

    Example:

        with placed({"rollout": actor_request(settings.rollout)}, settings.cluster) as placement:
            engines = RolloutPool(…, placement["rollout"], …)

    Yields: the slice for each request, by the request's name. Raises: UserError when the cluster has no room for all
    actors within the time-out; the message lists the requests and the resources of each node.
    """
    bundles = [request.bundle for request in requests.values() for _ in range(request.num_actors)]
    group = placement_group(bundles, strategy="PACK")
    try:
        if not _is_ready(group, settings.placement_timeout_s):
            raise UserError(_shortfall(requests, settings.placement_timeout_s))
        slices: dict[str, PlacementSlice] = {}
        first = 0
        for name, request in requests.items():
            slices[name] = PlacementSlice(name=name, group=group, first_bundle=first, request=request)
            first += request.num_actors
        yield slices
    finally:
        remove_placement_group(group)


def _is_ready(group: PlacementGroup, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if placement_group_table(group)["state"] == "CREATED":
            return True
        time.sleep(0.05)
    return False


def _shortfall(requests: Mapping[str, ActorRequest], timeout_s: float) -> str:
    asked = {name: request for name, request in requests.items() if request.num_actors}
    needed = _total([request.bundle for request in asked.values() for _ in range(request.num_actors)])
    num_actors = sum(request.num_actors for request in asked.values())
    nodes = [node for node in ray.nodes() if node["Alive"]]
    lines = [
        f"the job could not be placed within {timeout_s:g} s.",
        f"  it asks for {_format(needed)} in {num_actors} actors: "
        + ", ".join(f"{r.num_actors} {name} of {_format(r.bundle)}" for name, r in asked.items()),
        f"  the cluster has {_format(_total([n['Resources'] for n in nodes]))} on {len(nodes)} nodes; "
        f"free now: {_format(ray.available_resources())}",
    ]
    lines += [f"    {node['NodeManagerAddress']}: {_format(node['Resources'])}" for node in nodes]
    lines.append(
        "  lower rollout.num_workers, rollout.num_cpus, learner.num_ranks or learner.num_cpus (or the num_gpus), "
        "raise cluster.num_cpus, or wait longer for nodes with cluster.placement_timeout_s"
    )
    return "\n".join(lines)


def _total(resources: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: sum((each.get(name, 0.0) for each in resources), 0.0) for name in ("CPU", "GPU")}


def _format(resources: Mapping[str, float]) -> str:
    return f"{resources.get('CPU', 0):g} CPU and {resources.get('GPU', 0):g} GPU"
