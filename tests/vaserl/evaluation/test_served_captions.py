"""Tests captions from a server: what it is shown, and what of its answers is a failure."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.fakes.chat_server import chat_server, completion, refusal
from vaserl.errors import UserError
from vaserl.evaluation.served_captions import served_answers
from vaserl.files.clip import Clip, ClipStore
from vaserl.policy.chat_client import ChatClient
from vaserl.settings.chat_server import ChatServerSettings
from vaserl.types import DIMENSIONS, Task

SECRET = "sk-very-secret"


@pytest.fixture
def clips(tmp_path: Path) -> tuple[ClipStore, str]:
    frames = np.stack([np.full((32, 32, 3), 60 * n, dtype=np.uint8) for n in range(4)])
    store = ClipStore(tmp_path / "clips")
    return store, store.add(Clip(frames=frames, fps=2.0, frame_indices=(0, 1, 2, 3), num_source_frames=4))


def tasks(clip: str, num: int) -> list[Task]:
    return [
        Task(id=f"v{n}/caption", clip=clip, prompt=f"Vase {n}?", dimensions=DIMENSIONS, record={}, reference="")
        for n in range(num)
    ]


def client(url: str, monkeypatch: pytest.MonkeyPatch, **changes) -> ChatClient:
    monkeypatch.setenv("VASE_KEY", SECRET)
    server = ChatServerSettings(base_url=url, model="big", api_key_variable="VASE_KEY", **{"timeout_s": 5.0, **changes})
    return ChatClient(server, "systems.big.server", max_new_tokens=20, temperature=0.0, seed=3)


def test_served_answers_show_frames_and_prompt(clips, monkeypatch: pytest.MonkeyPatch):
    with chat_server(lambda server, content: completion(f"An answer to {content[-1]['text']}")) as server:
        found = served_answers(client(server.url, monkeypatch), clips[0], tasks(clips[1], 3), num_frames=2)
    assert [answer.text for answer in found] == [f"An answer to Vase {n}?" for n in range(3)]
    assert not any(answer.failure for answer in found)
    asked = sorted(server.asked, key=lambda body: body["messages"][0]["content"][-1]["text"])[0]
    assert (asked["model"], asked["max_tokens"], asked["temperature"], asked["seed"]) == ("big", 20, 0.0, 3)
    first, second, text = asked["messages"][0]["content"]
    shown = [
        np.asarray(Image.open(io.BytesIO(base64.b64decode(part["image_url"]["url"].partition(",")[2]))))
        for part in (first, second)
    ]
    assert text == {"type": "text", "text": "Vase 0?"}
    # frames 0 and 2 of four, of grey 0 and 120 before the video's compression
    assert [float(picture.mean()) for picture in shown] == pytest.approx([0, 120], abs=6)
    assert set(server.keys) == {f"Bearer {SECRET}"}


def test_served_answers_that_do_not_come_are_failures(clips, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vaserl.policy.chat_client._NUM_RETRIES", 0)

    def answer(server, content):
        return {"0": completion(""), "1": refusal(500, "out of memory"), "2": completion("A kylix", "length")}[
            content[-1]["text"][5]
        ]

    with chat_server(answer) as server:
        found = served_answers(client(server.url, monkeypatch), clips[0], tasks(clips[1], 3), num_frames=2)
    assert [(a.text, bool(a.failure)) for a in found] == [("", True), ("", True), ("A kylix", False)]
    assert found[0].failure == "an empty answer" and "HTTP status 500" in found[1].failure
    assert found[2].finish_reason == "length", "a caption that the limit cut is a caption, as it is for an engine"


def test_served_answers_never_show_the_key(clips, monkeypatch: pytest.MonkeyPatch):
    with (
        chat_server(lambda server, content: refusal(401, f"bad key {SECRET}")) as server,
        pytest.raises(UserError, match=r"systems\.big\.server\.api_key_variable: the server refuses the key") as error,
    ):
        served_answers(client(server.url, monkeypatch), clips[0], tasks(clips[1], 1), num_frames=2)
    assert SECRET not in str(error.value)
