"""Refines a coarse mask at the photograph's resolution by GrabCut (Rother, Kolmogorov and Blake 2004).

Pixels far from the coarse outline are certain, and those of which the network is sure; GrabCut decides on the others.
Gaps under handles that the coarse mask fills are opened: even regions in the colour of the backdrop beside them, at
most shaded, with a sharp edge all around, of which the network isn't sure.
"""

import cv2
import numpy as np
from scipy import ndimage

REFINED_SIDE = 1024
"""Largest length in pixels of the longer side at which GrabCut works; larger photographs are reduced. Its time grows
with the number of pixels."""
BAND = 0.014
"""Width on either side of the coarse outline in which a pixel is uncertain, as a share of the vase's longer extent."""
NUM_ITERATIONS = 3
MIN_GAP = 2e-3
"""Smallest area of a gap that is opened, as a share of the mask's."""
MIDDLE = 0.2
"""Half width of the vertical band in which there are no gaps under handles, as a share of the radius of the mask's
largest disc; the band stands at this disc's centre."""
MAX_TINT = 5.0
"""Largest distance of a gap's colour from the backdrop's in a and b of CIELAB."""
GAP_SHADES = 0.6, 1.06
"""Smallest and largest lightness of a gap relative to the backdrop's."""
EDGE_CONTRAST = 12.0
"""Smallest distance in CIELAB units between a gap and what surrounds it."""
MIN_EDGE_SHARE = 0.85
"""Smallest share of a gap's edge that has `EDGE_CONTRAST` and is further than `MIN_HANDLE` from the outline. A pale
patch at the vase's outline, unlike a gap, has no handle between it and the backdrop."""
MIN_HANDLE = 0.004
"""Least width of a handle beyond which a gap is opened, as a share of the vase's longer extent."""
SURE_VASE = 0.9
"""Probability of "vase" from which on a pixel near the outline is certain: a pale glaze may have the backdrop's
colour."""
MAX_GAP_VASE = 0.97
"""Probability of "vase" from which on a pixel isn't opened as a gap's: a lamp's reflection may have the backdrop's
colour."""
MIN_UNSURE = 0.5
"""Smallest share of a gap's pixels that have less."""
MAX_SLOPE = 1.6
"""Largest change of colour from pixel to pixel within a gap, in CIELAB units."""


def refine_mask(photo: np.ndarray, vase: np.ndarray) -> np.ndarray:
    """Returns the vase's mask, bool [H, W], refined.

    photo: uint8 [H, W, 3]. vase: probability of "vase", float32 [H, W]; the coarse mask has at least 0.5, and is
    returned where it is empty or fills the photograph. The result is the same in each run and for each number of
    threads.
    """
    coarse = vase >= 0.5
    if not coarse.any() or coarse.all():
        return coarse
    height, width = coarse.shape
    scale = min(1.0, REFINED_SIDE / max(height, width))
    if scale < 1:
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(vase, size, interpolation=cv2.INTER_AREA)
        refined = _refined(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), small)
        return cv2.resize(refined.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR) >= 0.5
    return _refined(photo, vase)


def _refined(photo: np.ndarray, vase: np.ndarray) -> np.ndarray:
    mask = vase >= 0.5
    rows, columns = np.nonzero(mask)
    if len(rows) == 0:
        return mask
    extent = int(max(np.ptp(rows), np.ptp(columns))) + 1
    band = max(3, round(BAND * extent))
    margin = max(8, 4 * band)
    part = (
        slice(max(rows.min() - margin, 0), rows.max() + margin + 1),
        slice(max(columns.min() - margin, 0), columns.max() + margin + 1),
    )
    photo, coarse, sure = np.ascontiguousarray(photo[part]), mask[part], vase[part]
    inside, outside = (np.asarray(ndimage.distance_transform_edt(area)) for area in (coarse, ~coarse))
    trimap = np.where(coarse, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    trimap[(inside > band) | (sure >= SURE_VASE)] = cv2.GC_FGD
    trimap[(outside > band) | (sure <= 1 - SURE_VASE)] = cv2.GC_BGD
    gaps = _filled_gaps(photo, inside, outside > band, extent, sure < MAX_GAP_VASE)
    trimap[np.asarray(ndimage.binary_dilation(gaps, iterations=band), bool) & coarse] = cv2.GC_PR_FGD
    trimap[gaps] = cv2.GC_PR_BGD
    trimap[np.asarray(ndimage.binary_erosion(gaps, iterations=2), bool)] = cv2.GC_BGD
    refined = mask.copy()
    # GrabCut's colour models need certain pixels of both sides
    if (trimap == cv2.GC_BGD).any() and (trimap == cv2.GC_FGD).any():
        refined[part] = _grab_cut(photo, trimap)
    return refined


def _grab_cut(photo: np.ndarray, trimap: np.ndarray) -> np.ndarray:
    threads = cv2.getNumThreads()
    cv2.setNumThreads(1)
    cv2.setRNGSeed(0)  # GrabCut initialises its colour models by k-means from random pixels
    try:
        found, models = trimap.copy(), (np.zeros((1, 65)), np.zeros((1, 65)))
        cv2.grabCut(photo, found, (0, 0, 0, 0), *models, NUM_ITERATIONS, cv2.GC_INIT_WITH_MASK)
    finally:
        cv2.setNumThreads(threads)
    return (found == cv2.GC_FGD) | (found == cv2.GC_PR_FGD)


def _filled_gaps(
    photo: np.ndarray, inside: np.ndarray, backdrop: np.ndarray, extent: int, unsure: np.ndarray
) -> np.ndarray:
    """Returns the gaps under handles that the mask fills, bool [H, W]; `inside` is the distance from its outline, and
    `unsure` where it may be wrong, bool [H, W]."""
    mask = inside > 0
    lab = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    around = _continued(lab, backdrop, 0.06 * extent)
    shade = lab[..., 0] / np.maximum(around[..., 0], 1.0)
    alike = np.linalg.norm(lab[..., 1:] - around[..., 1:], axis=2) < MAX_TINT
    alike &= (shade > GAP_SHADES[0]) & (shade < GAP_SHADES[1]) & mask
    smooth = cv2.GaussianBlur(lab, (0, 0), 1.0)
    slope = np.linalg.norm(np.stack(np.gradient(smooth, axis=(0, 1))), axis=(0, 3))
    even = ndimage.binary_opening(alike & (slope < MAX_SLOPE), iterations=2)
    labels = np.zeros(mask.shape, np.int32)
    if ndimage.label(even, output=labels) == 0:
        return np.zeros_like(mask)
    large = np.bincount(labels.ravel()) > MIN_GAP * mask.sum()
    inner = np.asarray(ndimage.distance_transform_edt(np.asarray(ndimage.binary_fill_holes(mask))))
    middle, radius = np.unravel_index(int(inner.argmax()), inner.shape)[1], float(inner.max())
    large[np.unique(labels[:, max(round(middle - MIDDLE * radius), 0) : round(middle + MIDDLE * radius) + 1])] = False
    large[0] = False
    found = np.zeros_like(mask)
    for label in np.nonzero(large)[0]:
        region = np.asarray(ndimage.binary_dilation(labels == label, iterations=2), bool)
        if unsure[region & mask].mean() < MIN_UNSURE:
            continue
        if _edge_share(region & mask, lab, inside > MIN_HANDLE * extent) >= MIN_EDGE_SHARE:
            found |= region & alike
    return found


def _edge_share(region: np.ndarray, lab: np.ndarray, deep: np.ndarray) -> float:
    """Returns the share of the region's edge that is deep in the mask and near which the colour changes by
    `EDGE_CONTRAST`."""
    apart = np.linalg.norm(lab - np.median(lab[region], axis=0), axis=2).astype(np.float32)
    edge = region & ~np.asarray(ndimage.binary_erosion(region), bool)
    beyond = ndimage.grey_dilation(np.where(region, 0, apart), size=11)
    return float(((beyond > EDGE_CONTRAST) & deep)[edge].mean())


def _continued(lab: np.ndarray, known: np.ndarray, reach: float) -> np.ndarray:
    """Returns the colours of the known pixels, continued over the others by normalised convolution with a Gaussian of
    standard deviation `reach` pixels, float32 [H, W, 3].

    It is computed at a quarter of the size.
    """
    height, width = known.shape
    size = (max(1, width // 4), max(1, height // 4))
    weighted = np.dstack([lab * known[..., None], known]).astype(np.float32)
    blurred = cv2.GaussianBlur(cv2.resize(weighted, size, interpolation=cv2.INTER_AREA), (0, 0), max(reach / 4, 0.5))
    return cv2.resize(blurred[..., :3] / np.maximum(blurred[..., 3:], 1e-4), (width, height))
