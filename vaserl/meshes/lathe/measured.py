"""The vase in one photograph, measured: mask, axis, edges of the body, camera and handles."""

from dataclasses import dataclass

import numpy as np

from vaserl.meshes.lathe.axis import Axis, find_axis, straighten
from vaserl.meshes.lathe.camera import CameraView, find_view
from vaserl.meshes.lathe.edges import BodyEdges, body_edges
from vaserl.meshes.lathe.failure import LatheError
from vaserl.meshes.lathe.handle_outline import HandleOutline
from vaserl.meshes.lathe.handles import find_handles
from vaserl.meshes.lathe.texture import Exposure
from vaserl.meshes.lathe.vase_mask import vase_mask
from vaserl.meshes.reduce import reduced, reduced_mask

WORKING_SIDE = 448
"""Largest length in pixels of a photograph's longer side for measuring geometry; larger photographs are reduced.
Colours are taken from the photograph at full size."""
MAX_ASYMMETRY = 0.12
"""Largest accepted mean difference between the two sides of the body, without handles, relative to their mean half
width."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredVase:
    """The vase in one photograph, measured in pixels of the reduced photograph."""

    small: np.ndarray
    """uint8 [h, w, 3] reduced photograph."""
    mask: np.ndarray
    """bool [h, w] mask of the vase in the reduced photograph."""
    axis: Axis
    """Axis of rotation."""
    upright: np.ndarray
    """float32 [D, 2 R + 1] mask, rotated so that the axis is the middle column."""
    edges: BodyEdges
    """Outline of the body without handles."""
    view: CameraView
    """Estimated camera."""
    handles: tuple[HandleOutline, ...]
    """Handles beside the body, largest first."""
    exposure: Exposure
    """The photograph at full size with what is needed to look up colours."""

    @property
    def num_handles(self) -> int:
        """Number of handles beside the body."""
        return len({outline.handle for outline in self.handles})


def measure_vase(photo: np.ndarray, mask: np.ndarray) -> MeasuredVase:
    """Measures the vase in a photograph, uint8 [H, W, 3].

    `mask`, bool [H, W], is the vase's mask without the gaps under handles.

    Raises: LatheError with the reason when the photograph shows no upright vessel of revolution from the side;
    ValueError for arrays of other shapes.
    """
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.dtype != np.uint8:
        raise ValueError(f"expected a photograph of uint8 [H, W, 3], got {photo.dtype} {list(photo.shape)}")
    if mask.dtype != bool or mask.shape != photo.shape[:2]:
        raise ValueError(f"expected a mask of bool {list(photo.shape[:2])}, got {mask.dtype} {list(mask.shape)}")
    small = reduced(photo, WORKING_SIDE)
    found = vase_mask(reduced_mask(mask, WORKING_SIDE))
    axis = find_axis(found)
    upright = straighten(found, axis)
    edges = body_edges(upright)
    if edges.asymmetry > MAX_ASYMMETRY:
        raise LatheError(
            f"not symmetric enough for a vessel of revolution: the sides differ by {edges.asymmetry:.0%} of the width"
        )
    view = find_view(edges.half_width)
    exposure = Exposure(
        photo=photo,
        mask=found,
        scale=min(1.0, WORKING_SIDE / max(photo.shape[:2])),
        axis=axis,
        first_row=edges.top - upright.shape[0] // 2,
        view=view,
    )
    return MeasuredVase(
        small=small,
        mask=found,
        axis=axis,
        upright=upright,
        edges=edges,
        view=view,
        handles=tuple(find_handles(upright, edges)),
        exposure=exposure,
    )
