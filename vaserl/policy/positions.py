"""Rotary positions of a prompt with one video, computed by the same rule as in the inference engine.

In transformers, the text after a clip begins at position start + max(height, width), where start is the position at
which the clip begins. In vLLM and the original release of Qwen2.5-VL, the text begins after the largest position in the
clip, which for a long clip is a temporal position. The two rules agree only while a clip's temporal extent is below its
spatial extent. Where they disagree, training is off-policy without any error. So positions are computed here and passed
to the learner's model explicitly.
"""

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class VideoGrid:
    """Token grid of a clip: the number of tokens that the vision tower makes from it in time, height and width.

    Example: VideoGrid(time=2, height=4, width=4, temporal_interval=25.0) is 4 frames of 112 x 112 pixels, where a
    temporal patch lasts one second.
    """

    time: int
    """Number of temporal patches; each is made from a few consecutive frames."""
    height: int
    """Number of rows of tokens in a temporal patch; a token is made from several neighbouring patches."""
    width: int
    """Number of columns of tokens in a temporal patch; a token is made from several neighbouring patches."""
    temporal_interval: float
    """Distance between two consecutive temporal patches in rotary position units: seconds per patch times the model's
    tokens_per_second."""

    @property
    def num_tokens(self) -> int:
        """Number of placeholder tokens for the clip in a prompt."""
        return self.time * self.height * self.width


def temporal_interval(fps: float, temporal_patch_size: int, tokens_per_second: float) -> float:
    """Returns the distance, in rotary position units, between two consecutive temporal patches of a clip.

    The engine first rounds the seconds per patch to float32, and so does this function. This matters: with patches of 2
    frames, 3 frames per second and 25 positions per second, the fourth patch begins at position 50, and with float64 it
    would begin at 49.
    """
    seconds_per_patch = torch.tensor(temporal_patch_size / fps, dtype=torch.float32).item()
    return seconds_per_patch * tokens_per_second


def prompt_positions(num_tokens: int, video_start: int, grid: VideoGrid) -> torch.Tensor:
    """Computes the rotary positions of a prompt whose video placeholders begin at index `video_start`.

    Temporal positions are multiplied by the grid's temporal interval and then rounded down, as in the engine.

    Returns: [3, num_tokens] int64; the first axis is time, height, width.
    Raises: ValueError when the placeholders do not fit into the prompt.
    """
    video_end = video_start + grid.num_tokens
    if not 0 <= video_start <= video_end <= num_tokens:
        raise ValueError(
            f"{grid.num_tokens} clip tokens from index {video_start} do not fit into a prompt of {num_tokens} tokens"
        )
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
    """Returns the positions, [3, num_tokens], of text after a prefix: consecutive numbers, beginning one above the
    prefix's largest position.

    prefix: positions of the prefix's tokens, [3, number of tokens].
    """
    start = int(prefix.max()) + 1 if prefix.numel() else 0
    return (torch.arange(num_tokens) + start).expand(3, -1)
