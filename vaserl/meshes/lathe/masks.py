"""The two questions asked of every mask: which pieces does it fall into, and how deep inside is each pixel."""

import numpy as np
from scipy import ndimage


def components(mask: np.ndarray, *, corners: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Connected pieces of a bool array: int32 labels of its shape, from 1, 0 outside; and int64 [1 + C] their sizes.

    The size of label 0 is given as 0. With `corners`, pixels that meet at a corner are connected.
    """
    labels = np.empty(mask.shape, np.int32)
    ndimage.label(mask, np.ones((3,) * mask.ndim) if corners else None, output=labels)
    sizes = np.bincount(labels.ravel(), minlength=1)
    sizes[0] = 0
    return labels, sizes


def depth(mask: np.ndarray) -> np.ndarray:
    """float64 [H, W]: distance of each pixel of the mask from the nearest one outside it; 0 outside."""
    return np.asarray(ndimage.distance_transform_edt(mask), np.float64)


def nearest(mask: np.ndarray) -> np.ndarray:
    """int [2, H, W]: row and column of the pixel of the mask that is nearest to each pixel."""
    return np.asarray(ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True))
