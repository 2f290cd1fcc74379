"""A narrow part that stands above the mouth in the middle: the knob of a lid, or a handle toward the camera that rises
above the lip, like a volute seen from its side.

The outline alone can't tell which. Another photograph that shows the rising handle from beside can.
"""

from dataclasses import replace

import numpy as np

from vaserl.meshes.lathe.camera import find_view
from vaserl.meshes.lathe.edges import MIN_RISE
from vaserl.meshes.lathe.measured import MeasuredVase

NARROW = 0.45
"""Largest width of the part above the mouth, as a share of the lip's width."""
STEP_SHARE = 0.03
"""Largest height within which the outline widens from the narrow part to the lip, as a share of the body's rows. A neck
widens to a shoulder over a larger height."""
LIP_SHARE = 0.35
"""Height below the top of the outline in which the lip is sought, as a share of the body's rows."""


def rows_above_mouth(half_width: np.ndarray) -> int:
    """Returns the number of rows above the mouth that a narrow part fills; 0 if there is none.

    `half_width` is float64 [N] in pixels, top row first.
    """
    num_rows = len(half_width)
    step = max(2, round(STEP_SHARE * num_rows))
    for row in range(round(MIN_RISE * num_rows), round(LIP_SHARE * num_rows)):
        lip = float(half_width[row + step])
        if half_width[: row + 1].max() <= NARROW * lip and half_width[row + step // 2] > NARROW * lip:
            return row + step // 2
    return 0


def without_part_above_mouth(vase: MeasuredVase) -> MeasuredVase:
    """Returns the vase measured anew without the narrow part above its mouth; the same vase if there is none."""
    cut = rows_above_mouth(vase.edges.half_width)
    if cut == 0:
        return vase
    edges = replace(vase.edges, top=vase.edges.top + cut, half_width=vase.edges.half_width[cut:])
    view = find_view(edges.half_width)
    exposure = replace(vase.exposure, first_row=vase.exposure.first_row + cut, view=view)
    handles = tuple(replace(outline, row=outline.row - cut) for outline in vase.handles)
    return replace(vase, edges=edges, view=view, exposure=exposure, handles=handles)


def rises_above_lip(vase: MeasuredVase) -> bool:
    """Returns whether a handle beside the body rises above the lip."""
    least = -MIN_RISE * len(vase.edges.half_width)
    return any(float(outline.row.min()) < least for outline in vase.handles)
