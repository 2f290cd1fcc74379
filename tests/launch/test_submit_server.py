"""Tests of the client of Ray's job server, with a server that loses connections."""

from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from launch.submit.server import JobServer
from vaserl.errors import UserError


class FakeClient:
    """Ray's client of a server with one job, whose connection breaks after each of `parts` but the last."""

    def __init__(self, *parts: str, status: str = "SUCCEEDED", code: int | None = 0):
        self._parts, self._status, self._code, self._num_calls = parts, status, code, 0

    async def tail_job_logs(self, submission_id: str) -> AsyncIterator[str]:
        assert submission_id == "a.1"
        self._num_calls += 1
        for part in self._parts[: self._num_calls]:
            yield part
        if self._num_calls < len(self._parts):
            raise RuntimeError("WebSocket connection closed unexpectedly")

    def get_job_info(self, submission_id: str) -> SimpleNamespace:
        return SimpleNamespace(
            submission_id=submission_id,
            metadata={"vaserl_output": "/nfs/runs/a"},
            status=self._status,
            driver_exit_code=self._code,
            message=None,
        )

    def submit_job(self, **options) -> str:
        raise RuntimeError("Request failed with status code 500: Traceback\nValueError: Job a.1 already exists.")


def test_follow_writes_everything_once_although_the_connection_breaks(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("launch.submit.server._POLL_S", 0)
    server = JobServer("http://x", lambda address: FakeClient("one\n", "two\n", "three\n", status="FAILED", code=7))
    written: list[str] = []
    ended = server.follow("a.1", written.append)
    assert "".join(written) == "one\ntwo\nthree\n"
    assert (ended.id, ended.output, ended.exit) == ("a.1", "/nfs/runs/a", 7)


def test_follow_gives_up_when_the_server_stays_away(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("launch.submit.server._POLL_S", 0)
    monkeypatch.setattr("launch.submit.server._RECONNECT_FOR_S", 0)
    server = JobServer("http://x", lambda address: FakeClient(*[""] * 1_000_000))
    with pytest.raises(UserError, match=r"no answer from http://x .* Whether job a.1 goes on is unknown"):
        server.follow("a.1", lambda text: None)


def test_follow_asks_for_the_state_of_a_quiet_job(monkeypatch: pytest.MonkeyPatch):
    class Silent(FakeClient):
        async def tail_job_logs(self, submission_id: str) -> AsyncIterator[str]:
            import asyncio

            yield "begun\n"
            await asyncio.sleep(60)  # cancelled by the time limit below

    monkeypatch.setattr("launch.submit.server._QUIET_TIMEOUT_S", 0.01)
    written: list[str] = []
    assert JobServer("http://x", lambda address: Silent(status="STOPPED")).follow("a.1", written.append).exit == 143
    assert written == ["begun\n"]


def test_server_reports_a_refusal_in_one_line(tmp_path):
    server = JobServer("http://x", lambda address: FakeClient())
    with pytest.raises(UserError, match=r"^http://x: ValueError: Job a\.1 already exists\.$"):
        server.submit("a.1", "true", tmp_path / "x.zip", {}, "/nfs/runs/a")
