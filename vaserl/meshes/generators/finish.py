"""Turns a generator's mesh into the finished mesh of the photographed vase, without adding parts to its shape.

Only the largest connected piece by area is kept, since smaller pieces beside a vase are noise. Small holes are closed,
but the mesh is never replaced by its convex hull. The number of faces is reduced. The mesh is turned upright with its
front towards +Z, scaled to unit height and placed on y = 0. Its colours are projected from the photograph.

Generators differ in which axis is up. Of the 24 rotations by right angles, the one is used whose silhouette agrees best
with the photograph. Front and back of a mesh have mirrored silhouettes. For a symmetric vase, the photograph can't
distinguish front from back, and the generator's own front is kept.
"""

import itertools

import numpy as np
import trimesh
from scipy import ndimage
from trimesh.visual.color import ColorVisuals

from vaserl.meshes.colour_space import linear_from_srgb
from vaserl.meshes.cutout.cutout import Cutout
from vaserl.meshes.generators.decimate import decimate
from vaserl.meshes.generators.generator import LiftFailure
from vaserl.meshes.part import VERTEX_COLOURS
from vaserl.meshes.silhouette import silhouette_iou

COARSE_FACES = 1500
"""Number of faces of the decimated copy whose silhouettes are compared with the photograph."""
_MARGIN = 0.015
"""Smallest gain in intersection over union for which another rotation replaces the generator's own orientation."""


def finish_mesh(surface: trimesh.Trimesh, cutout: Cutout, num_faces: int) -> trimesh.Trimesh:
    """Returns the finished mesh: cleaned, reduced to `num_faces` faces, upright and coloured from the photograph.

    Raises: LiftFailure when `surface`, the generator's mesh, is empty, flat or not finite.
    """
    if len(surface.faces) < 4 or not np.isfinite(surface.vertices).all():
        raise LiftFailure(f"unusable surface: {len(surface.faces)} faces, or vertices that are not finite numbers")
    solid = largest_piece(surface)
    trimesh.repair.fill_holes(solid)
    solid = decimate(solid, num_faces)
    trimesh.repair.fix_normals(solid)
    solid.apply_transform(upright(solid, cutout.mask))
    low, high = solid.bounds
    if high[1] - low[1] <= 1e-9:
        raise LiftFailure("the generator's surface is flat")
    solid.apply_translation([-(low[0] + high[0]) / 2, -low[1], -(low[2] + high[2]) / 2])
    solid.apply_scale(1 / (high[1] - low[1]))
    colours = projected_colours(solid, cutout)
    solid.visual = ColorVisuals(solid, vertex_colors=np.rint(colours * 255).astype(np.uint8))
    solid.vertex_attributes[VERTEX_COLOURS] = colours.astype(np.float32)
    return solid


def largest_piece(surface: trimesh.Trimesh) -> trimesh.Trimesh:
    """Returns the connected piece with the largest area, after merging equal vertices and removing zero-area and
    duplicate faces."""
    whole = trimesh.Trimesh(surface.vertices, surface.faces, process=False)
    whole.merge_vertices()
    whole.update_faces(whole.nondegenerate_faces())
    whole.update_faces(whole.unique_faces())
    labels = trimesh.graph.connected_component_labels(whole.face_adjacency, node_count=len(whole.faces))
    whole.update_faces(labels == np.argmax(np.bincount(labels, weights=whole.area_faces)))
    whole.remove_unreferenced_vertices()
    return whole


def upright(solid: trimesh.Trimesh, mask: np.ndarray) -> np.ndarray:
    """Returns the rotation by right angles, float64 [4, 4], after which the silhouette agrees best with the mask [H,
    W].

    If several rotations agree about equally well, as for front and back of a symmetric vase, the identity is preferred.
    """
    coarse = decimate(solid, COARSE_FACES)
    best, best_iou = np.eye(4), silhouette_iou(coarse, mask) + _MARGIN
    for turn in _right_turns():
        turned = coarse.copy()
        turned.apply_transform(turn)
        iou = silhouette_iou(turned, mask)
        if iou > best_iou + 1e-9:
            best, best_iou = turn, iou
    return best


def projected_colours(solid: trimesh.Trimesh, cutout: Cutout) -> np.ndarray:
    """Returns the colour of each of V vertices, float64 RGBA [V, 4] in linear light from 0 to 1, projected from the
    photograph without perspective.

    A photograph's pixels are sRGB, and glTF's vertex colours are linear: a renderer would brighten the photograph's.

    The bounding box of the mesh's silhouette is mapped to that of the vase in the photograph. A vertex that is hidden
    from the camera gets the colour of the surface in front of it, so the back shows the front's mirror image.
    """
    rows, columns = np.nonzero(cutout.mask)
    pixels = np.asarray(cutout.photo)
    low, high = solid.bounds
    across = (solid.vertices[:, 0] - low[0]) / max(high[0] - low[0], 1e-9)
    up = (solid.vertices[:, 1] - low[1]) / max(high[1] - low[1], 1e-9)
    column = np.rint(columns.min() + across * np.ptp(columns)).astype(int)
    row = np.rint(rows.max() - up * np.ptp(rows)).astype(int)
    row, column = _onto_the_vase(row, column, cutout.mask)
    return np.concatenate([linear_from_srgb(pixels[row, column] / 255), np.ones((len(row), 1))], axis=1)


def _onto_the_vase(row: np.ndarray, column: np.ndarray, mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Moves pixel positions to the nearest pixel that is at least two pixels inside the mask.

    The colours of pixels nearer to the outline are mixed with the background.
    """
    inner = np.asarray(ndimage.binary_erosion(mask, iterations=2), bool)
    inner = inner if inner.any() else mask
    nearest = np.asarray(ndimage.distance_transform_edt(~inner, return_distances=False, return_indices=True))
    at = nearest[:, np.clip(row, 0, mask.shape[0] - 1), np.clip(column, 0, mask.shape[1] - 1)]
    return at[0], at[1]


def _right_turns() -> list[np.ndarray]:
    """Returns the 24 rotations that map coordinate axes to coordinate axes, float64 [4, 4] each."""
    turns = []
    for axes in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            turn = np.zeros((3, 3))
            turn[range(3), axes] = signs
            if np.linalg.det(turn) > 0:
                turns.append(np.block([[turn, np.zeros((3, 1))], [np.zeros((1, 3)), np.ones((1, 1))]]))
    return turns
