"""Segments the vase in a photograph: by transparency if there is any, otherwise by a plain background.

The background may be white, grey or coloured, and may have a gradient: a quadratic surface in CIELAB is fitted to the
colours of the image's rim. The background region grows from the rim until it meets an outline, however faint. A region
that an outline encloses is part of the vase even if it is nearly as pale as the background, so a white-ground vase on a
pale background is found. Only an enclosed region in the background's own colour is a gap under a handle. Between
certain background and certain vase, a watershed on the colour gradient puts the edge where the colour changes fastest,
so a soft shadow becomes background and a sharp lip doesn't. Photographs with a cluttered background are rejected.
"""

import numpy as np
from scipy import ndimage
from skimage.color import rgb2lab
from skimage.segmentation import watershed

from vaserl.meshes.lathe.failure import LatheError
from vaserl.meshes.lathe.masks import components, depth

MIN_SHARE = 0.01
"""Smallest area of the vase, as a share of the image's area."""
MAX_RIM_SPREAD = 9.0
"""Largest median distance between the colours of the image's rim and the fitted background, in CIELAB units; above it,
the background isn't plain."""
MAX_CONTACT = 0.10
"""Largest length over which the vase may touch a side of the image, as a share of the vase's extent along this side;
beyond it, the image's border cuts the vase."""
LEAST_OUTLINE = 16.0
"""Smallest colour gradient of an outline on a background without grain. The gradient is computed by the unnormalised
Sobel operator in CIELAB, so a step of one unit of lightness has a gradient of 4."""
GRAIN_MARGIN = 2.5
"""Smallest colour gradient that counts as an outline, as a multiple of the background's grain. The grain is the 95th
percentile of the gradient along the image's border."""
MAX_SHADE = 0.92
"""Largest lightness of a sharp shadow, relative to the background. An enclosed region of the background's hue may be a
shadow only if it is darker."""
MIN_HOLE_SHARE = 2.5e-3
"""Smallest area of a gap between handle and body, as a share of the vase's area; smaller regions in the background's
colour are treated as highlights."""


def segment(photo: np.ndarray) -> np.ndarray:
    """Returns the vase's mask, bool [H, W], without the gaps between handles and body.

    `photo` is uint8 [H, W, 3] or, with an alpha channel, [H, W, 4].

    Raises: LatheError when no vase is found, the background isn't plain or the image's border cuts the vase.
    """
    if photo.ndim != 3 or photo.shape[2] not in (3, 4) or photo.dtype != np.uint8:
        raise ValueError(f"expected a photograph of uint8 [H, W, 3 or 4], got {photo.dtype} {list(photo.shape)}")
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
    """Checks that the vase lies within the image; contact with a side up to `MAX_CONTACT` is allowed.

    Raises: LatheError with the side at which the vase is cut.
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
    certain_vase = distance > far
    lit = certain_vase & ~_like_a_shadow(lab, background)
    if lit.mean() > MIN_SHARE:
        certain_vase = lit
    smooth = ndimage.gaussian_filter(lab, (0.7, 0.7, 0))
    gradient = np.hypot(ndimage.sobel(smooth, axis=0), ndimage.sobel(smooth, axis=1)).max(axis=2)
    background_patches, vase_patches = _patches(gradient, distance, lab, background, near, int(certain_vase.sum()))
    certain_vase = np.asarray(ndimage.binary_opening(certain_vase), bool) & ~background_patches
    markers = np.zeros(distance.shape, np.int32)
    markers[background_patches] = 1
    markers[certain_vase | vase_patches] = 2
    return watershed(gradient, markers) == 2


def _patches(
    gradient: np.ndarray, distance: np.ndarray, lab: np.ndarray, background: np.ndarray, near: float, vase_area: int
) -> tuple[np.ndarray, np.ndarray]:
    """Returns masks of the pixels that are certainly background and of those that are certainly vase, bool [H, W] each.

    A pixel is certainly vase if an outline encloses its region and this region is neither a gap under a handle nor a
    shadow.
    """
    rim = _rim(gradient.shape)
    outline = max(LEAST_OUTLINE, GRAIN_MARGIN * float(np.percentile(gradient[rim], 95)))
    # opening closes gaps of a pixel or two in the outline
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
    # dilation restores the corners that the opening and the outline's width removed
    reached = ndimage.binary_dilation(
        (outer | gaps)[labels] & alike, np.ones((3, 3)), iterations=4, mask=alike & ~vase[labels]
    )
    return np.asarray(reached, bool), vase[labels]


def _rim(shape: tuple[int, ...]) -> np.ndarray:
    """Returns the mask of the image's rim, bool [H, W]: a border on each side as wide as 2 % of the shorter side."""
    band = max(2, round(0.02 * min(shape)))
    rim = np.ones(shape, bool)
    rim[band:-band, band:-band] = False
    return rim


def _fitted_background(lab: np.ndarray) -> tuple[np.ndarray, float]:
    """Returns the background's colour at each pixel in CIELAB, float32 [H, W, 3], and the rim's median distance from
    it.

    The colour is a quadratic surface fitted to the image's rim. Pixels of a handle that extends into the rim are
    excluded by Tukey's biweight.
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
    """Returns the mask of pixels with the background's hue and between half and all of its lightness, bool [H, W]."""
    ratio = lab[..., 0] / np.maximum(background[..., 0], 1.0)
    tint = np.linalg.norm(lab[..., 1:] - background[..., 1:] * ratio[..., None], axis=2)
    return (ratio > 0.5) & (ratio < 1.0) & (tint < 5.0)


def _largest_component(mask: np.ndarray) -> np.ndarray:
    labels, areas = components(mask)
    return labels == max(1, int(areas.argmax()))


def _without_false_gaps(mask: np.ndarray) -> np.ndarray:
    """Returns the mask after filling the holes that can't be gaps under handles: small holes, and holes in the body's
    middle.

    The middle is a vertical band around the centre of the largest disc in the filled silhouette.
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
