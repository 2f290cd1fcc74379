"""Tests the progress output when it isn't a terminal."""

import sys
import threading
import time

import pytest

import vaserl.runs.progress as module
from vaserl.runs.progress import Progress


def pairs(line: str) -> dict[str, str]:
    """Returns the key=value pairs of a line."""
    return dict(pair.split("=", 1) for pair in line.split(" "))


def test_progress_off_a_terminal_prints_plain_lines_for_the_first_and_the_last_unit(capsys):
    with Progress("work", total=20) as progress:
        for _ in range(20):
            progress.advance(loss=0.123456)
    lines = capsys.readouterr().err.splitlines()
    assert [pairs(line)["done"] for line in lines] == ["1/20", "20/20"]
    assert list(pairs(lines[0])) == ["stage", "done", "elapsed_s", "left_s", "rate_per_h", "loss"]
    assert lines[-1].endswith(" loss=0.1235")
    assert not any("\r" in line or "\x1b" in line for line in lines)


def test_progress_prints_lines_while_a_long_unit_runs(capsys, monkeypatch):
    monkeypatch.setattr(module, "LINE_EVERY_S", 0.1)
    waits = {"step": 2, "waiting_for": "rollout", "waiting_s": 7}
    with Progress("grpo", total=3, waits_for=lambda: waits) as progress:
        progress.advance(reward=0.5)
        time.sleep(0.35)
    first, *silent = capsys.readouterr().err.splitlines()
    assert "waiting_for" not in first
    assert 1 <= len(silent) <= 3
    for line in silent:
        found = pairs(line)
        assert list(found) == [
            *("stage", "done", "step", "elapsed_s", "left_s", "rate_per_h", "waiting_for", "waiting_s", "reward")
        ]
        assert (found["done"], found["step"], found["waiting_for"], found["reward"]) == ("1/3", "2", "rollout", "0.5")


def test_progress_states_no_rate_before_the_first_unit_ends(capsys, monkeypatch):
    monkeypatch.setattr(module, "LINE_EVERY_S", 0.05)
    with Progress("grpo", total=3):
        time.sleep(0.2)
    assert "stage=grpo done=0/3 elapsed_s=0" in capsys.readouterr().err.splitlines()


def test_progress_after_a_resume_starts_at_the_steps_done_before(capsys):
    with Progress("grpo", total=30, done=28) as progress:
        progress.advance()
        progress.advance()
    lines = capsys.readouterr().err.splitlines()
    assert [pairs(line)["done"] for line in lines] == ["29/30", "30/30"]
    assert pairs(lines[-1])["left_s"] == "0"


def test_progress_leaves_no_thread_behind():
    before = threading.active_count()
    with pytest.raises(RuntimeError, match="the job"), Progress("work", total=2):
        assert threading.active_count() == before + 1
        raise RuntimeError("the job")
    assert threading.active_count() == before


def test_progress_survives_a_source_that_fails_and_a_closed_stderr(capsys, monkeypatch):
    def broken() -> dict[str, int | str]:
        raise RuntimeError("no phases")

    monkeypatch.setattr(module, "LINE_EVERY_S", 0.05)
    with Progress("work", total=2, waits_for=broken) as progress:
        time.sleep(0.2)
        progress.advance()
    assert "stage=work: the progress display ended: RuntimeError('no phases')" in capsys.readouterr().err

    class Closed:
        def isatty(self) -> bool:
            return False

        def write(self, text: str) -> int:
            raise ValueError("I/O operation on closed file")

        def flush(self) -> None:
            raise ValueError("I/O operation on closed file")

    monkeypatch.setattr(sys, "stderr", Closed())
    with Progress("work", total=1) as progress:
        progress.advance()
        time.sleep(0.1)
