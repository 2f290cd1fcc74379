"""Silhouettes of meshes, and their intersection over union with a photograph's mask."""

import numpy as np
import trimesh
from PIL import Image, ImageDraw

ELEVATIONS_DEG = (0.0, 4.0, 8.0, 12.0, 16.0, 20.0, 26.0)
"""Camera elevations in degrees that are tried, since the elevation in a photograph is unknown; the best agreement is
used."""
SILHOUETTE_SIDE = 160
"""Length in pixels to which the longer side of a silhouette is scaled before two silhouettes are compared."""


def fill_triangles(corners: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Returns a mask of the pixels inside F triangles, bool [H, W].

    `corners` is float [F, 3, 2]: (column, row) of each triangle's corners. A pixel's centre has integer coordinates.
    `shape` is (H, W).
    """
    canvas = Image.new("L", (shape[1], shape[0]))
    draw = ImageDraw.Draw(canvas)
    for triangle in np.round(corners, 2).reshape(len(corners), 6).tolist():
        draw.polygon(triangle, fill=255)
    return np.asarray(canvas) > 0


def intersection_over_union(a: np.ndarray, b: np.ndarray) -> float:
    """Returns the intersection over union of two masks: 1 for equal masks, 0 for disjoint or empty ones."""
    union = np.count_nonzero(a | b)
    return float(np.count_nonzero(a & b) / union) if union else 0.0


def silhouette_iou(mesh: trimesh.Trimesh, photo_mask: np.ndarray) -> float:
    """Returns the intersection over union of the mesh's silhouette from the front and a photograph's mask, bool [H, W].

    All camera elevations of `ELEVATIONS_DEG` are tried and the largest value is returned. Scale and position are
    fitted, but proportions aren't: a mesh that is too slim gets a low value.

    Raises: ValueError for an empty mask.
    """
    wanted = _fitted_mask(photo_mask)
    best = 0.0
    for elevation in np.radians(ELEVATIONS_DEG):
        x, y, z = mesh.vertices.T
        seen = np.stack([x, z * np.sin(elevation) - y * np.cos(elevation)], axis=1)
        seen -= (seen.min(axis=0) + seen.max(axis=0)) / 2
        seen *= (SILHOUETTE_SIDE - 1) / max(float(np.ptp(seen, axis=0).max()), 1e-9)
        corners = (seen + SILHOUETTE_SIDE)[mesh.faces]
        best = max(best, intersection_over_union(fill_triangles(corners, wanted.shape), wanted))
    return best


def _fitted_mask(mask: np.ndarray) -> np.ndarray:
    """Returns the mask centred and scaled to a longer side of S = `SILHOUETTE_SIDE` pixels, bool [2 S, 2 S]."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        raise ValueError("the photograph's mask is empty")
    cut = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    scale = SILHOUETTE_SIDE / max(cut.shape)
    size = (max(1, round(cut.shape[1] * scale)), max(1, round(cut.shape[0] * scale)))
    small = np.asarray(Image.fromarray((cut * 255).astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)) > 127
    canvas = np.zeros((2 * SILHOUETTE_SIDE, 2 * SILHOUETTE_SIDE), bool)
    top, left = SILHOUETTE_SIDE - size[1] // 2, SILHOUETTE_SIDE - size[0] // 2
    canvas[top : top + size[1], left : left + size[0]] = small
    return canvas
