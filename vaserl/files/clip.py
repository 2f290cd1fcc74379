"""Clips (turntable videos): frames with their exact timing, stored as mp4 files named by the hash of their content.

A video model derives temporal positions from the frame rate, so the frame rate and the frame indices are stored in the
file and read back exactly. Sound, variable frame rates and seeking are not supported.
"""

import hashlib
import io
import json
from collections import OrderedDict
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from vaserl.errors import UserError
from vaserl.files.atomic import write_atomic

X264_OPTIONS: dict[str, object] = {"crf": "10", "preset": "veryfast", "x264-params": "mbtree=0"}
"""Options of the H.264 encoder. crf 10 is nearly lossless: incised lines are one or two pixels wide and must survive.
mbtree=0 disables x264's macroblock tree, which reads uninitialised memory in small pictures, so that equal frames would
sometimes give different bytes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """A decoded turntable video, or evenly spaced frames of one.

    Example, 8 of the 24 frames of a turn at 12 frames a second:
        Clip(frames=uint8[8, 112, 112, 3], fps=4.0, frame_indices=(0, 3, 6, …, 21), num_source_frames=24)
    """

    frames: np.ndarray
    """uint8 [F, H, W, 3], RGB."""
    fps: float
    """Frames per second of `frames`; lower than the source's if frames are left out: the turn takes the same time."""
    frame_indices: tuple[int, ...]
    """Index in the source clip of each of the F frames, from 0."""
    num_source_frames: int
    """Number of frames of the source clip, from which `frames` were taken."""

    def __post_init__(self) -> None:
        if self.frames.dtype != np.uint8 or self.frames.ndim != 4 or self.frames.shape[3] != 3:
            raise ValueError(f"frames must be uint8 [F, H, W, 3], got {self.frames.dtype} {self.frames.shape}")
        if len(self.frames) == 0 or len(self.frame_indices) != len(self.frames):
            raise ValueError(f"{len(self.frames)} frames with {len(self.frame_indices)} frame indices")
        if not self.fps > 0:
            raise ValueError(f"fps must be above 0, got {self.fps}")


def encode_mp4(clip: Clip) -> bytes:
    """Returns the content of an H.264 mp4 file with the clip; equal clips give equal bytes.

    One thread and bit-exact muxing keep the bytes fixed. yuv420p halves the colour planes, so width and height must be
    even.

    Raises: UserError for an odd width or height.
    """
    _, height, width, _ = clip.frames.shape
    if height % 2 or width % 2:
        raise UserError(f"a clip of {width} x {height} pixels can't be stored as mp4: choose an even resolution")
    timing = {
        "fps": clip.fps,
        "frame_indices": list(clip.frame_indices),
        "num_source_frames": clip.num_source_frames,
    }
    file = io.BytesIO()
    with av.open(file, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        container.metadata["comment"] = json.dumps(timing)
        stream = container.add_stream("libx264", rate=Fraction(clip.fps).limit_denominator(60_000))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = dict(X264_OPTIONS)
        stream.codec_context.thread_count = 1
        for pixels in clip.frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return file.getvalue()


def write_mp4(path: Path, clip: Clip) -> None:
    """Writes the clip as an mp4 file atomically; see `encode_mp4`."""
    write_atomic(Path(path), encode_mp4(clip))


def read_mp4(path: Path, num_frames: int | None = None) -> Clip:
    """Reads all frames of a file, or `num_frames` evenly spaced ones that include the first.

    A turn is periodic, so frame k of N shows k/N of the turn and the last frame isn't special. Files of other programs
    lack the stored timing; for them, the stream's average frame rate is used and the frames are numbered in order.

    Raises: UserError naming a file that is missing, is not a video, or has too few frames.
    """
    path = Path(path)
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UserError(f"{path}: the file has no video stream; expected an mp4")
            stream = container.streams.video[0]
            stream.thread_type = "NONE"
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
            timing = _timing(container.metadata.get("comment", ""))
            rate = stream.average_rate
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{path}: can't be read as an mp4 ({error})") from error
    if not frames or (timing is None and not rate):
        raise UserError(f"{path}: the video holds no frames with a frame rate")
    fps, indices, num_source_frames = timing or (float(rate or 0), tuple(range(len(frames))), len(frames))
    if len(indices) != len(frames):
        raise UserError(f"{path}: {len(frames)} frames but {len(indices)} frame indices; the file is damaged")
    kept = frame_indices_over(len(frames), len(frames) if num_frames is None else num_frames, what=str(path))
    return Clip(
        frames=np.stack([frames[k] for k in kept]),
        fps=fps * (len(kept) / len(frames)),  # in this order, a whole clip keeps its rate to the last bit
        frame_indices=tuple(indices[k] for k in kept),
        num_source_frames=num_source_frames,
    )


def frame_indices_over(num_available: int, num_wanted: int, what: str = "the clip") -> tuple[int, ...]:
    """Returns `num_wanted` evenly spaced frame indices over a full turn: floor(k * num_available / num_wanted)
    for k from 0.

    `what` names the clip in the error message.

    Raises: UserError when `num_wanted` is not in 1 to `num_available`.
    """
    if not 0 < num_wanted <= num_available:
        raise UserError(f"{what}: {num_wanted} frames requested, 1 to {num_available} are available")
    return tuple(k * num_available // num_wanted for k in range(num_wanted))


class ClipStore:
    """A folder of clips, each named by the hash of its mp4 file, so that equal clips are stored once.

    Keeps the `num_cached` most recently used decoded clips in memory.
    """

    def __init__(self, root: Path, num_cached: int = 64) -> None:
        self.root = Path(root)
        self._num_cached = num_cached
        self._decoded: OrderedDict[tuple[str, int | None], Clip] = OrderedDict()

    def add(self, clip: Clip) -> str:
        """Stores the clip and returns its hash. An existing file of another length is damaged and is replaced."""
        content = encode_mp4(clip)
        digest = hashlib.sha256(content).hexdigest()
        path = self.path(digest)
        if not path.exists() or path.stat().st_size != len(content):
            self.root.mkdir(parents=True, exist_ok=True)
            write_atomic(path, content)
        return digest

    def path(self, digest: str) -> Path:
        """Returns the path of the clip with this hash, whether or not it exists."""
        return self.root / f"{digest}.mp4"

    def load(self, digest: str, num_frames: int | None = None) -> Clip:
        """Returns the clip with this hash, or `num_frames` evenly spaced frames of it; the frames are read-only.

        Raises: UserError when the store doesn't contain it.
        """
        key = (digest, num_frames)
        if key not in self._decoded:
            if not self.path(digest).is_file():
                raise UserError(
                    f"clip {digest} is not in {self.root}: render it again, or give the folder that contains it"
                )
            clip = read_mp4(self.path(digest), num_frames)
            clip.frames.flags.writeable = False
            self._decoded[key] = clip
            if len(self._decoded) > self._num_cached:
                self._decoded.popitem(last=False)
        self._decoded.move_to_end(key)
        return self._decoded[key]


def _timing(comment: str) -> tuple[float, tuple[int, ...], int] | None:
    """Returns the frame rate, frame indices and number of source frames that `encode_mp4` stored; else None."""
    try:
        stored = json.loads(comment)
        return float(stored["fps"]), tuple(int(k) for k in stored["frame_indices"]), int(stored["num_source_frames"])
    except (ValueError, TypeError, KeyError):
        return None
