"""Two further cut-outs of a photograph, for judging models that another cut-out made. How they cut out shares no code
with the lathe's.

OpenCV's GrabCut (Rother, Kolmogorov and Blake, 2004) separates two mixtures of colours. Where vase and backdrop have
similar colours it is wrong, in a way that depends on where it starts. Hence there are two starts:

* from the backdrop of each row: the colours of the photograph's left and right edge, and what lies between the two. A
  backdrop of wall and table, or with a gradient, needs no other treatment, and gaps under handles are found. Paint in
  the backdrop's colour is lost.
* from the frame alone: all else may be the vase. Paint in the backdrop's colour is kept, and at times gaps and shadows.
"""

from functools import cached_property

import cv2
import numpy as np

from vaserl.meshes.masks import components
from vaserl.meshes.reduce import reduced
from vaserl.meshes.silhouette import SILHOUETTE_SIDE

CUTOUT_SIDE = SILHOUETTE_SIDE
"""Largest length in pixels of the photograph's longer side; larger photographs are reduced, since silhouettes are
compared at this size."""
MIN_COLOUR_CONTRAST = 4.0
"""Smallest distance in CIELAB units from the backdrop of a pixel that may be the vase's."""
MIN_SHARE, MAX_SHARE = 0.01, 0.95
"""Smallest and largest area of a cut-out, as a share of the photograph's; others are no vase's."""
_NUM_ITERATIONS = 3
_NUM_SMOOTHED = 9
"""Number of rows over which the median of the edges' colours is taken."""


class SecondCutouts:
    """The two cut-outs of a photograph, uint8 [H, W, 3 or 4]; each is made when it is first needed.

    If part of the photograph is transparent, both are the opaque part.
    """

    def __init__(self, photo: np.ndarray) -> None:
        small = reduced(photo, CUTOUT_SIDE)
        is_opaque = small[..., 3] >= 128 if small.shape[2] == 4 else np.ones(small.shape[:2], bool)
        self._opaque = is_opaque if is_opaque.mean() < 1 - MIN_SHARE else None
        self._rgb = np.ascontiguousarray(small[..., :3])

    @cached_property
    def from_rows(self) -> np.ndarray | None:
        """Mask of the vase, bool [h, w], started from the backdrop of each row; None if it can't be a vase's."""
        if self._opaque is not None:
            return _plausible(self._opaque)
        contrast = _contrast(self._rgb)
        start = np.where(contrast > _threshold(contrast), cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
        return _plausible(_grabcut(self._rgb, start))

    @cached_property
    def from_frame(self) -> np.ndarray | None:
        """Mask of the vase, bool [h, w], started from the frame alone; None if it can't be a vase's."""
        if self._opaque is not None:
            return _plausible(self._opaque)
        return _plausible(_grabcut(self._rgb, np.full(self._rgb.shape[:2], cv2.GC_PR_FGD, np.uint8)))


def _contrast(photo: np.ndarray) -> np.ndarray:
    """Returns the distance in CIELAB units of each pixel from the backdrop of its row, float32 [H, W]."""
    lab = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lab = cv2.GaussianBlur(lab, (0, 0), 1.0)
    band = _band(lab.shape)
    left, right = _edge_colours(lab[:, :band]), _edge_colours(lab[:, -band:])
    across = np.linspace(0, 1, lab.shape[1], dtype=np.float32)[None, :, None]
    backdrops = ((1 - across) * left + across * right, left, right)
    return np.min([np.linalg.norm(lab - colours, axis=2) for colours in backdrops], axis=0)


def _edge_colours(edge: np.ndarray) -> np.ndarray:
    """Returns the colour of each row at a photograph's edge, float32 [H, 1, 3]; `edge` is float32 [H, B, 3]."""
    rows = np.median(edge, axis=1)
    half = _NUM_SMOOTHED // 2
    padded = np.pad(rows, ((half, half), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _NUM_SMOOTHED, axis=0)
    return np.median(windows, axis=-1)[:, None].astype(np.float32)


def _threshold(contrast: np.ndarray) -> float:
    """Returns the contrast that separates vase and backdrop best, by Otsu's method."""
    scaled = np.clip(3 * contrast, 0, 255).astype(np.uint8)
    return max(MIN_COLOUR_CONTRAST, cv2.threshold(scaled, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)[0] / 3)


def _grabcut(photo: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Returns the foreground's largest connected component, bool [H, W].

    `start` has GrabCut's classes, uint8 [H, W]; its frame is replaced by certain backdrop.
    """
    band = _band(start.shape)
    classes = np.full(start.shape, cv2.GC_BGD, np.uint8)
    classes[band:-band, band:-band] = start[band:-band, band:-band]
    if np.count_nonzero(classes == cv2.GC_PR_FGD) < MIN_SHARE * classes.size:
        return np.zeros(start.shape, bool)
    cv2.setRNGSeed(0)  # GrabCut's k-means starts from random colours
    background, foreground = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.grabCut(
        cv2.cvtColor(photo, cv2.COLOR_RGB2LAB),
        classes,
        (0, 0, 1, 1),  # a rectangle that this mode ignores
        background,
        foreground,
        _NUM_ITERATIONS,
        cv2.GC_INIT_WITH_MASK,
    )
    labels, areas = components((classes == cv2.GC_FGD) | (classes == cv2.GC_PR_FGD))
    return labels == max(1, int(areas.argmax()))


def _plausible(mask: np.ndarray) -> np.ndarray | None:
    return mask if MIN_SHARE <= mask.mean() <= MAX_SHARE else None


def _band(shape: tuple[int, ...]) -> int:
    """Returns the width in pixels of the frame that counts as backdrop."""
    return max(2, round(0.02 * min(shape[:2])))
