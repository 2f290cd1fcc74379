"""Reconstructs a textured mesh from one photograph of a wheel-thrown vase, without a GPU or learned weights.

The steps find the silhouette, the axis, the camera, the profile and the handles, then build the texture and the mesh;
the code of each step is in a module of this folder. Not supported are shapes that aren't wheel-thrown (figure vases,
fragments), parts that a silhouette doesn't show (the wall's thickness, the back, handles in front or behind), and
photographs with a cluttered background.
"""

from dataclasses import dataclass

import numpy as np
import trimesh
from PIL import Image

from vaserl.meshes.lathe.atlas import lay_out
from vaserl.meshes.lathe.axis import find_axis, straighten
from vaserl.meshes.lathe.camera import CameraView, find_view
from vaserl.meshes.lathe.edges import body_edges
from vaserl.meshes.lathe.failure import LatheError
from vaserl.meshes.lathe.handles import find_handles
from vaserl.meshes.lathe.profile import profile_of
from vaserl.meshes.lathe.revolve import revolve
from vaserl.meshes.lathe.segment import segment
from vaserl.meshes.lathe.sweep import Tube, tube_of
from vaserl.meshes.lathe.texture import Exposure, paint_atlas
from vaserl.meshes.silhouette import fill_triangles, intersection_over_union

WORKING_SIDE = 448
"""Largest length in pixels of a photograph's longer side for measuring geometry; larger photographs are reduced.
Colours are taken from the photograph at full size."""
MAX_ASYMMETRY = 0.12
"""Largest accepted mean difference between the two sides of the body, without handles, relative to their mean half
width."""
MIN_IOU = 0.87
"""Smallest accepted intersection over union of the finished mesh's silhouette and the photograph's mask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatheResult:
    """A reconstructed vase."""

    mesh: trimesh.Trimesh
    """Textured, watertight mesh: Y up, the front towards +Z, standing on y = 0; the body is one unit high."""
    profile: np.ndarray
    """float64 [num_sections, 2] (radius, height) of the body's outside from foot to lip, in body heights."""
    tubes: tuple[Tube, ...]
    """The vase's handles as tubes; lengths are in body heights, x points to the right."""
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
    warnings: tuple[str, ...]
    """Reasons to check the mesh before using it."""

    @property
    def num_handles(self) -> int:
        """Number of handles."""
        return len(self.tubes)


def lathe(photo: np.ndarray, *, num_sections: int = 96, texture_size: tuple[int, int] = (512, 256)) -> LatheResult:
    """Reconstructs the vase in a photograph, uint8 [H, W, 3 or 4] (RGB, or RGBA with a transparent background).

    `num_sections` is the number of points of the profile; `texture_size` is (width, height) of the texture in pixels.

    Raises: LatheError with the reason when the photograph can't be reconstructed.
    """
    if num_sections < 16:
        raise ValueError(f"num_sections must be at least 16, got {num_sections}")
    small, scale = _reduced(photo)
    mask = segment(small)
    axis = find_axis(mask)
    upright = straighten(mask, axis)
    edges = body_edges(upright)
    if edges.asymmetry > MAX_ASYMMETRY:
        raise LatheError(
            f"not symmetric enough for a vessel of revolution: the sides differ by {edges.asymmetry:.0%} of the width"
        )
    view = find_view(edges.half_width)
    profile = profile_of(edges.half_width, view, num_sections)
    handles = find_handles(upright, edges.top, edges.half_width)
    exposure = Exposure(
        photo=photo[..., :3],
        mask=mask,
        scale=scale,
        axis=axis,
        first_row=edges.top - upright.shape[0] // 2,
        view=view,
    )
    atlas = lay_out(texture_size, len(handles))
    texture = paint_atlas(exposure, atlas, profile, handles)
    tubes = [tube_of(handle, exposure, profile) for handle in handles]
    mesh = revolve(profile, tubes, atlas, texture)
    silhouette = _seen(mesh, exposure)
    iou = intersection_over_union(silhouette, mask)
    if iou < MIN_IOU:
        raise LatheError(
            f"not a vessel of revolution: as one, its silhouette would overlap the real one by only {iou:.2f}"
        )
    return LatheResult(
        mesh=mesh,
        profile=profile,
        tubes=tuple(tubes),
        mask=mask,
        view=view,
        tilt_deg=axis.tilt_deg,
        silhouette=silhouette,
        silhouette_iou=iou,
        warnings=_warnings(mask, edges.asymmetry, iou, tubes),
    )


def _reduced(photo: np.ndarray) -> tuple[np.ndarray, float]:
    """Returns the photograph, reduced to `WORKING_SIDE` by area averaging if it is larger, and the scale factor."""
    if photo.ndim != 3 or photo.dtype != np.uint8:
        raise ValueError(f"expected a photograph of uint8 [H, W, 3 or 4], got {photo.dtype} {list(photo.shape)}")
    scale = min(1.0, WORKING_SIDE / max(photo.shape[:2]))
    if scale == 1.0:
        return photo, 1.0
    size = (max(1, round(photo.shape[1] * scale)), max(1, round(photo.shape[0] * scale)))
    return np.asarray(Image.fromarray(photo).resize(size, Image.Resampling.BOX)), scale


def _seen(mesh: trimesh.Trimesh, exposure: Exposure) -> np.ndarray:
    """Returns the mesh's silhouette from the photograph's estimated camera, bool [h, w]."""
    view, pixels = exposure.view, exposure.pixels
    across, height, towards = mesh.vertices.T
    centre = view.foot_row - height * (view.foot_row - view.mouth_row)
    row = centre + view.flatness(centre) * towards * pixels
    x, y = exposure.axis.to_photo(across * pixels, row + exposure.first_row)
    corners = np.stack([x, y], axis=1)[mesh.faces]
    one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    # the mesh is closed, so the triangles that face the camera cover the whole silhouette
    facing = one[:, 0] * other[:, 1] < one[:, 1] * other[:, 0]
    return fill_triangles(corners[facing], exposure.mask.shape)


def _warnings(mask: np.ndarray, asymmetry: float, iou: float, tubes: list[Tube]) -> tuple[str, ...]:
    found = []
    if mask[[0, -1]].any() or mask[:, [0, -1]].any():
        found.append("the vase touches the image's border")
    if asymmetry > MAX_ASYMMETRY / 3:
        found.append(f"the two sides differ by {asymmetry:.0%} of their width")
    if iou < 0.95:
        found.append(f"the model's silhouette overlaps the photograph's by only {iou:.2f}")
    if len(tubes) == 1:
        found.append("one handle was found; a second may be hidden in front of the body or behind it")
    return tuple(found)
