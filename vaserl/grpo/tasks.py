"""Drawing of a step's tasks: a pure function of (seed, step, refill), so a resumed run needs no saved state."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from vaserl.errors import UserError

_T = TypeVar("_T")


def draw_items(
    items: Sequence[_T], *, num_per_step: int, seed: int, step: int, refill: int = 0, stream: int = 0
) -> list[_T]:
    """Returns the `num_per_step` items that a step draws. Steps count from 1.

    The items form a stream of passes over all items, each pass in a new random order. Step k takes the k-th slice of
    the stream, so every item is drawn once before any is drawn twice. Each `refill` has a stream of its own: 0 for the
    first draw of a step, 1, 2, … for the tasks that replace some of those. stream: number of the kind of item, so that
    the orders of two kinds in one run are independent.

    Raises: UserError when there are no items.
    """
    if num_per_step and not items:
        raise UserError("there is nothing to train on: the data set is empty")
    first = (step - 1) * num_per_step
    drawn: list[_T] = []
    permutations: dict[int, np.ndarray] = {}
    for position in range(first, first + num_per_step):
        epoch, index = divmod(position, len(items))
        if epoch not in permutations:
            entropy = [seed, epoch, refill, stream] if stream else [seed, epoch, refill]
            permutations[epoch] = np.random.default_rng(entropy).permutation(len(items))
        drawn.append(items[permutations[epoch][index]])
    return drawn
