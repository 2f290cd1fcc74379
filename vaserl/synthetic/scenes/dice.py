"""Random numbers of a batch of scenes: structure from numpy on the host, pixels from torch on the device."""

from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from torch.nn import functional as F


class Dice:
    """The random numbers of one batch; equal seeds give equal batches on the same device.

    What decides on shapes and subsets is sampled on the host, so that the device never has to be waited for. Every
    call below is one kernel: a batch takes thousands, and starting them is what limits a fast device.
    """

    def __init__(self, seed: Sequence[int], device: torch.device) -> None:
        self.host = np.random.default_rng(list(seed))
        self.device = device
        self._generator = torch.Generator(device).manual_seed(int(self.host.integers(2**62)))

    def uniform(self, low: float, high: float, *shape: int) -> torch.Tensor:
        """Returns uniform numbers, float32 of this shape."""
        return torch.empty(shape, device=self.device).uniform_(low, high, generator=self._generator)

    def normal(self, spread: float, *shape: int) -> torch.Tensor:
        """Returns normal numbers with mean 0, float32 of this shape."""
        return torch.empty(shape, device=self.device).normal_(0, spread, generator=self._generator)

    def each(self, low: float, high: float, num: int) -> torch.Tensor:
        """Returns a uniform number for each of `num` pictures, float32 [num, 1, 1, 1]."""
        return self.uniform(low, high, num, 1, 1, 1)

    def some(self, share: float, num: int) -> torch.Tensor:
        """Returns the numbers of a random subset of `num` pictures, int64 [K]; `share` is the probability of each."""
        return self.to_device(np.flatnonzero(self.host.random(num) < share))

    def flags(self, share: float, num: int) -> torch.Tensor:
        """Returns 1.0 for each picture of a random subset and 0.0 for the others, float32 [num, 1, 1, 1]."""
        return torch.empty(num, 1, 1, 1, device=self.device).bernoulli_(share, generator=self._generator)

    def to_device(self, array: np.ndarray) -> torch.Tensor:
        """Returns the array as a tensor on the device."""
        tensor = torch.from_numpy(np.ascontiguousarray(array))
        if self.device.type == "cuda":
            return tensor.pin_memory().to(self.device, non_blocking=True)
        return tensor.to(self.device)

    def constant(self, values: tuple[float, ...]) -> torch.Tensor:
        """Returns one number for each channel, float32 [C, 1, 1]; copied to the device once."""
        return _on_device(values, self.device)[:, None, None]

    def noise(self, num: int, channels: int, cells: int, side: int) -> torch.Tensor:
        """Returns smooth noise of unit variance at its nodes, float32 [num, channels, side, side]."""
        coarse = self.normal(1.0, num, channels, cells, cells)
        return F.interpolate(coarse, size=(side, side), mode="bicubic", align_corners=False)


@cache
def _on_device(values: tuple[float, ...], device: torch.device) -> torch.Tensor:
    # a copy from ordinary memory waits until the device has done all work before it
    return torch.tensor(values, device=device)
