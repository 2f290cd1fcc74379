"""Turntable clips: frames with their exact timing, as mp4 files named by the hash of their content.

The timing matters as much as the pixels: a video model derives temporal positions from the frame rate, so rate and
frame indices travel inside the file and come back exactly. Sound, variable frame rates and seeking are left out.
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
from vaserl.files.whole import write_whole

X264_OPTIONS: dict[str, object] = {"crf": "10", "preset": "veryfast", "x264-params": "mbtree=0"}
"""Near-lossless: incised lines are one or two pixels wide and must survive. Without x264's macroblock tree, which in
small pictures reads memory that nobody has written: the same frames then give other bytes now and then."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Clip:
    """A decoded turntable, or an evenly spaced part of one.

    Example: 8 of 24 frames of a spin filmed at 12 frames a second: Clip(frames=uint8[8, 112, 112, 3], fps=4.0,
    frame_indices=(0, 3, 6, …, 21), num_source_frames=24)
    """

    frames: np.ndarray
    """uint8 [F, H, W, 3], RGB."""
    fps: float
    """Frames a second at which `frames` play; the spin's duration is the same however many of them are kept."""
    frame_indices: tuple[int, ...]
    """[F] the place of each frame in the source turntable, counted from 0."""
    num_source_frames: int
    """Frames of the source turntable."""

    def __post_init__(self) -> None:
        if self.frames.dtype != np.uint8 or self.frames.ndim != 4 or self.frames.shape[3] != 3:
            raise ValueError(f"frames must be uint8 [F, H, W, 3], got {self.frames.dtype} {self.frames.shape}")
        if len(self.frames) == 0 or len(self.frame_indices) != len(self.frames):
            raise ValueError(f"{len(self.frames)} frames with {len(self.frame_indices)} frame indices")
        if not self.fps > 0:
            raise ValueError(f"fps must be above 0, got {self.fps}")

    @property
    def duration_s(self) -> float:
        """Seconds that the clip lasts."""
        return len(self.frames) / self.fps


def encode_mp4(clip: Clip) -> bytes:
    """The clip as an H.264 mp4 file, the same bytes for the same clip; `UserError` if a side is odd.

    yuv420p halves the colour planes, hence the even sides. One thread and bit-exact muxing keep the bytes fixed.
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
    """Write the clip; see `encode_mp4`. A reader never sees half a file."""
    write_whole(Path(path), encode_mp4(clip))


def read_mp4(path: Path, num_frames: int | None = None) -> Clip:
    """All frames of a file, or `num_frames` evenly spaced ones, the first always among them.

    A turntable is periodic, so frame k of N sits at k/N of the turn and the last frame isn't special. Files written
    by others lack our timing: then the stream's average rate holds and the frames are numbered as they come.
    `UserError` names a file that is missing, is no video, or has too few frames.
    """
    path = Path(path)
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UserError(f"{path}: no video stream in this file; expected an mp4")
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
        fps=fps * (len(kept) / len(frames)),  # this order: a whole clip keeps its rate to the last bit
        frame_indices=tuple(indices[k] for k in kept),
        num_source_frames=num_source_frames,
    )


def frame_indices_over(num_available: int, num_wanted: int, what: str = "the clip") -> tuple[int, ...]:
    """Indices floor(k * available / wanted), k < wanted: even over a full turn. `UserError` if there are too few."""
    if not 0 < num_wanted <= num_available:
        raise UserError(f"{what}: {num_wanted} frames asked for, 1 to {num_available} can be had")
    return tuple(k * num_available // num_wanted for k in range(num_wanted))


def sha256_of(path: Path) -> str:
    """Hash of a file's content, hex."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class ClipStore:
    """A folder of clips, each named by the hash of its file: adding one twice keeps one.

    Decoded clips are kept for the next asker, the least recently used dropped first.
    """

    def __init__(self, root: Path, num_cached: int = 64) -> None:
        self.root = Path(root)
        self._num_cached = num_cached
        self._decoded: OrderedDict[tuple[str, int | None], Clip] = OrderedDict()

    def add(self, clip: Clip) -> str:
        """Store the clip and return its hash. A file of that name and another length was damaged and is replaced."""
        content = encode_mp4(clip)
        digest = hashlib.sha256(content).hexdigest()
        path = self.path(digest)
        if not path.exists() or path.stat().st_size != len(content):
            self.root.mkdir(parents=True, exist_ok=True)
            write_whole(path, content)
        return digest

    def path(self, digest: str) -> Path:
        """Where the clip of this hash lies, or would lie."""
        return self.root / f"{digest}.mp4"

    def load(self, digest: str, num_frames: int | None = None) -> Clip:
        """The clip, or `num_frames` of it; frames are read-only. `UserError` if the store doesn't have it."""
        key = (digest, num_frames)
        if key not in self._decoded:
            if not self.path(digest).is_file():
                raise UserError(f"clip {digest} is not in {self.root}: render it again, or point at its folder")
            clip = read_mp4(self.path(digest), num_frames)
            clip.frames.flags.writeable = False
            self._decoded[key] = clip
            if len(self._decoded) > self._num_cached:
                self._decoded.popitem(last=False)
        self._decoded.move_to_end(key)
        return self._decoded[key]


def _timing(comment: str) -> tuple[float, tuple[int, ...], int] | None:
    """What `encode_mp4` noted, or None for the comment of a stranger."""
    try:
        noted = json.loads(comment)
        return float(noted["fps"]), tuple(int(k) for k in noted["frame_indices"]), int(noted["num_source_frames"])
    except (ValueError, TypeError, KeyError):
        return None
