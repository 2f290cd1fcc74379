"""A cache of processed clips (the vision tower's input) in memory, up to a limit in bytes."""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from vaserl.files.clip import Clip, ClipStore
from vaserl.policy.clips import ClipPixels, ClipView
from vaserl.policy.prompter import Prompter

MAX_CACHE_BYTES = 2 * 1024**3


class PixelCache:
    """A cache of processed clips (the vision tower's input), by the clip's content hash and the index of its first
    frame. When the clips exceed `max_bytes`, the least recently used are removed first."""

    def __init__(self, clips: ClipStore, prompter: Prompter, num_frames: int, *, max_bytes: int = MAX_CACHE_BYTES):
        self._clips, self._prompter, self._num_frames, self._max_bytes = clips, prompter, num_frames, max_bytes
        self._kept: OrderedDict[tuple[str, int], ClipPixels] = OrderedDict()
        self._num_bytes = 0

    def get_all(self, views: Sequence[ClipView]) -> list[ClipPixels]:
        """Returns the processed clip (the vision tower's input) for each augmented clip in `views`."""
        return [self.get(*view) for view in views]

    def get(self, clip_hash: str, rotation: int = 0, shift: tuple[int, int] = (0, 0)) -> ClipPixels:
        """Returns the clip as the vision tower's input, begun `rotation` frames later and shifted (down, right) by
        `shift` pixels. Shifted clips are not cached, because the same shift rarely occurs again."""
        key = (clip_hash, rotation % self._num_frames)
        if shift != (0, 0):
            return self._prompter.pixels(shifted(self._load(*key), shift))
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        pixels = self._prompter.pixels(self._load(*key))
        self._kept[key] = pixels
        self._num_bytes += pixels.patches.nbytes
        while self._num_bytes > self._max_bytes and len(self._kept) > 1:
            self._num_bytes -= self._kept.popitem(last=False)[1].patches.nbytes
        return pixels

    def _load(self, clip_hash: str, rotation: int) -> Clip:
        clip = self._clips.load(clip_hash, self._num_frames)
        return rotated(clip, rotation) if rotation else clip


def rotated(clip: Clip, num_frames: int) -> Clip:
    """Returns the same turntable video, beginning `num_frames` frames later; the skipped frames come last."""
    return Clip(
        frames=np.roll(clip.frames, -num_frames, axis=0),
        fps=clip.fps,
        frame_indices=clip.frame_indices[num_frames:] + clip.frame_indices[:num_frames],
        num_source_frames=clip.num_source_frames,
    )


def shifted(clip: Clip, shift: tuple[int, int]) -> Clip:
    """Returns the clip with every frame moved (down, right) by `shift` pixels; the frame's edge pixels fill the gap."""
    height, width = clip.frames.shape[1:3]
    rows = np.clip(np.arange(height) - shift[0], 0, height - 1)
    columns = np.clip(np.arange(width) - shift[1], 0, width - 1)
    return Clip(
        frames=clip.frames[:, rows][:, :, columns],
        fps=clip.fps,
        frame_indices=clip.frame_indices,
        num_source_frames=clip.num_source_frames,
    )
