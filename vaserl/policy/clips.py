"""A clip (the frames of a turntable video) before and after the vision tower: its input pixels, its output features."""

from dataclasses import dataclass, replace

import torch

from vaserl.policy.positions import VideoGrid

ClipView = tuple[str, int, tuple[int, int]]
"""An augmented clip: its content hash, the index of the frame shown first, and the shift (down, right) in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPixels:
    """A clip after the video processor: the vision tower's input."""

    patches: torch.Tensor
    """[number of patches, values of a patch] float32; a patch has channels · frames · height · width values."""
    patch_grid: tuple[int, int, int]
    """Number of patches in time, height and width, before the tower merges neighbouring patches."""
    seconds_per_patch: float
    """Seconds between two temporal patches."""
    grid: VideoGrid
    """Number of tokens in time, height and width, after merging; distance between two temporal patches."""

    def encoded(self, features: torch.Tensor) -> "ClipFeatures":
        """Returns this clip with the vision tower's output in place of its pixels. features: [tokens, hidden size]."""
        return ClipFeatures(
            features=features,
            patch_grid=self.patch_grid,
            seconds_per_patch=self.seconds_per_patch,
            grid=self.grid,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClipFeatures:
    """A clip after the vision tower: the language model's input."""

    features: torch.Tensor
    """[tokens, hidden size of the language model] output of the vision tower, in its precision."""
    patch_grid: tuple[int, int, int]
    """Number of patches in time, height and width, before the tower merges neighbouring patches."""
    seconds_per_patch: float
    """Seconds between two temporal patches."""
    grid: VideoGrid
    """Number of tokens in time, height and width, after merging; distance between two temporal patches."""

    def begun_later(self, num_patches: int) -> "ClipFeatures":
        """Returns the features of the same turntable video when it begins `num_patches` temporal patches later.

        The tower attends within a temporal patch only and encodes positions in height and width alone, so these are
        this clip's features in another order.
        """
        in_time = self.features.unflatten(0, (self.grid.time, -1))
        return replace(self, features=in_time.roll(-num_patches, 0).flatten(0, 1))


ClipInput = ClipPixels | ClipFeatures
"""A clip as pixels or as features; a policy accepts both."""
