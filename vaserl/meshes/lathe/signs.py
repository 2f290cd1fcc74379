"""Signs that a mask or a model is wrong, which don't depend on how well the model agrees with its own mask.

Each is a pure function of what it names. `model_fault` compares them with thresholds, for the mesh gate. The thresholds
were chosen on the pictures to develop of docs/studies/real_photographs.tsv, so that no good model of these or of 80
synthetic vases is lost.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.color import rgb2lab

from vaserl.meshes.masks import depth, nearest

SAME_COLOUR = 4.0
"""Largest distance in CIELAB units of a pixel's colour from the backdrop beside the vase, for it to be the
backdrop's."""
RING_SHARE = 0.015
"""Width of the seam around the mask's edge that isn't compared, as a share of the photograph's longer side."""
FOOT_ROWS = 0.04
"""Distance of the row in which the foot is measured from the mask's lowest row, as a share of the mask's rows."""
PAINT_SHARE = 0.03
"""Standard deviation of the smoothing before two halves' paint is compared, as a share of the mask's rows. It removes
most of what figures differ in."""
MAX_BACKDROP_INSIDE = 0.15
"""Largest accepted `Signs.backdrop_inside`. Good models have up to 0.02, white-ground vases before white up to 0.08."""
MAX_RECTANGULARITY = 0.95
"""Largest accepted `Signs.rectangularity`. Straight cups have up to 0.87, pages 0.98."""
MIN_FOOT_WIDTH = 0.08
"""Smallest accepted `Signs.foot_width`. A ball has 0.39, a pointed amphora's toe 0.1; sherds stand on a corner."""
MAX_BODY_ASYMMETRY, MAX_LOWER_ASYMMETRY = 0.04, 0.02
"""Largest accepted asymmetries of body and lower part, of which one may be exceeded. Handles spoil the first on good
vases, but hardly the second; sherds and busts exceed both."""
MAX_LOWER_ASYMMETRY_ALONE = 0.09
"""Largest accepted asymmetry of the lower part of a mask without an opening. A mug's handle may reach down as far."""
MIN_SHARED_PROFILE = 0.65
"""Smallest accepted `Signs.shared_profile`. Thrown vessels have at least 0.77, straight-edged sherds up to 0.54."""
LOWER_ROWS = (0.6, 0.97)
"""First and last row of the lower part, as shares of the mask's rows; below it is the foot's curved edge."""
MIN_OPENING = 0.0025
"""Smallest area of the gaps of a handle, as a share of the mask's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """Measures of a photograph's mask and of the model, for a gate that doesn't trust the model's own mask."""

    backdrop_inside: float
    """Share of the mask whose colour is that of the nearest backdrop, 0 to 1; large when gaps or the backdrop were
    taken for the vase. NaN where the photograph has no backdrop to compare with."""
    outline_asymmetry: float
    """Share of the mask without a counterpart on the other side of the axis, 0 to 1; handles included."""
    body_asymmetry: float
    """Mean difference between the two sides of the body, without handles, relative to their mean half width."""
    lower_asymmetry: float
    """Share of the mask's lower part without a counterpart on the other side, 0 to 1, for the best axis nearby."""
    shared_profile: float
    """Share of what the two sides' profiles depart from straight lines that both have in common, 0 to 1; see
    `BodyEdges.shared_profile`. Small for broken edges."""
    has_opening: bool
    """True if the mask has gaps, as a handle that stands out sideways does."""
    paint_asymmetry: float
    """Mean distance in CIELAB units of smoothed colours from those mirrored at the axis."""
    rectangularity: float
    """Area of the mask, gaps filled, relative to its upright bounding box; 1 for a picture in the picture."""
    foot_width: float
    """Width of the mask just above its lowest row, relative to its largest width; small without a foot."""
    handles_elsewhere: int
    """Handles that another photograph of the vase shows in its image plane and this model lacks."""


def model_fault(signs: Signs) -> str:
    """Returns why the model is not to be believed, or "" if no sign speaks against it."""
    if signs.backdrop_inside > MAX_BACKDROP_INSIDE:
        return f"{signs.backdrop_inside:.0%} of what was taken for the vase has the backdrop's colour"
    if signs.rectangularity > MAX_RECTANGULARITY:
        return "what was taken for the vase is a rectangle: a page, or a picture in the picture"
    if signs.foot_width < MIN_FOOT_WIDTH:
        return "what was taken for the vase stands on a point: it has no foot"
    if signs.shared_profile < MIN_SHARED_PROFILE:
        return "the profiles of its two sides have little in common: broken edges, as of a sherd"
    is_crooked = signs.body_asymmetry > MAX_BODY_ASYMMETRY and signs.lower_asymmetry > MAX_LOWER_ASYMMETRY
    if is_crooked or (signs.lower_asymmetry > MAX_LOWER_ASYMMETRY_ALONE and not signs.has_opening):
        return (
            f"its two sides differ below the handles, by {signs.lower_asymmetry:.0%} of their area: a sherd, or "
            "nothing that was thrown on a wheel"
        )
    return ""


def backdrop_inside(photo: np.ndarray, mask: np.ndarray) -> float:
    """Returns the share of the mask, bool [H, W], whose colour in `photo`, uint8 [H, W, 3], is that of the nearest
    backdrop; NaN if the mask leaves no backdrop."""
    seam = max(2.0, RING_SHARE * max(mask.shape))
    backdrop = depth(~mask) > seam
    inner = depth(mask) > seam
    if not backdrop.any() or not inner.any():
        return float("nan")
    lab = ndimage.gaussian_filter(rgb2lab(photo), (1.0, 1.0, 0.0))
    row, column = nearest(backdrop)
    alike = np.linalg.norm(lab - lab[row, column], axis=2) < SAME_COLOUR
    # single pixels of an ornament may have any colour
    patches = np.asarray(ndimage.binary_opening(alike & inner, np.ones((3, 3))), bool)
    return float(patches.sum() / inner.sum())


def mirror_asymmetry(upright: np.ndarray) -> float:
    """Returns the share of a mask without a counterpart on the other side of its middle column.

    `upright` is float32 [D, 2 R + 1] with the axis in the middle column.
    """
    vase = upright > 0.5
    return float((vase & ~vase[:, ::-1]).sum() / max(vase.sum(), 1))


def lower_asymmetry(upright: np.ndarray) -> float:
    """Returns the share of a mask's lower part without a counterpart on the other side, for the best axis nearby.

    `upright` is float32 [D, 2 R + 1] with the vase's axis near the middle column.
    """
    rows = np.flatnonzero((upright > 0.5).any(axis=1))
    if not len(rows):
        return 0.0
    first, last = (rows[0] + round(share * len(rows)) for share in LOWER_ROWS)
    lower = (upright > 0.5)[first:last]
    reach = max(1, round(0.03 * upright.shape[1]))
    lower = np.pad(lower, ((0, 0), (2 * reach, 2 * reach)))
    # a mask that is shifted by one column is mirrored at an axis half a column away
    without = [(lower & ~np.roll(lower[:, ::-1], shift, axis=1)).sum() for shift in range(-2 * reach, 2 * reach + 1)]
    return float(min(without) / max(lower.sum(), 1))


def has_opening(mask: np.ndarray) -> bool:
    """Tells whether the mask, bool [H, W], has gaps as large as a handle's."""
    filled = np.asarray(ndimage.binary_fill_holes(mask), bool)
    return bool((filled & ~mask).sum() > MIN_OPENING * mask.sum())


def paint_asymmetry(upright_photo: np.ndarray, upright: np.ndarray) -> float:
    """Returns the mean distance of smoothed colours from those mirrored at the middle column, in CIELAB units.

    `upright_photo` is uint8 [D, 2 R + 1, 3], `upright` its mask, float32 [D, 2 R + 1].
    """
    vase = upright > 0.5
    both = vase & vase[:, ::-1]
    if not both.any():
        return 0.0
    sigma = PAINT_SHARE * float(np.ptp(np.nonzero(vase)[0]))
    weight = ndimage.gaussian_filter(both.astype(np.float64), sigma)
    lab = rgb2lab(upright_photo) * both[..., None]
    smooth = ndimage.gaussian_filter(lab, (sigma, sigma, 0.0)) / np.maximum(weight, 1e-6)[..., None]
    return float(np.linalg.norm(smooth - smooth[:, ::-1], axis=2)[both].mean())


def rectangularity(mask: np.ndarray) -> float:
    """Returns the area of the mask, bool [H, W], gaps filled, relative to its upright bounding box."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return 0.0
    filled = np.asarray(ndimage.binary_fill_holes(mask), bool)
    return float(filled.sum() / ((np.ptp(rows) + 1) * (np.ptp(columns) + 1)))


def foot_width(half_width: np.ndarray) -> float:
    """Returns the body's half width just above its lowest row, relative to its largest.

    `half_width` is float64 [N], top row first.
    """
    row = len(half_width) - 1 - round(FOOT_ROWS * len(half_width))
    return float(half_width[max(row, 0)] / max(float(half_width.max()), 1e-9))
