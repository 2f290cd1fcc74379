"""Compares a mesh with a photograph by cut-outs that the mesh's generator has not seen."""

from dataclasses import dataclass

import numpy as np
import trimesh
from scipy import ndimage

from vaserl.meshes.masks import components
from vaserl.meshes.second_cutout import SecondCutouts
from vaserl.meshes.silhouette import Silhouettes, fitted_mask, intersection_over_union

CLEAR_IOU = 0.92
"""Intersection over union from which on a mesh fits the photograph clearly: the second cut-out isn't needed, nor a
stricter check of the mesh alone. An ellipsoid as large as an amphora has 0.86."""
MIN_AGREEMENT = 0.85
"""Smallest intersection over union of the two cut-outs for a mesh that fits neither to be wrong, rather than the
photograph impossible to cut out."""
MIN_IOU_FOR_OPENINGS = 0.9
"""Smallest intersection over union of mesh and cut-out for the openings under handles to be compared."""
MIN_OPENINGS = 7.5e-3
"""Smallest area of a cut-out's openings, as a share of its filled area, that the mesh must have too."""
MIN_KEPT = 0.25
"""Smallest share of the area of a cut-out's openings that a mesh must have."""
_MIN_OFFSET = 0.25
"""Smallest distance of a gap's centre from the middle column, as a share of the mask's width."""
_MIN_OPENING = 2.5e-3
"""Smallest area of one opening, as a share of the filled mask's; smaller ones are highlights or ornament."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhotoComparison:
    """How well a mesh agrees with a photograph."""

    iou: float
    """Intersection over union of the silhouettes of mesh and photograph, for the cut-out that fits better; NaN if the
    mesh can't be compared."""
    lacks_openings: bool
    """True if backdrop shows between handles and body in the photograph, and the mesh has clay there."""
    are_alike: bool = True
    """False if the two cut-outs differ, so that at least one of them is wrong; True where one was enough."""

    @property
    def is_compared(self) -> bool:
        """False if the photograph can't be cut out."""
        return not np.isnan(self.iou)


def compare_with_photo(mesh: trimesh.Trimesh, photo: np.ndarray, min_iou: float) -> PhotoComparison:
    """Compares a mesh, Y up and its front towards +Z, with a photograph, uint8 [H, W, 3 or 4].

    The mesh must agree with one of two cut-outs by at least `min_iou`. If it agrees with neither, and these don't agree
    with each other, the photograph can't be cut out and shows nothing about the mesh.
    """
    silhouettes, cutouts = Silhouettes(mesh), SecondCutouts(photo)
    rows, iou = cutouts.from_rows, -1.0
    if rows is not None:
        iou, seen = silhouettes.best(rows)
        if iou >= MIN_IOU_FOR_OPENINGS and _lacks_openings(seen, fitted_mask(rows)):
            return PhotoComparison(iou=iou, lacks_openings=True)
    alike = True
    if iou < CLEAR_IOU:
        frame = cutouts.from_frame
        if frame is not None:
            iou = max(iou, silhouettes.best(frame)[0])
        alike = rows is not None and frame is not None and intersection_over_union(rows, frame) >= MIN_AGREEMENT
        if iou < min_iou and not alike:
            return PhotoComparison(iou=float("nan"), lacks_openings=False, are_alike=False)
    return PhotoComparison(iou=iou, lacks_openings=False, are_alike=alike)


def openings(mask: np.ndarray) -> float:
    """Returns the area of the gaps under pairs of handles in a mask, bool [H, W], relative to the filled mask's.

    Such a gap lies off the middle and has a counterpart on the other side. Holes without one are paint that was taken
    for backdrop, or the gap of a single handle, which is not counted.
    """
    filled = np.asarray(ndimage.binary_fill_holes(mask), bool)
    columns = np.flatnonzero(filled.any(axis=0))
    if not len(columns):
        return 0.0
    filled, holes = (part[:, columns[0] : columns[-1] + 1] for part in (filled, filled & ~mask))
    labels, areas = components(holes)
    large = [label for label in np.flatnonzero(areas >= _MIN_OPENING * filled.sum()) if label]
    middle = (holes.shape[1] - 1) / 2
    off = [k for k in large if abs(np.nonzero(labels == k)[1].mean() - middle) > _MIN_OFFSET * holes.shape[1]]
    gaps = np.isin(labels, off) if off else np.zeros(holes.shape, bool)
    counterparts = np.asarray(ndimage.binary_dilation(gaps[:, ::-1], iterations=3), bool)
    return float((gaps & counterparts).sum() / filled.sum())


def _lacks_openings(seen: np.ndarray, wanted: np.ndarray) -> bool:
    area = openings(wanted)
    filled = np.asarray(ndimage.binary_fill_holes(seen), bool)
    return area >= MIN_OPENINGS and (filled & ~seen).sum() < MIN_KEPT * area * filled.sum()
