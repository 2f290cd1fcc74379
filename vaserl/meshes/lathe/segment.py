"""Photograph -> mask of the vase: transparency where there is any, else whatever departs from a plain background.

The background may be white, grey or coloured, and may grade from side to side: a quadratic surface is fitted to the
frame's rim in CIELAB. From the rim the background spreads until an outline, however faint, stops it; what one encloses
is vase whatever its colour, so white ground on a pale backdrop stays whole, unless it is the very background again: a
gap under a handle. Between what surely is background and what surely is vase, a watershed on the colour gradient puts
the edge where the colour changes fastest, so a soft shadow goes to the background and a crisp lip doesn't. Cluttered
scenes are out of scope: they are refused.
"""

import numpy as np
from scipy import ndimage
from skimage.color import rgb2lab
from skimage.segmentation import watershed

from vaserl.meshes.lathe.failure import LatheError
from vaserl.meshes.lathe.masks import components, depth

MIN_SHARE = 0.01
"""Smallest part of the picture that a vase may cover."""
MAX_RIM_SPREAD = 9.0
"""Largest typical departure of the rim from the fitted background, in CIELAB units, for it to count as plain."""
MAX_CONTACT = 0.10
"""Longest contact with one side of the frame, as a share of the vase's own extent along it, that isn't a cut."""
LEAST_OUTLINE = 16.0
"""Sobel gradient in CIELAB, summed over its kernel, from which on an outline is believed where the background has no
grain; a step of one unit of lightness has 4."""
GRAIN_MARGIN = 2.5
"""An outline is so many times stronger than the steepest twentieth of the rim."""
MAX_SHADE = 0.92
"""Lightness below which, as a share of the background's, an enclosed patch of its hue may be a crisp shadow."""
MIN_HOLE_SHARE = 2.5e-3
"""Smallest gap between handle and body, as a share of the vase; smaller patches of background are highlights."""


def segment(photo: np.ndarray) -> np.ndarray:
    """bool [H, W]: where the vase is; the gap between a handle and the body is not vase.

    `photo` is uint8 [H, W, 3] or, with an alpha channel, [H, W, 4].

    Raises: LatheError when nothing is found, the background isn't plain or the frame cuts the vase.
    """
    if photo.ndim != 3 or photo.shape[2] not in (3, 4) or photo.dtype != np.uint8:
        raise ValueError(f"a photograph is uint8 [H, W, 3 or 4], not {photo.dtype} {list(photo.shape)}")
    if min(photo.shape[:2]) < 32:
        raise LatheError(f"the photograph has only {photo.shape[1]} x {photo.shape[0]} pixels")
    if photo.shape[2] == 4 and (photo[..., 3] < 128).mean() > MIN_SHARE:
        mask = photo[..., 3] >= 128
    else:
        mask = _departing_from_background(photo[..., :3])
    mask = _largest_component(np.asarray(ndimage.binary_opening(mask), bool))
    if mask.mean() < MIN_SHARE:
        raise LatheError("no vase found: hardly anything differs from the background")
    mask = _without_false_gaps(mask)
    refuse_cut(mask)
    return mask


def refuse_cut(mask: np.ndarray) -> None:
    """Does nothing for a vase that lies within the frame, but for a point of it that may touch.

    Raises: LatheError naming the side where the vase is cut.
    """
    width = max(int(mask.any(axis=0).sum()), 1)
    height = max(int(mask.any(axis=1).sum()), 1)
    sides = {"top": (mask[0], width), "bottom": (mask[-1], width), "left": (mask[:, 0], height)}
    sides["right"] = (mask[:, -1], height)
    cut = [name for name, (line, extent) in sides.items() if line.sum() > MAX_CONTACT * extent]
    if cut:
        raise LatheError(f"the frame cuts the vase at the {' and '.join(cut)}")


def _departing_from_background(photo: np.ndarray) -> np.ndarray:
    lab = rgb2lab(photo).astype(np.float32)
    background, spread = _fitted_background(lab)
    if spread > MAX_RIM_SPREAD:
        raise LatheError("the background is not plain")
    distance = np.linalg.norm(lab - background, axis=2)
    near, far = max(2.5, 2.5 * spread), max(9.0, 5.0 * spread)
    departing = distance > far
    if departing.mean() < MIN_SHARE:
        return departing
    far = max(far, 0.4 * float(np.percentile(distance[departing], 75)))
    surely_vase = distance > far
    lit = surely_vase & ~_like_a_shadow(lab, background)
    if lit.mean() > MIN_SHARE:
        surely_vase = lit
    smooth = ndimage.gaussian_filter(lab, (0.7, 0.7, 0))
    gradient = np.hypot(ndimage.sobel(smooth, axis=0), ndimage.sobel(smooth, axis=1)).max(axis=2)
    background_patches, vase_patches = _patches(gradient, distance, lab, background, near, int(surely_vase.sum()))
    surely_vase = np.asarray(ndimage.binary_opening(surely_vase), bool) & ~background_patches
    markers = np.zeros(distance.shape, np.int32)
    markers[background_patches] = 1
    markers[surely_vase | vase_patches] = 2
    return watershed(gradient, markers) == 2


def _patches(
    gradient: np.ndarray, distance: np.ndarray, lab: np.ndarray, background: np.ndarray, near: float, vase_area: int
) -> tuple[np.ndarray, np.ndarray]:
    """bool [H, W] twice: what surely is background, and what an outline encloses and surely is vase."""
    rim = _rim(gradient.shape)
    outline = max(LEAST_OUTLINE, GRAIN_MARGIN * float(np.percentile(gradient[rim], 95)))
    # opened, so that a gap of a pixel or two in the outline lets nothing through
    even = np.asarray(ndimage.binary_opening(gradient < outline), bool)
    labels, areas = components(even)
    outer = np.zeros(len(areas), bool)
    outer[np.unique(labels[rim & (distance < near)])] = True
    large = areas >= max(MIN_HOLE_SHARE * vase_area, 6)
    index = np.arange(len(areas))
    colour_apart = np.asarray(ndimage.median(distance, labels, index))
    darker = np.asarray(ndimage.median(lab[..., 0] / np.maximum(background[..., 0], 1.0), labels, index)) < MAX_SHADE
    shadows = np.asarray(ndimage.mean(_like_a_shadow(lab, background), labels, index)) > 0.5
    gaps = ~outer & large & (colour_apart < 0.56 * near)
    vase = ~outer & ~gaps & ~(darker & shadows) & (areas > 0)
    outer[0] = gaps[0] = vase[0] = False
    alike = distance < near
    # back into the corners that the opening and the outline's breadth have taken
    reached = ndimage.binary_dilation(
        (outer | gaps)[labels] & alike, np.ones((3, 3)), iterations=4, mask=alike & ~vase[labels]
    )
    return np.asarray(reached, bool), vase[labels]


def _rim(shape: tuple[int, ...]) -> np.ndarray:
    """bool [H, W]: the outermost fiftieth of the picture on each side."""
    band = max(2, round(0.02 * min(shape)))
    rim = np.ones(shape, bool)
    rim[band:-band, band:-band] = False
    return rim


def _fitted_background(lab: np.ndarray) -> tuple[np.ndarray, float]:
    """float32 [H, W, 3] the quadratic surface through the rim, and the rim's typical distance from it.

    Tukey's biweight forgets a handle that reaches into the rim.
    """
    height, width = lab.shape[:2]
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    rim = _rim((height, width))
    design, colour = terms[rim], lab[rim].astype(np.float64)
    residual = np.linalg.norm(colour - np.median(colour, axis=0), axis=1)
    coefficients = np.zeros((6, 3))
    for _ in range(6):
        scale = 4.0 * max(float(np.median(residual)), 0.5)
        weight = np.clip(1 - (residual / scale) ** 2, 0, None)
        coefficients = np.linalg.lstsq(design * weight[:, None], colour * weight[:, None], rcond=None)[0]
        residual = np.linalg.norm(colour - design @ coefficients, axis=1)
    return (terms @ coefficients).astype(np.float32), float(np.median(residual))


def _like_a_shadow(lab: np.ndarray, background: np.ndarray) -> np.ndarray:
    """bool [H, W]: the background's hue with at least half of its lightness left, and no darker."""
    ratio = lab[..., 0] / np.maximum(background[..., 0], 1.0)
    tint = np.linalg.norm(lab[..., 1:] - background[..., 1:] * ratio[..., None], axis=2)
    return (ratio > 0.5) & (ratio < 1.0) & (tint < 5.0)


def _largest_component(mask: np.ndarray) -> np.ndarray:
    labels, areas = components(mask)
    return labels == max(1, int(areas.argmax()))


def _without_false_gaps(mask: np.ndarray) -> np.ndarray:
    """Fills holes that can't be the gap under a handle: specks, and whatever crosses the middle of the body.

    The middle is the centre of the largest disc in the filled silhouette.
    """
    filled = np.asarray(ndimage.binary_fill_holes(mask), bool)
    deepest = depth(filled).max(axis=0)
    middle = int(np.argmax(deepest))
    band = max(1, round(0.2 * float(deepest.max())))
    labels, areas = components(filled & ~mask)
    fill = areas < max(MIN_HOLE_SHARE * mask.sum(), 6)
    fill[np.unique(labels[:, max(middle - band, 0) : middle + band + 1])] = True
    fill[0] = False
    return mask | fill[labels]
