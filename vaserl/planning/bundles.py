"""Groups a job's actors into bundles: the parts of a placement group, each of which Ray places whole on one node."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vaserl.planning.requests import ActorRequest

_ROUNDING = 4
"""Digits after the decimal point to which Ray rounds resources."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One actor in a bundle."""

    role: str
    """Name of the actors, for example "rollout"."""
    index: int
    """Number of the actor among those of its role, from 0."""
    num_gpus: float
    """GPUs reserved for the actor; a fraction if it shares its GPU."""

    @property
    def is_sharer(self) -> bool:
        """True if the actor gets a fraction of one GPU."""
        return 0 < self.num_gpus < 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """Actors that are placed on one node together, and the resources reserved for them."""

    members: tuple[Member, ...]
    num_cpus: float
    num_gpus: float

    @property
    def resources(self) -> dict[str, float]:
        """The bundle in Ray's form, without the key "GPU" if no GPU is needed."""
        return {"CPU": self.num_cpus, **({"GPU": self.num_gpus} if self.num_gpus else {})}


def form_bundles(requests: Mapping[str, ActorRequest], collective_size: int) -> tuple[Bundle, ...]:
    """Groups actors into bundles.

    Actors with fractions of a GPU share GPUs: each shared GPU is one bundle, so that Ray can't put two learner ranks
    on one GPU and none on the next. Actors of a collective role with whole GPUs, or without GPUs, are together in
    bundles of up to `collective_size`. Every other actor has a bundle of its own, so an engine's GPUs are on one node.
    """
    sharers = [m for m in _members(requests) if m.is_sharer]
    gpus = _shared_gpus(sharers, requests)
    # With one shared GPU, the rest of it stays free for other jobs. Of several, Ray would put two on the same GPU.
    bundles = [_bundle(gpu, requests, whole_gpu=len(gpus) > 1) for gpu in gpus]
    for role, request in requests.items():
        own = [m for m in _members({role: request}) if not m.is_sharer]
        size = max(1, collective_size) if request.is_collective else 1
        bundles += [_bundle(own[first : first + size], requests) for first in range(0, len(own), size)]
    return tuple(bundles)


def is_gpu_shared(requests: Mapping[str, ActorRequest], *roles: str) -> bool:
    """Returns True if some GPU is shared by actors of all of these roles."""
    sharers = [member for member in _members(requests) if member.is_sharer]
    return any(set(roles) <= {member.role for member in gpu} for gpu in _shared_gpus(sharers, requests))


def _members(requests: Mapping[str, ActorRequest]) -> list[Member]:
    return [
        Member(role=role, index=index, num_gpus=request.num_gpus)
        for role, request in requests.items()
        for index in range(request.num_actors)
    ]


def _bundle(members: Sequence[Member], requests: Mapping[str, ActorRequest], *, whole_gpu: bool = False) -> Bundle:
    return Bundle(
        members=tuple(members),
        num_cpus=round(sum(requests[member.role].num_cpus for member in members), _ROUNDING),
        num_gpus=1.0 if whole_gpu else round(sum(member.num_gpus for member in members), _ROUNDING),
    )


def _shared_gpus(sharers: Sequence[Member], requests: Mapping[str, ActorRequest]) -> list[list[Member]]:
    """Returns the actors of each shared GPU, on as few GPUs as are found."""
    # collective roles first, because they need the most GPUs; then large fractions before small ones
    ordered = sorted(sharers, key=lambda m: (not requests[m.role].is_collective, -m.num_gpus))
    fewest = max(
        [math.ceil(round(sum(m.num_gpus for m in ordered), _ROUNDING)), *_collective_counts(ordered, requests)]
    )
    for num_gpus in range(fewest, len(sharers) + 1):
        if (gpus := _dealt(ordered, num_gpus, requests)) is not None:
            return gpus
    raise AssertionError("every actor fits on a GPU of its own")


def _collective_counts(sharers: Sequence[Member], requests: Mapping[str, ActorRequest]) -> list[int]:
    return list(Counter(member.role for member in sharers if requests[member.role].is_collective).values())


def _dealt(ordered: Sequence[Member], num_gpus: int, requests: Mapping[str, ActorRequest]) -> list[list[Member]] | None:
    """Returns the actors of each of `num_gpus` GPUs, None if they don't fit. Each actor goes to the emptiest GPU, so
    engine 0 shares with rank 0, and engine 1 with rank 1."""
    gpus: list[list[Member]] = [[] for _ in range(num_gpus)]
    used = [0.0] * num_gpus
    for member in ordered:
        fitting = [
            index
            for index in range(num_gpus)
            if used[index] + member.num_gpus <= 1
            and not (requests[member.role].is_collective and any(m.role == member.role for m in gpus[index]))
        ]
        if not fitting:
            return None
        emptiest = min(fitting, key=lambda index: used[index])
        gpus[emptiest].append(member)
        used[emptiest] = round(used[emptiest] + member.num_gpus, _ROUNDING)
    return gpus
