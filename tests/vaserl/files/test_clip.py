import os
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vaserl.errors import UserError
from vaserl.files import sha256_of
from vaserl.files.clip import Clip, ClipStore, encode_mp4, frame_indices_over, read_mp4, write_mp4


def grey_levels(num_frames: int, fps: float = 4.0, side: int = 32) -> Clip:
    """Returns frames of uniform grey: frame k is 10 + 10 k, far enough apart to tell them after lossy compression."""
    levels = (10 + 10 * np.arange(num_frames)).astype(np.uint8)
    frames = np.broadcast_to(levels[:, None, None, None], (num_frames, side, side, 3)).copy()
    return Clip(frames=frames, fps=fps, frame_indices=tuple(range(num_frames)), num_source_frames=num_frames)


@settings(max_examples=15, deadline=None)
@given(fps=st.floats(0.1, 120), step=st.integers(1, 7), num_frames=st.integers(1, 5))
def test_read_mp4_rate_and_indices_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, fps: float, step: int, num_frames: int
) -> None:
    plain = grey_levels(num_frames)
    clip = Clip(
        frames=plain.frames, fps=fps, frame_indices=tuple(range(0, num_frames * step, step)), num_source_frames=99
    )
    path = tmp_path_factory.mktemp("clips") / "a.mp4"
    write_mp4(path, clip)
    back = read_mp4(path)
    assert (back.fps, back.frame_indices, back.num_source_frames) == (fps, clip.frame_indices, 99)
    assert back.frames.shape == clip.frames.shape
    assert np.abs(back.frames.astype(int) - clip.frames).max() <= 3


def test_read_mp4_part_keeps_the_duration_and_says_which_frames_it_holds(tmp_path: Path) -> None:
    write_mp4(tmp_path / "a.mp4", grey_levels(12, fps=6.0))
    part = read_mp4(tmp_path / "a.mp4", num_frames=5)
    # floor(k * 12 / 5) for k = 0..4; 5 frames over the same 12 / 6 = 2 s are 2.5 frames a second
    assert part.frame_indices == (0, 2, 4, 7, 9)
    assert part.fps == 2.5
    assert len(part.frames) / part.fps == 2.0  # seconds
    assert part.num_source_frames == 12
    assert np.abs(part.frames[:, 0, 0, 0].astype(int) - np.array([10, 30, 50, 80, 100])).max() <= 3


def test_read_mp4_part_of_a_part_still_counts_in_the_source(tmp_path: Path) -> None:
    write_mp4(tmp_path / "a.mp4", grey_levels(12))
    write_mp4(tmp_path / "b.mp4", read_mp4(tmp_path / "a.mp4", num_frames=6))
    assert read_mp4(tmp_path / "b.mp4", num_frames=3).frame_indices == (0, 4, 8)


def test_read_mp4_colours_survive(tmp_path: Path) -> None:
    clay = np.full((2, 32, 32, 3), (204, 102, 48), np.uint8)
    write_mp4(tmp_path / "a.mp4", Clip(frames=clay, fps=4.0, frame_indices=(0, 1), num_source_frames=2))
    assert np.abs(read_mp4(tmp_path / "a.mp4").frames.astype(int) - (204, 102, 48)).max() <= 4


def test_encode_mp4_same_clip_same_bytes() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (6, 48, 48, 3)).astype(np.uint8)
    clip = Clip(frames=noise, fps=4.0, frame_indices=tuple(range(6)), num_source_frames=6)
    assert encode_mp4(clip) == encode_mp4(clip)


def test_encode_mp4_rejects_odd_sides() -> None:
    with pytest.raises(UserError, match="33 x 33"):
        encode_mp4(grey_levels(2, side=33))


@pytest.mark.parametrize("content", [b"this is no video", b""])
def test_read_mp4_names_a_file_that_is_no_mp4(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"notes\.mp4"):
        read_mp4(path)


def test_read_mp4_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.mp4"):
        read_mp4(tmp_path / "nowhere.mp4")


def test_read_mp4_rejects_too_many_frames(tmp_path: Path) -> None:
    write_mp4(tmp_path / "a.mp4", grey_levels(3))
    with pytest.raises(UserError, match=r"a\.mp4: 4 frames requested, 1 to 3"):
        read_mp4(tmp_path / "a.mp4", num_frames=4)


def test_read_mp4_numbers_the_frames_of_another_programs_video(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        container.metadata["comment"] = "holiday"
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        for pixels in grey_levels(5).frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    clip = read_mp4(tmp_path / "a.mp4")
    assert (clip.fps, clip.frame_indices, clip.num_source_frames) == (25.0, (0, 1, 2, 3, 4), 5)


def test_clip_rejects_mismatched_indices() -> None:
    with pytest.raises(ValueError, match="2 frames with 3"):
        Clip(frames=grey_levels(2).frames, fps=1.0, frame_indices=(0, 1, 2), num_source_frames=3)


@given(num_available=st.integers(1, 200), data=st.data())
def test_frame_indices_over_is_even_around_the_turn(num_available: int, data: st.DataObject) -> None:
    num_wanted = data.draw(st.integers(1, num_available))
    kept = frame_indices_over(num_available, num_wanted)
    gaps = np.diff([*kept, kept[0] + num_available])  # the last gap closes the circle
    assert len(kept) == num_wanted
    assert kept[0] == 0
    assert gaps.min() >= 1
    assert gaps.max() - gaps.min() <= 1


def test_clip_store_names_clips_by_content(tmp_path: Path) -> None:
    store = ClipStore(tmp_path / "clips")
    digest = store.add(grey_levels(4))
    assert store.add(grey_levels(4)) == digest != store.add(grey_levels(4, fps=8.0))
    assert sha256_of(store.path(digest)) == digest
    assert sorted(path.name for path in (tmp_path / "clips").iterdir()) == sorted(
        f"{d}.mp4" for d in (digest, store.add(grey_levels(4, fps=8.0)))
    )
    assert store.load(digest, 2).frame_indices == (0, 2)


def test_clip_store_replaces_a_clip_that_lost_its_content(tmp_path: Path) -> None:
    store = ClipStore(tmp_path)
    digest = store.add(grey_levels(4))
    whole = store.path(digest).read_bytes()
    for damage in (b"", whole[:-1]):
        store.path(digest).write_bytes(damage)
        assert store.add(grey_levels(4)) == digest
        assert store.path(digest).read_bytes() == whole


def test_clip_store_keeps_the_most_recent_decoded(tmp_path: Path) -> None:
    store = ClipStore(tmp_path, num_cached=2)
    digests = [store.add(grey_levels(2 + k)) for k in range(3)]
    first = store.load(digests[0])
    assert store.load(digests[0]) is first
    assert not first.frames.flags.writeable
    store.load(digests[1])
    store.load(digests[0])
    store.load(digests[2])  # drops digests[1], the least recently used
    assert store.load(digests[0]) is first


def test_clip_store_names_the_missing_clip_and_its_folder(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"clip abc123 is not in {tmp_path}"):
        ClipStore(tmp_path).load("abc123")


def test_encode_mp4_does_not_depend_on_uninitialised_memory():
    """Fills allocated memory with another value each time, which reveals an encoder that reads it before writing."""
    script = """
import hashlib, numpy as np
from vaserl.files.clip import Clip, encode_mp4
y, x = np.mgrid[:48, :48]
body = (np.abs(x - 24) < 6 + 8 * np.sin((y - 4) / 40 * np.pi)) & (y > 4) & (y < 44)
paint = [120 + 80 * np.sin((x - 24) / 3 + 2 * np.pi * k / 7 + 23) * np.cos(y / 5) for k in range(7)]
frames = [np.where(body[..., None], np.stack([p, 0.6 * p, 0.3 * p], -1), 219) for p in paint]
frames = np.clip(np.stack(frames), 0, 255).astype(np.uint8)
clip = Clip(frames=frames, fps=2.0, frame_indices=tuple(range(7)), num_source_frames=7)
print(hashlib.sha256(encode_mp4(clip)).hexdigest())
"""
    digests = {
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "MALLOC_PERTURB_": value},
            cwd=Path(__file__).parents[3],
            check=True,
            capture_output=True,
        ).stdout
        for value in ("1", "85", "170")
    }
    assert len(digests) == 1
