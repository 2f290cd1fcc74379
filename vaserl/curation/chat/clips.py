"""Makes clips of a given number of frames from video files of other programs, and from pictures."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageOps

from vaserl.errors import UserError
from vaserl.files.clip import Clip, frame_indices_over
from vaserl.files.photograph import UnreadablePhotograph, read_photograph
from vaserl.files.pixel_limit import MAX_PIXELS

MAX_VIDEO_FRAMES = 100_000
"""Number of frames of the longest video that is read: an hour at 25 frames per second."""
PICTURES_FPS = 2.0
"""Frame rate of a clip of pictures. A model derives temporal positions from it."""


def clip_of_video(path: Path, num_frames: int, resolution: int) -> Clip:
    """Returns evenly spaced frames of a video, uint8 [num_frames, resolution, resolution, 3]. Frames that are not
    square are padded with white. Only the chosen frames are kept in memory.

    Raises: UserError that names the file if it is no video, is too long, or has fewer frames.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UserError(f"{path}: the file has no video stream")
            stream = container.streams.video[0]
            _check_size(path, stream.width, stream.height)
            rate = float(stream.average_rate or 0)
            num_source = 0
            for packet in container.demux(stream):
                num_source += packet.size > 0
                if num_source > MAX_VIDEO_FRAMES:
                    raise UserError(f"{path}: more than {MAX_VIDEO_FRAMES:,} frames; cut the video")
        indices = frame_indices_over(num_source, num_frames, what=str(path))
        frames = _frames_at(path, set(indices), resolution)
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{path}: can't be read as a video ({error.strerror or type(error).__name__})") from error
    if rate <= 0 or len(frames) != num_frames:
        raise UserError(f"{path}: {len(frames)} of {num_frames} frames could be decoded; the file is damaged")
    return Clip(
        frames=np.stack(frames), fps=rate * num_frames / num_source, frame_indices=indices, num_source_frames=num_source
    )


def clip_of_pictures(paths: Sequence[Path], num_frames: int, resolution: int) -> Clip:
    """Returns a clip of `num_frames` frames in which each picture is shown for an equal time, uint8 [num_frames,
    resolution, resolution, 3]. Pictures that are not square are padded with white.

    Raises: UserError that names the file if a picture can't be read, or if there are more pictures than frames.
    """
    if len(paths) > num_frames:
        raise UserError(f"{paths[0]}: {len(paths)} pictures but {num_frames} frames; raise --num-frames")
    pictures = []
    for path in paths:
        try:
            pictures.append(_square(read_photograph(path), resolution))
        except UnreadablePhotograph as error:
            raise UserError(f"{path} {error}") from error
    return Clip(
        frames=np.stack([pictures[k * len(pictures) // num_frames] for k in range(num_frames)]),
        fps=PICTURES_FPS,
        frame_indices=tuple(range(num_frames)),
        num_source_frames=num_frames,
    )


def _frames_at(path: Path, indices: set[int], resolution: int) -> list[np.ndarray]:
    frames = []
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        for number, frame in enumerate(container.decode(stream)):
            if number in indices:
                _check_size(path, frame.width, frame.height)  # it may change within a video
                frames.append(_square(Image.fromarray(frame.to_ndarray(format="rgb24")), resolution))
    return frames


def _check_size(path: Path, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise UserError(f"{path}: frames of {width} x {height} pixels, more than {MAX_PIXELS:,}; scale the video down")


def _square(image: Image.Image, resolution: int) -> np.ndarray:
    return np.asarray(ImageOps.pad(image, (resolution, resolution), color=(255, 255, 255)), dtype=np.uint8)
