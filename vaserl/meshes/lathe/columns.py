"""The handles of a column-krater: two columns, one behind the other, that stand on the shoulder and carry a plate
at the lip.

From the front, one column hides the other, and the plate's width isn't visible. Both are assumed as in published
drawings.
"""

import numpy as np
from scipy import ndimage

from vaserl.meshes.lathe.handle_outline import HandleOutline

COLUMN_ASIDE = 0.085
"""Distance of a column's centre line from the plane through both handles, as a share of the body's rows. It is the mean
of four published drawings of column-kraters, which vary from 0.075 to 0.105."""
PLATE_HALF_WIDTH = 0.105
"""Half the width of a column-krater's plate, as a share of the body's rows; the mean of the same four drawings, which
vary from 0.09 to 0.13."""
MIN_PLATE_REACH = 0.02
"""Smallest distance that a plate reaches beyond its columns' middle, as a share of the body's rows; with less, the
columns end at the lip."""


def columns_of(
    piece: np.ndarray, gap: tuple[int, int], origin: tuple[int, int], num_rows: int, handle: int
) -> list[HandleOutline]:
    """Returns the two columns of a handle that ends under the lip, and its plate, if it has one.

    `piece`, bool [H, W], is the part of the silhouette beside the body. `gap` is the first row and the last row + 1 of
    the gap between the columns and the body, counted from the body's first row. `origin` is the body's first row and
    the axis' column in `piece`; `num_rows` is the number of the body's rows; `handle` is the handle's number.
    """
    first, last = gap
    rows, columns = np.nonzero(piece)
    rows, across = rows - origin[0], columns - origin[1]
    beside = [(row, across[rows == row]) for row in range(first, last) if (rows == row).any()]
    row = np.array([line for line, _ in beside], np.float64)
    centre = ndimage.gaussian_filter1d([float(run.mean()) for _, run in beside], 0.02 * num_rows, mode="nearest")
    radius = float(np.median([len(run) for _, run in beside])) / 2
    above = rows < first
    plate_row = float(np.median(rows[above])) if above.any() else float(first)
    columns_only = [
        HandleOutline(
            kind="column",
            handle=handle,
            across=np.concatenate([centre[:1], centre]),
            row=np.concatenate([[plate_row], row]),
            radius=np.full(len(row) + 1, radius),
            aside=side * COLUMN_ASIDE * num_rows,
        )
        for side in (-1.0, 1.0)
    ]
    outwards = 1.0 if centre[0] > 0 else -1.0
    reach = float(np.percentile(outwards * across[above], 98)) if above.any() else 0.0
    inner = abs(float(centre[0]))
    if reach < inner + MIN_PLATE_REACH * num_rows:
        return columns_only
    height = float(np.ptp(rows[above])) + 1
    plate = HandleOutline(
        kind="plate",
        handle=handle,
        across=outwards * np.linspace(inner, reach, 8),
        row=np.full(8, plate_row),
        radius=np.full(8, height / 2),
        half_breadth=PLATE_HALF_WIDTH * num_rows,
    )
    return [*columns_only, plate]
