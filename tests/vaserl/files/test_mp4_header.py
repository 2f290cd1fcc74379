"""Tests the reader of an mp4 file's header against PyAV, and on damaged files."""

from pathlib import Path

import av
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from tests.conftest import make_clip
from vaserl.errors import UserError
from vaserl.files.clip import encode_mp4, write_mp4
from vaserl.files.mp4_header import VideoSize, read_video_size


@pytest.mark.parametrize(("num_frames", "height", "width"), [(1, 28, 56), (8, 56, 56), (24, 112, 84)])
def test_read_video_size_of_our_clips(tmp_path: Path, num_frames: int, height: int, width: int):
    write_mp4(tmp_path / "a.mp4", make_clip(0, num_frames, height, width))
    assert read_video_size(tmp_path / "a.mp4") == VideoSize(num_frames=num_frames, height=height, width=width)


@pytest.mark.parametrize("options", [{}, {"movflags": "faststart"}], ids=["header-last", "header-first"])
def test_read_video_size_of_a_file_with_sound_before_the_video(tmp_path: Path, options: dict[str, str]):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w", options=options) as container:
        sound = container.add_stream("aac", rate=8000)
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 32, "yuv420p"
        for index in range(5):
            frame = av.VideoFrame.from_ndarray(np.full((32, 64, 3), 40 * index, np.uint8), format="rgb24")
            container.mux(video.encode(frame))
        quiet = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        quiet.rate = 8000
        container.mux(sound.encode(quiet))
        container.mux(video.encode())
        container.mux(sound.encode())
    assert read_video_size(path) == VideoSize(num_frames=5, height=32, width=64)


def test_read_video_size_names_a_file_that_is_no_mp4(tmp_path: Path):
    with pytest.raises(UserError, match=r"none\.mp4: can't be read as an mp4 \(.*No such file"):
        read_video_size(tmp_path / "none.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(UserError, match=r"text\.mp4: can't be read as an mp4"):
        read_video_size(tmp_path / "text.mp4")


@hypothesis.given(st.data())
@hypothesis.settings(max_examples=60)
def test_read_video_size_of_a_damaged_file_gives_a_size_or_a_user_error(tmp_path_factory, data: st.DataObject):
    content = bytearray(encode_mp4(make_clip(0, 2, 28, 28)))
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "a.mp4"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        assert isinstance(read_video_size(path), VideoSize)
    except UserError as error:
        assert str(path) in str(error)
