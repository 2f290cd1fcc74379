"""Conversion between sRGB, in which pictures are stored, and linear light, in which glTF has vertex colours and
factors. The transfer function is that of IEC 61966-2-1."""

import numpy as np


def linear_from_srgb(values: np.ndarray) -> np.ndarray:
    """Returns linear light, float64 from 0 to 1, of sRGB values from 0 to 1; any shape."""
    values = np.asarray(values, np.float64)
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def srgb_from_linear(values: np.ndarray) -> np.ndarray:
    """Returns sRGB values, float64 from 0 to 1, of linear light, which is clipped to the range from 0 to 1; any
    shape."""
    values = np.clip(np.asarray(values, np.float64), 0.0, 1.0)
    return np.where(values <= 0.0031308, values * 12.92, 1.055 * values ** (1 / 2.4) - 0.055)
