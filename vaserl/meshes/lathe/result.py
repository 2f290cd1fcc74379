"""What the lathe returns."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import trimesh

from vaserl.meshes.lathe.camera import CameraView
from vaserl.meshes.lathe.signs import Signs
from vaserl.meshes.lathe.sweep import Tube

VaseSide = Literal["front", "right", "back", "left"]
"""Side of a vase that a photograph shows; the right side is on the right of a photograph of the front."""
AZIMUTH_DEG: dict[VaseSide, float] = {"front": 0.0, "right": 90.0, "back": 180.0, "left": 270.0}
"""Azimuth of the camera for each side of the vase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedView:
    """What one of the photographs contributed."""

    index: int
    """Place of the photograph among those that were given, from 0."""
    side: VaseSide
    """Side of the vase that it shows."""
    num_handles: int
    """Number of handles beside the body in it."""
    silhouette_iou: float
    """Intersection over union of the mesh's silhouette from there and the vase's mask in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatheResult:
    """A reconstructed vase.

    `mask`, `view`, `tilt_deg`, `silhouette` and `silhouette_iou` belong to the first of the photographs.
    """

    mesh: trimesh.Trimesh
    """Textured, watertight mesh: Y up, the front towards +Z, standing on y = 0; the body is one unit high."""
    profile: np.ndarray
    """float64 [num_sections, 2] (radius, height) of the body's outside from foot to lip, in body heights."""
    tubes: tuple[Tube, ...]
    """The vase's handles as tubes, of which a column-krater's handle has three; lengths are in body heights, x points
    to the right."""
    mask: np.ndarray
    """bool [h, w] mask of the vase in the photograph; the photograph is first reduced to `WORKING_SIDE` if it is
    larger."""
    view: CameraView
    """Estimated camera of the photograph."""
    tilt_deg: float
    """Degrees by which the vase tilts to the right in the photograph; the mesh is upright."""
    silhouette: np.ndarray
    """bool [h, w] silhouette of the mesh from the estimated camera, in the same pixels as `mask`."""
    silhouette_iou: float
    """Intersection over union of `silhouette` and `mask`."""
    views: tuple[UsedView, ...]
    """The photographs that were used, in their order."""
    seen_share: float
    """Share of the wall's texture that a photograph shows, 0 to 1; the rest is invented."""
    signs: Signs
    """Signs that the mask or the model is wrong."""
    warnings: tuple[str, ...]
    """Reasons to check the mesh before using it."""

    @property
    def sides(self) -> tuple[VaseSide, ...]:
        """Side of the vase that each photograph that was used shows."""
        return tuple(view.side for view in self.views)

    @property
    def num_handles(self) -> int:
        """Number of handles."""
        return len({tube.handle for tube in self.tubes})
