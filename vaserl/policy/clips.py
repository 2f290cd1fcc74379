"""A clip on either side of the vision tower: pixels that it reads, features that it returns."""

from dataclasses import dataclass, replace

import torch

from vaserl.policy.positions import VideoGrid

ClipView = tuple[str, int, tuple[int, int]]
"""What is shown of a clip: its content hash, the index of the first frame, the shift (down, right) in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipPixels:
    """A clip after the video processor: the vision tower's input."""

    patches: torch.Tensor
    """[patches, channels · temporal patch · patch²] float32."""
    patch_grid: tuple[int, int, int]
    """Patches in time, height and width, before merging."""
    seconds_per_patch: float
    """Seconds between two temporal patches."""
    grid: VideoGrid
    """Tokens after merging, and the time between two temporal patches."""

    def encoded(self, features: torch.Tensor) -> "ClipFeatures":
        """Returns this clip as the vision tower encoded it. features: [tokens, H]."""
        return ClipFeatures(
            features=features,
            patch_grid=self.patch_grid,
            seconds_per_patch=self.seconds_per_patch,
            grid=self.grid,
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ClipFeatures:
    """A clip after the vision tower: all that the language model sees of it."""

    features: torch.Tensor
    """[tokens, H] in the tower's precision."""
    patch_grid: tuple[int, int, int]
    """Patches in time, height and width, before merging."""
    seconds_per_patch: float
    """Seconds between two temporal patches."""
    grid: VideoGrid
    """Tokens after merging, and the time between two temporal patches."""

    def begun_later(self, num_patches: int) -> "ClipFeatures":
        """Returns the features of this turn when it begins `num_patches` temporal patches later.

        The tower attends within a temporal patch only and encodes positions in height and width alone, so these are
        the present features in another order.
        """
        in_time = self.features.unflatten(0, (self.grid.time, -1))
        return replace(self, features=in_time.roll(-num_patches, 0).flatten(0, 1))


ClipInput = ClipPixels | ClipFeatures
"""A clip in either form that a policy accepts."""
