"""Tests captions by a language model behind a URL, against a local server with the protocol of chat completions."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from threading import Barrier

import pytest

from tests.fakes.chat_server import Answer, ChatServer, chat_server, completion, refusal
from tests.fakes.curation_stages import over_batches
from vaserl.curation.job.batch import batch_of, rows_of
from vaserl.curation.settings import (
    CurateSettings,
    DescribeSettings,
    PoolSettings,
    WriterSettings,
)
from vaserl.curation.stage import StageContext
from vaserl.curation.stages.describe import DESCRIBE, Describe
from vaserl.curation.stages.served_writer import ServedWriter, check_server
from vaserl.errors import UserError
from vaserl.settings.chat_server import ChatServerSettings

RECORD = {"Fabric": "ATHENIAN", "Technique": "BLACK-FIGURE", "Shape Name": "AMPHORA, NECK", "Decoration": "A: LION"}
TRUE = "This neck-amphora, Athenian work in black-figure, shows a lion."


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.0)


@pytest.fixture
def serve(monkeypatch, tmp_path) -> Iterator[Callable[[Callable[[ChatServer, str], Answer]], ChatServer]]:
    """Starts servers, and stops them after the test."""
    with ExitStack() as running:
        yield lambda answer: running.enter_context(chat_server(answer))


def settings_for(url: str, tmp_path, **changes) -> DescribeSettings:
    (tmp_path / "prompt.txt").write_text("Write its caption.\n{record}\n")
    server = ChatServerSettings(base_url=url, model="scribe", **{"timeout_s": 5.0, **changes})
    return DescribeSettings(writer="llm", llm=WriterSettings(server=server, prompt=tmp_path / "prompt.txt"))


def described(settings: DescribeSettings, records: list[dict[str, str]]) -> list[dict]:
    llm = settings.llm
    assert llm is not None
    rows = [
        {"vase_id": f"v{k}", "record": json.dumps(record), "rejected_by": "", "reason": ""}
        for k, record in enumerate(records)
    ]
    stage = over_batches(DESCRIBE, Describe, settings, 7, lambda: ServedWriter(llm, PoolSettings(), 7))
    return rows_of(stage(batch_of(rows)))


def test_served_captions_that_state_the_facts_are_taken(serve, tmp_path, monkeypatch):
    server = serve(lambda server, prompt: completion(f" {TRUE}\n"))
    monkeypatch.setenv("SCRIBE_KEY", "sesame")
    rows = described(settings_for(server.url, tmp_path, api_key_variable="SCRIBE_KEY"), [RECORD] * 3)
    assert [(row["caption"], row["caption_fallback"]) for row in rows] == [(TRUE, "")] * 3
    assert set(server.paths) == {"/v1/chat/completions"} and set(server.keys) == {"Bearer sesame"}
    assert server.asked[0] == {
        "model": "scribe",
        "messages": [
            {
                "role": "user",
                "content": "Write its caption.\nFabric: ATHENIAN\nTechnique: BLACK-FIGURE\nShape Name: AMPHORA, NECK\n"
                "Decoration: A: LION\n",
            }
        ],
        "max_tokens": 160,
        "temperature": 0.0,
        "seed": 7,
    }


def test_served_captions_of_a_batch_are_asked_for_at_once_and_keep_their_order(serve, tmp_path):
    together = Barrier(4, timeout=5)

    def answer(server: ChatServer, prompt: str) -> Answer:
        together.wait()
        return completion(TRUE.replace("lion", prompt.split("A: ")[1].strip().lower()))

    animals = ["LION", "BULL", "SIREN", "PANTHER"]
    server = serve(answer)
    rows = described(settings_for(server.url, tmp_path), [RECORD | {"Decoration": f"A: {name}"} for name in animals])
    assert [row["caption"] for row in rows] == [TRUE.replace("lion", name.lower()) for name in animals]
    assert server.most_at_once == 4


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(serve, tmp_path, status):
    server = serve(lambda server, _: completion(TRUE) if len(server.asked) > 2 else refusal(status, "busy"))
    (row,) = described(settings_for(server.url, tmp_path), [RECORD])
    assert (row["caption"], row["caption_fallback"], len(server.asked)) == (TRUE, "", 3)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            completion("This Corinthian neck-amphora shows a lion."),
            "it invents fabric and leaves out fabric, technique",
        ),
        (completion(TRUE, "length"), "the answer reached describe.llm.max_new_tokens"),
        (completion(None), "an empty answer, which ended for the reason 'stop'"),
        (refusal(500, "out of memory"), "HTTP status 500, 5 attempts"),
        (refusal(400, "maximum context length is 512 tokens"), "the record is too long for the model"),
        ((200, "<html>Welcome</html>"), "an answer that is no chat completion: '<html>Welcome</html>' has no choices"),
        ((200, {"choices": []}), "an answer that is no chat completion: "),
    ],
    ids=["wrong facts", "too many tokens", "empty", "server error", "long record", "web page", "no choice"],
)
def test_a_caption_that_cannot_be_used_is_worded_by_rules_and_the_row_says_why(serve, tmp_path, answer, why):
    server = serve(lambda server, prompt: answer)
    (row,) = described(settings_for(server.url, tmp_path), [RECORD])
    assert row["caption"] == row["reference"] and row["caption_fallback"].startswith(why)
    assert len(server.asked) == (5 if "attempts" in why else 1)


def test_a_server_that_hangs_or_is_gone_costs_its_deadline_and_no_photograph(serve, tmp_path):
    def hang(server: ChatServer, prompt: str) -> Answer:
        server.stopping.wait()
        return completion(TRUE)

    (row,) = described(settings_for(serve(hang).url, tmp_path, timeout_s=0.05), [RECORD])
    assert row["caption"] == row["reference"]
    assert row["caption_fallback"] == "no answer within timeout_s = 0.05 s, 5 attempts"
    with chat_server(hang) as closed:
        pass
    (row,) = described(settings_for(closed.url, tmp_path), [RECORD])
    assert row["caption_fallback"].startswith("no connection, 5 attempts: ")


def test_a_caption_ends_at_its_deadline_whatever_the_client_waits_for(serve, tmp_path, monkeypatch):
    monkeypatch.setattr("vaserl.policy.chat_client._PAUSES_S", -4.8)

    def hang(server: ChatServer, prompt: str) -> Answer:
        server.stopping.wait()
        return completion(TRUE)

    (row,) = described(settings_for(serve(hang).url, tmp_path, timeout_s=1.0), [RECORD])
    assert row["caption_fallback"] == "no answer within 0.2 s"


def test_a_key_that_is_refused_stops_the_run_and_names_the_setting(serve, tmp_path, monkeypatch):
    server = serve(lambda server, prompt: refusal(401, "wrong key: sesame"))
    monkeypatch.setenv("SCRIBE_KEY", "sesame")
    keyed = settings_for(server.url, tmp_path, api_key_variable="SCRIBE_KEY")
    message = (
        r"describe\.llm\.server\.api_key_variable: the server refuses the key in SCRIBE_KEY; set .* valid key.*"
        r"HTTP status 401.*wrong key: \[key\]"
    )
    check = curation_of(keyed)
    with pytest.raises(UserError, match=message):
        DESCRIBE.check(check)
    assert len(server.asked) == 1 and server.asked[0]["max_tokens"] == 1
    with pytest.raises(UserError, match=message):
        described(keyed, [RECORD] * 3)
    with pytest.raises(UserError, match="the server wants a key; set api_key_variable to the name"):
        DESCRIBE.check(curation_of(settings_for(server.url, tmp_path)))
    monkeypatch.delenv("SCRIBE_KEY")
    with pytest.raises(UserError, match="environment variable SCRIBE_KEY is not set on this node; set it"):
        DESCRIBE.check(check)


def curation_of(settings: DescribeSettings) -> StageContext:
    return StageContext(
        settings=CurateSettings.model_validate({"dataset": "d", "source": {"path": "p"}, "describe": settings})
    )


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (
            refusal(404, "no such model"),
            r"server\.model = 'scribe' or base_url: not found; use a name that GET .*/models",
        ),
        (refusal(422, "seed?"), r"describe\.llm\.server: the server refuses the request\. .*status 422: .*seed"),
        ((200, "<html>"), r"server\.base_url = http.*: an answer that is no chat completion .*usually /v1"),
        ((200, {"choices": None}), r"server\.base_url = http.*: an answer that is no chat completion"),
    ],
    ids=["no model", "bad request", "web page", "no choices"],
)
def test_check_server_names_what_to_correct(serve, tmp_path, answer, message):
    server = serve(lambda server, prompt: answer)
    with pytest.raises(UserError, match=message):
        DESCRIBE.check(curation_of(settings_for(server.url, tmp_path)))


def test_check_server_names_a_server_that_is_not_there_and_a_batch_that_would_be_killed(tmp_path):
    with chat_server(lambda server, prompt: completion(TRUE)) as closed:
        pass
    with pytest.raises(UserError, match=r"base_url = http.*: no answer .*Start the server or correct the URL"):
        DESCRIBE.check(curation_of(settings_for(closed.url, tmp_path)))
    server = ChatServerSettings(base_url=closed.url, model="scribe", timeout_s=108)
    with pytest.raises(
        UserError, match=r"timeout_s = 108: a caption may take 600 s .* pool\.describe\.timeout_s = 600"
    ):
        check_server(server, 600.0)


def test_a_changed_model_is_another_result_and_a_key_is_in_no_digest(serve, tmp_path, monkeypatch):
    monkeypatch.setenv("SCRIBE_KEY", "sesame")
    recipe = DESCRIBE.recipe(curation_of(settings_for("http://x/v1", tmp_path, api_key_variable="SCRIBE_KEY")))
    assert "sesame" not in repr(recipe) and '"model":"scribe"' in recipe.arguments[0].model_dump_json()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "either the path of a language model or a table"),
        ({"path": "m", "server": {"base_url": "http://x/v1", "model": "m"}}, "either the path"),
        ({"dtype": "float16", "server": {"base_url": "http://x/v1", "model": "m"}}, "dtype has no effect beside"),
        ({"server": {"base_url": "x:8000", "model": "m"}}, "base_url"),
    ],
)
def test_writer_settings_have_one_model(values, message):
    with pytest.raises(ValueError, match=message):
        WriterSettings.model_validate(values)
