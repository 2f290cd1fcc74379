"""Types for a clip (the frames of a turntable video): as pixels, the vision tower's input, and as features, its
output."""

from dataclasses import dataclass, replace

import torch

from vaserl.policy.positions import VideoGrid

ClipView = tuple[str, int, tuple[int, int]]
"""An augmented clip: (content hash of the clip, index of the frame shown first, shift (down, right) in pixels)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPixels:
    """A clip as the video processor returns it: the vision tower's input."""

    patches: torch.Tensor
    """[number of patches, values of a patch] float32; a patch has channels · frames · height · width values."""
    patch_grid: tuple[int, int, int]
    """Number of patches in time, height and width, before the vision tower merges neighbouring patches into tokens."""
    seconds_per_patch: float
    """Time in seconds between the starts of consecutive temporal patches; a temporal patch is a few consecutive
    frames."""
    grid: VideoGrid
    """Number of tokens in time, height and width, after the vision tower has merged neighbouring patches."""

    def encoded(self, features: torch.Tensor) -> "ClipFeatures":
        """Returns this clip with the vision tower's output in place of its pixels.

        features: the vision tower's output, [tokens, hidden size of the language model].
        """
        return ClipFeatures(
            features=features,
            patch_grid=self.patch_grid,
            seconds_per_patch=self.seconds_per_patch,
            grid=self.grid,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClipFeatures:
    """A clip as the vision tower returns it: the language model's input."""

    features: torch.Tensor
    """[tokens, hidden size of the language model] output of the vision tower, in the tower's precision."""
    patch_grid: tuple[int, int, int]
    """Number of patches in time, height and width, before the vision tower merges neighbouring patches into tokens."""
    seconds_per_patch: float
    """Time in seconds between the starts of consecutive temporal patches; a temporal patch is a few consecutive
    frames."""
    grid: VideoGrid
    """Number of tokens in time, height and width, after the vision tower has merged neighbouring patches."""

    def begun_later(self, num_patches: int) -> "ClipFeatures":
        """Returns the features of the same turntable video, begun `num_patches` temporal patches later; the skipped
        patches come last.

        The vision tower attends within a temporal patch only and encodes no positions in time, so the result is this
        clip's features in another order.
        """
        in_time = self.features.unflatten(0, (self.grid.time, -1))
        return replace(self, features=in_time.roll(-num_patches, 0).flatten(0, 1))


ClipInput = ClipPixels | ClipFeatures
"""A clip as pixels or as features; the policy's forward pass accepts both."""
