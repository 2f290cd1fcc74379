"""Computes, without a model or an engine, how many tokens the prompts of a data set have."""

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from vaserl.errors import UserError
from vaserl.files.clip import Clip, ClipStore
from vaserl.files.mp4_header import VideoSize
from vaserl.policy.positions import VideoGrid
from vaserl.policy.prompter import Prompter
from vaserl.types import Task

_NUM_READERS = 16
"""Number of threads that read the headers of clips; on a network disk each read waits."""
_MAX_PICTURES = 32
"""Largest number of frame sizes for which the video processor is run; those with the most pixels are chosen, because
the number of tokens grows with the number of pixels."""
_NO_CLIP = VideoGrid(time=0, height=0, width=0, temporal_interval=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptLength:
    """Length of a task's prompt."""

    task: str
    """Identifier of the task."""
    num_tokens: int
    """Number of tokens of the whole prompt."""
    num_clip_tokens: int
    """Number of tokens of the prompt that are placeholders of the clip."""


def clip_sizes(clips: ClipStore, digests: Iterable[str], num_frames: int) -> dict[str, VideoSize]:
    """Returns the size of each clip, by the hash of its content.

    Reads the header of each file once: about 5 s for 30,000 clips on a local disk. Clips behind a URL are fetched.

    Raises: UserError when a clip has fewer than `num_frames` frames, or can't be read as an mp4.
    """
    distinct = list(dict.fromkeys(digests))
    with ThreadPoolExecutor(_NUM_READERS) as readers:
        sizes = dict(zip(distinct, readers.map(clips.size, distinct), strict=True))
    short = [(size.num_frames, digest) for digest, size in sizes.items() if size.num_frames < num_frames]
    if short:
        fewest, digest = min(short)
        raise UserError(
            f"data.num_frames = {num_frames}, but {len(short)} of {len(sizes)} clips have fewer frames, for example "
            f"{clips.name(digest)} with {fewest}. Set data.num_frames to at most {fewest // 2 * 2}"
        )
    return sizes


def longest_prompt(
    prompter: Prompter, tasks: Iterable[Task], sizes: Mapping[str, VideoSize], num_frames: int
) -> PromptLength:
    """Returns the length of the longest prompt; see `prompt_lengths`."""
    longest = max(
        prompt_lengths(prompter, tasks, sizes, num_frames), key=lambda length: length.num_tokens, default=None
    )
    if longest is None:
        raise ValueError("there are no tasks")
    return longest


def prompt_lengths(
    prompter: Prompter, tasks: Iterable[Task], sizes: Mapping[str, VideoSize], num_frames: int
) -> Iterator[PromptLength]:
    """Yields the length of each task's prompt.

    The tokens of a clip are counted by the model's video processor on black frames, once for each frame size. Of more
    than 32 sizes, only those with the most pixels are tried, and the others are taken to have no more tokens.

    sizes: the size of each task's clip, by the clip's hash. num_frames: number of frames of each
    clip that the model gets.
    """
    pictures = {(size.height, size.width) for size in sizes.values()}
    largest = sorted(pictures, key=lambda picture: -picture[0] * picture[1])[:_MAX_PICTURES]
    counted = {picture: _clip_tokens(prompter, num_frames, *picture) for picture in largest}
    most = max(counted.values(), default=0)
    texts: dict[str, int] = {}
    for task in tasks:
        if task.prompt not in texts:
            texts[task.prompt] = len(prompter.token_ids(task.prompt, _NO_CLIP))
        size = sizes[task.clip]
        num_clip_tokens = counted.get((size.height, size.width), most)
        num_tokens = texts[task.prompt] + num_clip_tokens
        yield PromptLength(task=task.id, num_tokens=num_tokens, num_clip_tokens=num_clip_tokens)


def _clip_tokens(prompter: Prompter, num_frames: int, height: int, width: int) -> int:
    black = Clip(
        frames=np.zeros((num_frames, height, width, 3), np.uint8),
        fps=1.0,
        frame_indices=tuple(range(num_frames)),
        num_source_frames=num_frames,
    )
    return prompter.pixels(black).grid.num_tokens
