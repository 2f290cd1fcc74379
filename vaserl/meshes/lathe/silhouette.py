"""Triangles -> silhouette, and how well two silhouettes agree."""

import numpy as np
from PIL import Image, ImageDraw


def fill_triangles(corners: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """bool [H, W]: the pixels that any of the triangles [F, 3, 2] (column, row) covers; pixel centres are integers."""
    canvas = Image.new("L", (shape[1], shape[0]))
    draw = ImageDraw.Draw(canvas)
    for triangle in np.round(corners, 2).reshape(len(corners), 6).tolist():
        draw.polygon(triangle, fill=255)
    return np.asarray(canvas) > 0


def intersection_over_union(a: np.ndarray, b: np.ndarray) -> float:
    """1 for equal masks, 0 for disjoint or empty ones."""
    union = np.count_nonzero(a | b)
    return float(np.count_nonzero(a & b) / union) if union else 0.0
