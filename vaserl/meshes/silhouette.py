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


class Silhouettes:
    """The silhouettes of a mesh from the front, centred and scaled to a longer side of S = `SILHOUETTE_SIDE` pixels;
    each camera elevation of `ELEVATIONS_DEG` is drawn when it is first needed."""

    def __init__(self, mesh: trimesh.Trimesh) -> None:
        self._mesh, self._is_closed = mesh, bool(mesh.is_watertight)
        self._drawn: dict[int, np.ndarray] = {}

    def best(self, photo_mask: np.ndarray) -> tuple[float, np.ndarray]:
        """Returns the largest intersection over union with a photograph's mask, bool [H, W], and the silhouette that
        has it, bool [2 S, 2 S].

        Scale and position are fitted, but proportions aren't: a mesh that is too slim gets a low value. From the middle
        elevation on, the search goes up or down while the value grows.

        Raises: ValueError for an empty mask.
        """
        wanted = fitted_mask(photo_mask)
        middle = len(ELEVATIONS_DEG) // 2
        found = {middle: intersection_over_union(self._at(middle), wanted)}
        for step in (-1, 1):
            index = middle + step
            while 0 <= index < len(ELEVATIONS_DEG):
                found[index] = intersection_over_union(self._at(index), wanted)
                if found[index] <= found[index - step]:
                    break
                index += step
            if len(found) > 2:
                break
        best = max(found, key=lambda index: found[index])
        return found[best], self._at(best)

    def _at(self, index: int) -> np.ndarray:
        if index not in self._drawn:
            self._drawn[index] = _silhouette(self._mesh, np.radians(ELEVATIONS_DEG[index]), self._is_closed)
        return self._drawn[index]


def silhouette_iou(mesh: trimesh.Trimesh, photo_mask: np.ndarray) -> float:
    """Returns the intersection over union of the mesh's silhouette from the front and a photograph's mask, bool [H, W];
    see `Silhouettes.best`.

    Raises: ValueError for an empty mask.
    """
    return Silhouettes(mesh).best(photo_mask)[0]


def _silhouette(mesh: trimesh.Trimesh, elevation: float, is_closed: bool) -> np.ndarray:
    x, y, z = mesh.vertices.T
    seen = np.stack([x, z * np.sin(elevation) - y * np.cos(elevation)], axis=1)
    seen -= (seen.min(axis=0) + seen.max(axis=0)) / 2
    seen *= (SILHOUETTE_SIDE - 1) / max(float(np.ptp(seen, axis=0).max()), 1e-9)
    corners = (seen + SILHOUETTE_SIDE)[mesh.faces]
    if is_closed:  # the triangles that face the camera cover all that the others do
        one, other = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
        corners = corners[one[:, 0] * other[:, 1] < one[:, 1] * other[:, 0]]
    return fill_triangles(corners, (2 * SILHOUETTE_SIDE, 2 * SILHOUETTE_SIDE))


def fitted_mask(mask: np.ndarray) -> np.ndarray:
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
