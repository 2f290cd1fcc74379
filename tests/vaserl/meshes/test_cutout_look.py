"""Tests how often the cut-out network looks at a photograph, with a network whose answers are given."""

import numpy as np
import pytest
import torch

from vaserl.meshes.cutout.predict import look_closely
from vaserl.meshes.cutout.views import VIEWS


class Answers:
    """A network that finds the vase in the middle half of each picture, and gives "side" the next of its answers."""

    def __init__(self, *sides: float) -> None:
        self.sides = list(sides)
        self.seen: list[np.ndarray] = []

    def __call__(self, picture: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.seen.append(picture[0].numpy())
        size = picture.shape[2]
        vase = torch.full((1, 1, size, size), -9.0)
        vase[..., size // 16 : -size // 16, size // 4 : -size // 4] = 9.0
        views = torch.full((1, len(VIEWS)), (1 - self.sides[len(self.seen) - 1]) / (len(VIEWS) - 1))
        views[0, VIEWS.index("side")] = self.sides[len(self.seen) - 1]
        return vase, views.log()


def photo() -> np.ndarray:
    return np.tile(np.arange(240, dtype=np.uint8)[None, :, None], (240, 1, 3))


@pytest.mark.parametrize("side", [0.1, 0.19, 0.51, 0.9])
def test_a_photograph_that_is_surely_a_side_view_or_none_is_looked_at_once(side):
    network = Answers(side)
    assert look_closely(network, photo()).views["side"] == pytest.approx(side)  # pyright: ignore[reportArgumentType]


def test_a_photograph_that_is_nearly_a_side_view_is_looked_at_four_times():
    network = Answers(0.4, 0.9, 0.7, 0.8)
    found = look_closely(network, photo())  # pyright: ignore[reportArgumentType]
    assert found.views["side"] == pytest.approx((0.4 + 0.9 + 0.7 + 0.8) / 4)
    assert sum(found.views.values()) == pytest.approx(1)
    whole, mirrored, around, closer = (picture[0] for picture in network.seen)
    assert np.allclose(mirrored, whole[:, ::-1], atol=0.02)
    # photograph, with edges continued by 0.12 of 240 pixels: its first 29 of 298 columns have one colour
    assert np.ptp(around[:, :20]) == 0 and np.ptp(around[:, 40:60]) > 0
    # the vase is 210 pixels high and lies in columns 60 to 179; with 0.25 of 210 around it, the first 8 are left out
    assert closer.min() > whole.min() + 0.03  # 8 of 255 levels, between -1 and 1
