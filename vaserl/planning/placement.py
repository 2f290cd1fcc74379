"""Decides which actor sits on which node and GPU, as Ray's strategy PACK does, and says what does not fit.

Ray sorts the bundles by size and fills one node after the other: it takes the largest bundle that is left, chooses the
node with the most room for it, and adds each further bundle that fits there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vaserl.planning.bundles import Bundle, Member, form_bundles
from vaserl.planning.requests import ActorRequest

_TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterNode:
    """One machine of a cluster, as Ray counts its resources."""

    name: str
    num_cpus: float
    num_gpus: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Place of one actor."""

    member: Member
    bundle: int
    """Index of the actor's bundle."""
    node: str
    """Name of the node."""
    gpus: tuple[int, ...]
    """Numbers of the actor's GPUs on the node, from 0. Ray may number the GPUs otherwise, but whoever shares a GPU here
    shares one there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seating:
    """Bundles of a job, and the place of each actor on a cluster."""

    bundles: tuple[Bundle, ...]
    seats: tuple[Seat, ...]
    """The actors that are placed, in the order of the requests."""
    unplaced: tuple[Bundle, ...]
    """Bundles for which no node has room; empty if everything fits."""


def seat_actors(requests: Mapping[str, ActorRequest], nodes: Sequence[ClusterNode]) -> Seating:
    """Returns the place of each actor that is asked for.

    Collective actors (learner ranks) are kept together on as few nodes as fit. If that leaves no room for the others,
    they are spread further. If nothing fits, the placement with the fewest parts is returned, with `unplaced`.
    """
    sizes = range(max((_most_per_node(r, nodes) for r in requests.values() if r.is_collective), default=1), 0, -1)
    tries = [_seated(form_bundles(requests, size), requests, nodes) for size in sizes[:1] or (1,)]
    for size in sizes[1:]:
        if not tries[-1].unplaced:
            break
        tries.append(_seated(form_bundles(requests, size), requests, nodes))
    return tries[0] if tries[-1].unplaced else tries[-1]


def _most_per_node(request: ActorRequest, nodes: Sequence[ClusterNode]) -> int:
    """Returns the largest number of actors of a request for which some node has room."""

    def fits(node: ClusterNode) -> int:
        limits = [float(request.num_actors)]
        limits += [node.num_cpus / request.num_cpus] if request.num_cpus else []
        limits += [node.num_gpus / request.num_gpus] if request.num_gpus else []
        return int(min(limits) + _TOLERANCE)

    return max((fits(node) for node in nodes), default=0)


class _Room:
    """What is left of a node while bundles are placed on it."""

    def __init__(self, node: ClusterNode):
        self.name, self.num_cpus, self.num_gpus, self._next_gpu = node.name, node.num_cpus, node.num_gpus, 0

    def score(self, bundle: Bundle) -> float:
        """Returns Ray's score of this node for a bundle: the share of each resource that would be left, summed; below
        0 without room."""
        asked = [(bundle.num_cpus, self.num_cpus), (bundle.num_gpus, self.num_gpus)]
        # what is left of 2 - 1 - 0.8 - 0.1 is a little less than 0.1
        shares = [max(0.0, free - need) / free if free > 0 else 0.0 for need, free in asked if need]
        return sum(shares) if all(need <= free + _TOLERANCE for need, free in asked) else -1.0

    def take(self, index: int, bundle: Bundle) -> list[Seat]:
        """Places a bundle on this node, and returns the places of its actors."""
        self.num_cpus -= bundle.num_cpus
        self.num_gpus -= bundle.num_gpus
        seats = []
        for member in bundle.members:
            count = int(member.num_gpus)  # 0 for an actor that shares its GPU
            gpus = range(self._next_gpu, self._next_gpu + (1 if member.is_sharer else count))
            self._next_gpu += count
            seats.append(Seat(member=member, bundle=index, node=self.name, gpus=tuple(gpus)))
        self._next_gpu += any(member.is_sharer for member in bundle.members)
        return seats


def _seated(bundles: tuple[Bundle, ...], requests: Mapping[str, ActorRequest], nodes: Sequence[ClusterNode]) -> Seating:
    rooms = [_Room(node) for node in nodes]
    left = sorted(range(len(bundles)), key=lambda i: (-bundles[i].num_gpus, -bundles[i].num_cpus))
    seats: list[Seat] = []
    unplaced: list[Bundle] = []
    while left:
        first = bundles[left[0]]
        room = max(rooms, key=lambda room: room.score(first), default=None)
        if room is None or room.score(first) < 0:
            unplaced.append(bundles[left.pop(0)])  # the others are placed all the same, for the message
            continue
        rooms.remove(room)
        for index in [index for index in left if room.score(bundles[index]) >= 0]:
            if room.score(bundles[index]) >= 0:  # what was added before may have taken the room
                seats += room.take(index, bundles[index])
                left.remove(index)
    order = list(requests)
    seats.sort(key=lambda seat: (order.index(seat.member.role), seat.member.index))
    return Seating(bundles=bundles, seats=tuple(seats), unplaced=tuple(unplaced))
