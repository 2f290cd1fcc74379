"""The table of who sits where on a cluster, as text."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from vaserl.planning.placement import ClusterNode, Seat, Seating, seat_actors
from vaserl.planning.requests import ActorRequest
from vaserl.planning.shortfall import shortfall_words


def seats_in_words(requests: Mapping[str, ActorRequest], nodes: Sequence[ClusterNode]) -> str:
    """Returns the table of who sits where, followed by what has no place and what would fit."""
    seating = seat_actors(requests, nodes)
    missing = shortfall_words(seating, requests, nodes)
    return "\n".join([seat_table(seating, nodes), *([missing] if missing else [])])


def seat_table(seating: Seating, nodes: Sequence[ClusterNode]) -> str:
    """Returns a line for each node and kind of actors on its GPUs: "node 1   GPU 0-7   rollout 0-7 + learner 0-7"."""
    rows = [("node", "GPU", "actors")]
    for node in nodes:
        seats = [seat for seat in seating.seats if seat.node == node.name]
        rows += [(node.name, gpus, who) for gpus, who in _lines(seats)] or [(node.name, "", "free")]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{name:{widths[0]}}  {gpus:{widths[1]}}  {who}" for name, gpus, who in rows)


def _lines(seats: Sequence[Seat]) -> list[tuple[str, str]]:
    """Returns (numbers of GPUs, the actors on them) of one node; GPUs whose actors have the same roles are one line."""
    on_gpu: dict[int, list[Seat]] = {}
    for seat in seats:
        for gpu in seat.gpus:
            on_gpu.setdefault(gpu, []).append(seat)
    lines = []
    for _, numbers in groupby(sorted(on_gpu), key=lambda gpu: [seat.member.role for seat in on_gpu[gpu]]):
        gpus = list(numbers)
        lines.append((_ranges(gpus), _actors(seat for gpu in gpus for seat in on_gpu[gpu])))
    without = [seat for seat in seats if not seat.gpus]
    return [*lines, ("-", _actors(without))] if without else lines


def _actors(seats: Iterable[Seat]) -> str:
    numbers: dict[str, list[int]] = {}
    shares: dict[str, float] = {}
    for seat in seats:
        numbers.setdefault(seat.member.role, []).append(seat.member.index)
        shares[seat.member.role] = seat.member.num_gpus
    return " + ".join(
        f"{role} {_ranges(sorted(set(those)))}{f' ({shares[role]:g} of a GPU)' if 0 < shares[role] < 1 else ''}"
        for role, those in numbers.items()
    )


def _ranges(numbers: Sequence[int]) -> str:
    """Returns sorted numbers as text: [0, 1, 2, 5] -> "0-2,5"."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else f"{run[0]}" for run in runs)
