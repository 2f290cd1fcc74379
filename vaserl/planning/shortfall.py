"""Says in words why a job does not fit on a cluster, and which single change would make it fit."""

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from vaserl.planning.placement import ClusterNode, Seating, seat_actors
from vaserl.planning.requests import COUNT_KEYS, ActorRequest

_MOST_CHANGES = 3
"""Most changes that a message lists."""
_MOST_NODES = 64
"""Most nodes that are tried in addition."""


def shortfall_words(seating: Seating, requests: Mapping[str, ActorRequest], nodes: Sequence[ClusterNode]) -> str:
    """Returns which actors have no place, what the largest node has, and the smallest changes that fit, a line each;
    "" if everything has a place."""
    if not seating.unplaced:
        return ""
    without = Counter(member.role for bundle in seating.unplaced for member in bundle.members)
    asked = {role: request.num_actors for role, request in requests.items()}
    lines = ["no room for " + ", ".join(f"{count} of {asked[role]} {role}" for role, count in without.items())]
    largest = max(nodes, key=lambda node: (node.num_gpus, node.num_cpus), default=None)
    most = max(seating.unplaced, key=lambda bundle: (bundle.num_gpus, bundle.num_cpus))
    if largest and (most.num_gpus > largest.num_gpus or most.num_cpus > largest.num_cpus):
        names = " and ".join(dict.fromkeys(member.role for member in most.members))
        lines.append(
            f"{names}: {most.num_cpus:g} CPU and {most.num_gpus:g} GPU are needed on one node, but the largest has "
            f"{largest.num_cpus:g} CPU and {largest.num_gpus:g} GPU"
        )
    changes = sorted(_fitting_changes(requests, nodes), key=lambda change: change[0])[:_MOST_CHANGES]
    lines.append(f"fits with {' or '.join(words for _, words in changes)}" if changes else "no single change fits")
    return "\n".join(lines)


def _fitting_changes(requests: Mapping[str, ActorRequest], nodes: Sequence[ClusterNode]) -> Iterator[tuple[float, str]]:
    """Yields (share by which something shrinks or grows, the change in words) of single changes with which all fits."""

    def fits(role: str, **change: float) -> bool:
        changed = {**requests, role: dataclasses.replace(requests[role], **change)}
        return not seat_actors(changed, nodes).unplaced

    for role, request in requests.items():
        key = COUNT_KEYS.get(role, role)
        count = _largest(request.num_actors - 1, lambda count, role=role: fits(role, num_actors=count))
        if count:
            yield 1 - count / request.num_actors, f"{key} = {count}"
        tenths = _largest(9, lambda tenths, role=role, r=request: fits(role, num_cpus=r.num_cpus * tenths / 10))
        if tenths and request.num_actors:
            cpus = request.num_cpus * tenths / 10
            yield 1 - tenths / 10, f"{key.partition('.')[0]}.num_cpus = {cpus:g}"
    if not nodes:
        return
    largest = max(nodes, key=lambda node: (node.num_gpus, node.num_cpus))

    def fits_without(spared: int) -> bool:
        more = (dataclasses.replace(largest, name=f"+{index}") for index in range(_MOST_NODES - spared))
        return not seat_actors(requests, [*nodes, *more]).unplaced

    if fits_without(0):
        more = _MOST_NODES - _largest(_MOST_NODES - 1, fits_without)
        kind = f"{largest.num_cpus:g} CPU and {largest.num_gpus:g} GPU"
        yield more / len(nodes), f"{more} more {'node' if more == 1 else 'nodes'} of {kind}"


def _largest(highest: int, fits: Callable[[int], bool]) -> int:
    """Returns the largest number from 1 to `highest` that fits, 0 if none does. What fits, fits with less too."""
    low = 0
    while low < highest:
        middle = (low + highest + 1) // 2
        low, highest = (middle, highest) if fits(middle) else (low, middle - 1)
    return low
