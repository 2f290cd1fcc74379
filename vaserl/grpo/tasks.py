"""Tasks of a step: a pure function of (seed, step, refill), so a resumed run needs no saved state to draw them."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from vaserl.errors import UserError

_T = TypeVar("_T")


def draw_items(items: Sequence[_T], *, num_per_step: int, seed: int, step: int, refill: int = 0) -> list[_T]:
    """Returns the `num_per_step` items of a step, counted from 1.

    Each pass over the items is a fresh permutation, and the steps cut the stream of passes into slices, so every item
    comes once before any comes twice. Each `refill` (from 1; 0 is the first draw of the step) uses the same slice of
    a stream of its own.

    Raises: UserError when there are no items.
    """
    if not items:
        raise UserError("there is nothing to train on: the data set is empty")
    first = (step - 1) * num_per_step
    drawn: list[_T] = []
    permutations: dict[int, np.ndarray] = {}
    for position in range(first, first + num_per_step):
        epoch, index = divmod(position, len(items))
        if epoch not in permutations:
            permutations[epoch] = np.random.default_rng([seed, epoch, refill]).permutation(len(items))
        drawn.append(items[permutations[epoch][index]])
    return drawn
