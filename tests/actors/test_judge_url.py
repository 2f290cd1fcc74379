"""Tests of the judge behind a URL, against a local server with the protocol of chat completions."""

import base64
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from actors.judge_url import UrlJudge
from tests.fakes.chat_server import Answer, ChatServer, chat_server, completion, refusal
from vaserl.errors import UserError
from vaserl.judge.judge import JudgeQuery
from vaserl.judge.pair import MeshPair
from vaserl.judge.reply import Reply
from vaserl.judge.settings import JudgeModelSettings

SECRET = "sk-very-secret-1234"
PAIR = MeshPair(id="p", photo=Path("p.png"), a=Path("a.glb"), b=Path("b.glb"))
RED, BLUE = (np.full((4, 6, 3), colour, np.uint8) for colour in ((255, 0, 0), (0, 0, 255)))
QUERY = JudgeQuery(pair=PAIR, order="ab", prompt="Which?", images=(RED, BLUE))


def _judge(server: ChatServer, **changes: Any) -> UrlJudge:
    values = {"base_url": server.url, "model": "m", "timeout_s": 5.0, **changes}
    return UrlJudge(JudgeModelSettings.model_validate({"kind": "url", "family": "f", "server": values}))


def test_url_judge_sends_both_images_in_order_and_the_prompt_once():
    with chat_server(lambda server, content: completion("2")) as server:
        assert _judge(server).answer([QUERY]) == [Reply(text="2", probability=None)]
    (asked,) = server.asked
    first, second, text = asked["messages"][0]["content"]
    assert text == {"type": "text", "text": "Which?"} and asked["temperature"] == 0
    for part, expected in ((first, RED), (second, BLUE)):
        data = part["image_url"]["url"].removeprefix("data:image/png;base64,")
        assert (np.asarray(Image.open(io.BytesIO(base64.b64decode(data)))) == expected).all()


def test_url_judge_reads_probabilities():
    def answer(server: ChatServer, content: Any) -> Answer:
        status, body = completion("1")
        tops = [{"token": t, "logprob": p, "bytes": None} for t, p in (("1", np.log(0.6)), (" 2", np.log(0.2)))]
        entry = {"token": "1", "logprob": tops[0]["logprob"], "bytes": None, "top_logprobs": tops}
        body["choices"][0]["logprobs"] = {"content": [entry], "refusal": None}
        return status, body

    with chat_server(answer) as server:
        (reply,) = _judge(server).answer([QUERY])
    assert reply.text == "1" and reply.probability == pytest.approx(0.75)


def test_url_judge_keeps_the_order_of_many_queries():
    queries = [replace(QUERY, prompt=str(k)) for k in range(12)]
    with chat_server(lambda server, content: completion(content[-1]["text"])) as server:
        replies = _judge(server).answer(queries)
    assert [reply.text for reply in replies] == [str(k) for k in range(12)]


def test_url_judge_hides_its_key_in_messages(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("JUDGE_KEY", SECRET)
    with (
        chat_server(lambda server, content: refusal(401, f"bad key {SECRET}")) as server,
        pytest.raises(UserError, match=r"HTTP status 401: .*bad key \[key\]") as raised,
    ):
        _judge(server, api_key_variable="JUDGE_KEY").answer([QUERY])
    assert server.keys == [f"Bearer {SECRET}"]
    assert SECRET not in str(raised.value) and raised.value.__cause__ is None


@pytest.mark.parametrize("answer", [(200, "<html>"), (200, {"choices": []})])
def test_url_judge_ends_the_command_without_an_answer(answer: Answer):
    with (
        chat_server(lambda server, content: answer) as server,
        pytest.raises(UserError, match=r"judge\.server .*no chat completion.*The same command continues"),
    ):
        _judge(server).answer([QUERY])


def test_url_judge_names_a_missing_key():
    server = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "api_key_variable": "NO_SUCH_KEY"}
    with pytest.raises(UserError, match="environment variable NO_SUCH_KEY is not set"):
        UrlJudge(JudgeModelSettings.model_validate({"kind": "url", "family": "f", "server": server}))
