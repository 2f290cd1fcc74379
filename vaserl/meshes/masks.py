"""Operations on masks: connected components and distance transforms."""

import numpy as np
from scipy import ndimage


def components(mask: np.ndarray, *, corners: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Returns the C connected components of a bool array: each element's label, int32, and the components' sizes, int64
    [1 + C].

    Labels start at 1. Elements outside all components have label 0, and their size is set to 0. With `corners`, pixels
    that touch only at a corner are connected too.
    """
    labels = np.empty(mask.shape, np.int32)
    ndimage.label(mask, np.ones((3,) * mask.ndim) if corners else None, output=labels)
    sizes = np.bincount(labels.ravel(), minlength=1)
    sizes[0] = 0
    return labels, sizes


def depth(mask: np.ndarray) -> np.ndarray:
    """Returns the distance of each pixel of the mask from the nearest pixel outside it, float64 [H, W]; 0 outside."""
    return np.asarray(ndimage.distance_transform_edt(mask), np.float64)


def nearest(mask: np.ndarray) -> np.ndarray:
    """Returns, for each pixel, the row and column of the nearest pixel inside the mask, int [2, H, W]."""
    return np.asarray(ndimage.distance_transform_edt(~mask, return_distances=False, return_indices=True))
