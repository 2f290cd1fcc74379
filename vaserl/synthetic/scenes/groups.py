"""Rooms for several objects in one picture: rows, heaps, stacks, and one whole object beside those the frame cuts."""

import numpy as np

MAX_OBJECTS = 3
GROUPS = ("row", "heap", "stack", "cut")
_P_GROUPS = (0.35, 0.3, 0.2, 0.15)


def sample_groups(num: int, rng: np.random.Generator) -> np.ndarray:
    """Returns how the objects of `num` pictures are grouped, names of GROUPS, str [num]."""
    return rng.choice(GROUPS, num, p=_P_GROUPS)


def group_rooms(frames: np.ndarray, groups: np.ndarray, count: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns a rectangle for each object: left, top, width, height in pixels, float64 [N, MAX_OBJECTS, 4].

    Objects of larger numbers stand before the others. frames: rectangles of the pictures [N, 4]. groups: of GROUPS,
    str [N]. count: number of objects, int [N]; a single one has the whole frame.
    """
    num = len(frames)
    left, top, width, height = (frames[:, k, None].astype(np.float64) for k in range(4))
    order, few = np.arange(MAX_OBJECTS)[None], np.maximum(count, 1)[:, None]
    whole = np.ones((num, MAX_OBJECTS))
    part = width / few
    row = (left + order * part * rng.uniform(0.8, 1.0, (num, 1)), top * whole, part * whole, height * whole)
    share = rng.uniform(0.4, 0.7, (num, MAX_OBJECTS))
    # beside each other as well as overlapping: none hides another one wholly
    at_x = (
        order * np.where(rng.random((num, 1)) < 0.5, 1, np.maximum(few - 1, 1)) % few
        + rng.uniform(0, 0.8, (num, MAX_OBJECTS))
    ) / few
    at_y = np.sort(rng.random((num, MAX_OBJECTS)), axis=1)
    heap = (left + (1 - share) * width * at_x, top + (1 - share) * height * at_y, share * width, share * height)
    step = rng.uniform(0.4, 0.75, (num, 1))  # of an object's height, from each to the one below it
    tall = height / (1 + step * (few - 1))
    lean = width * rng.uniform(0, 0.12, (num, MAX_OBJECTS))
    stack = (left + lean, top + order * step * tall, 0.88 * width * whole, tall * whole)
    # the last one is whole; each other one is cut off at one side
    side = rng.choice([-1.0, 1.0], (num, 1)) * np.where(order % 2 == 0, 1, -1)
    beyond = np.where(order < few - 1, side * rng.uniform(0.3, 0.46, (num, MAX_OBJECTS)), -0.12 * side)
    big = rng.uniform(0.5, 0.75, (num, 1)) * whole
    cut = (left + width * (0.5 + beyond - big / 2), top + height * (1 - big) * at_y, big * width, big * height)
    kinds = np.stack([np.stack(rooms, axis=-1) for rooms in (row, heap, stack, cut)])
    chosen = kinds[[GROUPS.index(group) for group in groups], np.arange(num)]
    return np.where((count == 1)[:, None, None], frames[:, None].astype(np.float64), chosen)
