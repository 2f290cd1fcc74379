"""Reads and writes clips, which are turntable videos, as mp4 files.

A video model derives temporal positions from the frame rate. Therefore the exact frame rate and the frame indices are
stored in the mp4 file too. Sound, variable frame rates and seeking are not supported.
"""

import hashlib
import io
import json
from collections import OrderedDict
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from vaserl.errors import UserError
from vaserl.files.atomic import write_atomic
from vaserl.files.mp4_header import VideoSize, video_size

X264_OPTIONS: dict[str, object] = {"crf": "10", "preset": "veryfast", "x264-params": "mbtree=0"}
"""Options of the H.264 encoder. crf 10 is nearly lossless, so incised lines of one or two pixels stay visible. mbtree=0
disables x264's macroblock tree: it reads uninitialised memory in small pictures, so equal frames would sometimes give
different bytes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """A decoded turntable video, or evenly spaced frames of one.

    Example: 8 of the 24 frames of a turntable video with 12 frames per second:
        Clip(frames=uint8[8, 112, 112, 3], fps=4.0, frame_indices=(0, 3, 6, …, 21), num_source_frames=24)
    """

    frames: np.ndarray
    """RGB frames, uint8 [F, H, W, 3]: F frames, each H pixels high and W pixels wide."""
    fps: float
    """Frames per second of `frames`. If only some frames of the source clip are used, `fps` is lower than in the source
    clip, so that the turn takes the same time."""
    frame_indices: tuple[int, ...]
    """Index of each of the F frames in the source clip, counted from 0."""
    num_source_frames: int
    """Number of frames of the source clip, from which `frames` were taken."""

    def __post_init__(self) -> None:
        if self.frames.dtype != np.uint8 or self.frames.ndim != 4 or self.frames.shape[3] != 3:
            raise ValueError(f"frames must be uint8 [F, H, W, 3], got {self.frames.dtype} {self.frames.shape}")
        if len(self.frames) == 0 or len(self.frame_indices) != len(self.frames):
            raise ValueError(
                "a clip must have at least one frame, and an index for each frame; "
                f"got {len(self.frames)} frames with {len(self.frame_indices)} indices"
            )
        if not self.fps > 0:
            raise ValueError(f"fps must be above 0, got {self.fps}")


def encode_mp4(clip: Clip) -> bytes:
    """Returns the clip as the content of an H.264 mp4 file. Equal clips give equal bytes.

    For equal bytes, the encoder uses one thread and bit-exact muxing. Width and height must be even, because yuv420p
    stores colours at half the resolution.

    Raises: UserError for an odd width or height.
    """
    _, height, width, _ = clip.frames.shape
    if height % 2 or width % 2:
        raise UserError(f"a clip of {width} x {height} pixels can't be stored as mp4: width and height must be even")
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
    """Writes the clip atomically as an H.264 mp4 file."""
    write_atomic(Path(path), encode_mp4(clip))


def read_mp4(path: Path, num_frames: int | None = None) -> Clip:
    """Reads all frames of an mp4 file, or `num_frames` evenly spaced ones that include the first.

    The clip shows a full turn: frame k of N shows the vase after k/N of the turn, and a frame after the last one would
    be the first again.

    A file of another program contains no exact timing. Then the frame rate is the average frame rate of the video
    stream, and the frame indices are 0, 1, 2, ….

    Raises: UserError with the path if the file is missing, is not a video, or has too few frames.
    """
    try:
        with Path(path).open("rb") as file:
            return decode_mp4(file, str(path), num_frames)
    except OSError as error:
        raise UserError(f"{path}: can't be read as an mp4 ({error})") from error


def decode_mp4(file: BinaryIO, what: str, num_frames: int | None = None) -> Clip:
    """Like `read_mp4`, from an open file, which `what` names in error messages."""
    try:
        with av.open(file, mode="r") as container:
            if not container.streams.video:
                raise UserError(f"{what}: the file has no video stream; expected an mp4")
            stream = container.streams.video[0]
            stream.thread_type = "NONE"
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
            timing = _timing(container.metadata.get("comment", ""))
            rate = stream.average_rate
    except (av.FFmpegError, OSError) as error:
        raise UserError(f"{what}: can't be read as an mp4 ({error})") from error
    if not frames or (timing is None and not rate):
        raise UserError(f"{what}: the video has no frames or no frame rate")
    fps, indices, num_source_frames = timing or (float(rate or 0), tuple(range(len(frames))), len(frames))
    if len(indices) != len(frames):
        raise UserError(f"{what}: {len(frames)} frames but {len(indices)} frame indices; the file is damaged")
    kept = frame_indices_over(len(frames), len(frames) if num_frames is None else num_frames, what=what)
    return Clip(
        frames=np.stack([frames[k] for k in kept]),
        fps=fps * (len(kept) / len(frames)),  # in this order, a whole clip keeps its rate to the last bit
        frame_indices=tuple(indices[k] for k in kept),
        num_source_frames=num_source_frames,
    )


def frame_indices_over(num_available: int, num_wanted: int, what: str = "the clip") -> tuple[int, ...]:
    """Returns the indices of `num_wanted` evenly spaced frames out of `num_available` frames of a full turn.

    Index k is floor(k * num_available / num_wanted), for k from 0. `what` is how the error message calls the clip.

    Raises: UserError unless `num_wanted` is between 1 and `num_available`.
    """
    if not 0 < num_wanted <= num_available:
        raise UserError(f"{what}: {num_wanted} frames requested, 1 to {num_available} are available")
    return tuple(k * num_available // num_wanted for k in range(num_wanted))


class ClipStore:
    """A folder of clips. The name of each mp4 file is the hash of its content, so equal clips are stored once.

    The `num_cached` most recently used clips stay in memory, decoded.
    """

    def __init__(self, root: Path, num_cached: int = 64) -> None:
        self.root = Path(root)
        self._num_cached = num_cached
        self._decoded: OrderedDict[tuple[str, int | None], Clip] = OrderedDict()

    def add(self, clip: Clip) -> str:
        """Stores the clip and returns its hash. An existing file of wrong length is damaged and is replaced."""
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

    def open(self, digest: str) -> BinaryIO:
        """Opens the file of the clip with this hash. Raises: UserError if it can't be opened."""
        path = self.path(digest)
        if not path.is_file():
            raise UserError(
                f"clip {digest} is not in {self.root}: render it again, or choose the folder that contains it"
            )
        return path.open("rb")

    def size(self, digest: str) -> VideoSize:
        """Returns the number and size of the frames of the clip with this hash, without decoding it."""
        with self.open(digest) as file:
            return video_size(file, self.name(digest))

    def name(self, digest: str) -> str:
        """Returns what error messages call the clip with this hash: its path or URL."""
        return str(self.path(digest))

    def load(self, digest: str, num_frames: int | None = None) -> Clip:
        """Returns the clip with this hash, or `num_frames` evenly spaced frames of it. The frames are read-only.

        Raises: UserError if the folder doesn't contain the clip.
        """
        key = (digest, num_frames)
        if key not in self._decoded:
            with self.open(digest) as file:
                clip = decode_mp4(file, self.name(digest), num_frames)
            clip.frames.flags.writeable = False
            self._decoded[key] = clip
            if len(self._decoded) > self._num_cached:
                self._decoded.popitem(last=False)
        self._decoded.move_to_end(key)
        return self._decoded[key]


def _timing(comment: str) -> tuple[float, tuple[int, ...], int] | None:
    """Parses the comment that `encode_mp4` stored in an mp4 file.

    Returns: frame rate, frame indices and number of source frames, or None for any other comment.
    """
    try:
        stored = json.loads(comment)
        return float(stored["fps"]), tuple(int(k) for k in stored["frame_indices"]), int(stored["num_source_frames"])
    except (ValueError, TypeError, KeyError):
        return None
