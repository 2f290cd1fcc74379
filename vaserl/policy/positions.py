"""Rotary positions of a prompt with one video, computed by the engine's rule for learner and tests alike.

transformers continues the text after a clip at start + max(height, width); vLLM and the original release of
Qwen2.5-VL continue after the largest position used, which for a long clip is the temporal one. The two agree only
while a clip's temporal extent stays below its spatial one, and where they disagree training is silently off-policy.
So positions are computed here and passed to the learner explicitly.
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoGrid:
    """The token grid of a clip after the vision tower.

    Example: VideoGrid(time=2, height=4, width=4, temporal_interval=25.0) is 4 frames of 112 x 112 pixels, where a
    temporal patch lasts one second.
    """

    time: int
    """Number of temporal patches."""
    height: int
    """Number of rows of merged patches."""
    width: int
    """Number of columns of merged patches."""
    temporal_interval: float
    """Distance between two temporal patches in rotary position units: seconds per patch times the model's
    tokens_per_second."""

    @property
    def num_tokens(self) -> int:
        """Number of placeholder tokens that stand for the clip in a prompt."""
        return self.time * self.height * self.width


def temporal_interval(fps: float, temporal_patch_size: int, tokens_per_second: float) -> float:
    """Returns the distance, in rotary position units, between two consecutive temporal patches of a clip.

    The engine first rounds the seconds of a patch to float32, and so does this function: at 3 frames and 25 positions
    per second the fourth patch begins at 50; in float64 it would begin at 49.
    """
    seconds_per_patch = torch.tensor(temporal_patch_size / fps, dtype=torch.float32).item()
    return seconds_per_patch * tokens_per_second


def prompt_positions(num_tokens: int, video_start: int, grid: VideoGrid) -> torch.Tensor:
    """Computes the rotary positions of a prompt whose video placeholders begin at index `video_start`.

    Temporal positions are rounded down after the multiplication, as the engine does.

    Returns: [3, num_tokens] int64, for time, height and width.
    Raises: ValueError when the placeholders do not fit into the prompt.
    """
    video_end = video_start + grid.num_tokens
    if not 0 <= video_start <= video_end <= num_tokens:
        raise ValueError(f"a clip of {grid.num_tokens} tokens at {video_start} does not fit a prompt of {num_tokens}")
    before = torch.arange(video_start)
    # float64, because the engine multiplies in numpy's default precision before it rounds down
    time = (torch.arange(grid.time, dtype=torch.float64) * grid.temporal_interval).long()
    video = torch.stack(
        torch.meshgrid(time, torch.arange(grid.height), torch.arange(grid.width), indexing="ij")
    ).flatten(1)
    video = video + video_start
    after_start = int(video.max()) + 1 if grid.num_tokens else video_start
    after = torch.arange(num_tokens - video_end) + after_start
    return torch.cat([before.expand(3, -1), video, after.expand(3, -1)], dim=1)


def continue_positions(prefix: torch.Tensor, num_tokens: int) -> torch.Tensor:
    """Returns the positions, [3, num_tokens], of text that follows a prefix with the positions `prefix`: consecutive,
    from the prefix's largest position plus one."""
    start = int(prefix.max()) + 1 if prefix.numel() else 0
    return (torch.arange(num_tokens) + start).expand(3, -1)
