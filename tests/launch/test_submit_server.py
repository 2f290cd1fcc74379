"""Tests of the client of Ray's job server, with a server that loses connections."""

import asyncio
import errno
from collections.abc import AsyncIterator
from types import SimpleNamespace

import aiohttp
import pytest

from launch.submit.server import JobServer, OutputError, _pause_s
from vaserl.errors import UserError

TEXT = ("one\n", "two\n", "three\n")


class FakeClient:
    """Ray's client of a server with one job, which prints `parts`. `tails` states what each connection does."""

    def __init__(self, *tails: object, parts: tuple[str, ...] = TEXT, is_alive: bool = True, has_logs: bool = True):
        """tails: for each connection, in order, how many parts come, and then "end", "quiet" or an exception, which is
        raised. The job ends with exit code 7 before the last of them if `is_alive`, else it has ended already."""
        self._tails, self._parts, self._is_alive, self._has_logs = list(tails), parts, is_alive, has_logs

    async def tail_job_logs(self, submission_id: str) -> AsyncIterator[str]:
        assert submission_id == "a.1"
        num_parts, end = self._tails.pop(0)
        self._is_alive = self._is_alive and bool(self._tails)
        for part in self._parts[:num_parts]:
            yield part
        if end == "quiet":
            await asyncio.Event().wait()
        if end != "end":
            raise end

    def get_job_info(self, submission_id: str) -> SimpleNamespace:
        return SimpleNamespace(
            submission_id=submission_id,
            metadata={"vaserl_output": "/nfs/runs/a"},
            status="RUNNING" if self._is_alive else "FAILED",
            driver_exit_code=None if self._is_alive else 7,
            message=None,
        )

    def get_job_logs(self, submission_id: str) -> str:
        if not self._has_logs:
            raise RuntimeError("Request failed with status code 500: the node is gone")
        return "".join(self._parts)

    def submit_job(self, **options) -> str:
        raise RuntimeError("Request failed with status code 500: Traceback\nValueError: Job a.1 already exists.")


@pytest.fixture(autouse=True)
def short_limits(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("launch.submit.server._POLL_S", 0)
    monkeypatch.setattr("launch.submit.server._QUIET_TIMEOUT_S", 0.01)
    monkeypatch.setattr("launch.submit.server._RECONNECT_FOR_S", 0)


def follow(client: FakeClient) -> tuple[str, int]:
    """Returns what was written and the exit code."""
    written: list[str] = []
    ended = JobServer("http://x", lambda address: client).follow("a.1", written.append)
    assert (ended.id, ended.output) == ("a.1", "/nfs/runs/a")
    return "".join(written), ended.exit_code


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("WebSocket connection closed unexpectedly"),
        ConnectionResetError(),
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientPayloadError(),
    ],
)
def test_follow_writes_everything_once_although_the_connection_breaks(error: Exception):
    assert follow(FakeClient((1, error), (2, error), (3, "end"))) == ("".join(TEXT), 7)


@pytest.mark.timeout(60)
def test_follow_gives_up_when_the_server_stays_away():
    class Away(FakeClient):
        def get_job_info(self, submission_id: str) -> SimpleNamespace:
            raise ConnectionRefusedError("refused")

    away = Away(*[(0, aiohttp.ServerDisconnectedError())] * 1_000_000)
    with pytest.raises(UserError, match=r"no answer from http://x .* Whether job a.1 goes on is unknown"):
        follow(away)


def test_follow_counts_each_loss_of_the_connection_from_its_own_beginning():
    """With a limit of 0 s, a second failure in a row would be the last."""
    error = RuntimeError("closed")
    tails = [(1, error), (1, "quiet"), (1, error), (1, "quiet"), (3, "end")]
    assert follow(FakeClient(*tails)) == ("".join(TEXT), 7)


def test_follow_asks_for_the_state_of_a_quiet_job():
    assert follow(FakeClient((1, "quiet"))) == ("".join(TEXT), 7)


def test_follow_does_not_wait_for_a_stream_that_stays_open_after_the_job(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("launch.submit.server._QUIET_TIMEOUT_S", 1e9)
    assert follow(FakeClient((1, "quiet"))) == ("".join(TEXT), 7)


def test_a_jobs_state_is_asked_for_less_often_the_longer_it_runs():
    assert [_pause_s(age_s) for age_s in (0, 25, 100, 3600)] == [0, 0.5, 2, 10]  # the fixture sets the shortest to 0


def test_follow_of_an_ended_job_whose_output_breaks_off_asks_for_its_state_and_the_rest():
    assert follow(FakeClient((1, RuntimeError("closed")), is_alive=False)) == ("".join(TEXT), 7)


def test_follow_says_that_the_rest_of_the_output_can_not_be_read():
    text, code = follow(FakeClient((1, RuntimeError("closed")), is_alive=False, has_logs=False))
    assert code == 7
    assert text.startswith("one\nsubmit: the rest of the output of job a.1 can't be read: ") and "node is gone" in text


def test_follow_does_not_reconnect_because_its_output_is_closed():
    def closed(text: str) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with pytest.raises(OutputError, match="Broken pipe"):  # a second connection would find no further tail
        JobServer("http://x", lambda address: FakeClient((1, "quiet"))).follow("a.1", closed)


def test_server_reports_a_refusal_in_one_line():
    server = JobServer("http://x", lambda address: FakeClient())
    with pytest.raises(UserError, match=r"^http://x: ValueError: Job a\.1 already exists\.$"):
        server.submit("a.1", "true", {}, "/nfs/runs/a")
