"""Tests the transform of texture coordinates that a GLB declares."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaserl.meshes.gltf.paints import Coordinates


@given(
    offset=st.tuples(st.floats(-3, 3), st.floats(-3, 3)),
    rotation=st.floats(-7, 7),
    scale=st.tuples(st.floats(-2, 2), st.floats(-2, 2)),
)
def test_coordinates_scale_then_rotate_then_shift(
    offset: tuple[float, float], rotation: float, scale: tuple[float, float]
) -> None:
    """Checks the transform against complex numbers. v counts downwards, so a counter-clockwise rotation of the
    coordinates is a multiplication by exp(-i rotation)."""
    uv = np.array([[0.0, 0.0], [1.0, 0.0], [0.3, 0.8]])
    moved = Coordinates(offset=offset, rotation=rotation, scale=scale).applied(uv)
    expected = (uv[:, 0] * scale[0] + 1j * uv[:, 1] * scale[1]) * np.exp(-1j * rotation) + complex(*offset)
    assert moved[:, 0] + 1j * moved[:, 1] == pytest.approx(expected)


def test_coordinates_reach_the_lower_left_quadrant_turned() -> None:
    """Checks the example of the extension's specification: the lower left quadrant, turned by 90 degrees."""
    moved = Coordinates(offset=(0.0, 1.0), rotation=math.pi / 2, scale=(0.5, 0.5)).applied(
        np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    )
    assert moved == pytest.approx(np.array([[0.0, 1.0], [0.0, 0.5], [0.5, 1.0]]))
