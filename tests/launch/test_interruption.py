"""Tests the end of a job by SIGTERM and Ctrl-C: exit code, cleaning up, and no traceback."""

import contextlib
import errno
import os
import pty
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from launch.interruption import interruptible
from launch.main import start_job
from vaserl.errors import NonFiniteError, ParityError

ROOT = Path(__file__).parents[2]
JOB = """
import sys, types, time
from pathlib import Path
from launch import main
from launch.interruption import interruptible
from launch.jobs import JOBS, Job

def run(settings):
    {beginning}
    with interruptible():
        try:
            print("works", flush=True)
            {waiting}
        finally:
            print("cleans up", flush=True)
            {cleaning}

sys.modules["job"] = types.SimpleNamespace(run=run)
JOBS["vaseeval"] = Job(module="job", line="waits", settings=JOBS["vaseeval"].settings, example="")
sys.exit(main.start_job("vaseeval", ["configs/vaseeval/lathe.toml"]))
"""
# Short sleeps: a signal that comes just before a sleep begins is only noticed when that sleep ends.
SLEEPS = "for _ in range(1200): time.sleep(0.05)"


def job(cleaning: str = "pass", waiting: str = SLEEPS, beginning: str = "pass") -> subprocess.Popen[str]:
    """Starts a process that calls `start_job` with a job that waits, and returns it when the job works."""
    process = subprocess.Popen(
        [sys.executable, "-c", JOB.format(cleaning=cleaning, waiting=waiting, beginning=beginning)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "works\n"
    return process


def end_with_children(process: subprocess.Popen[str]) -> None:
    """Kills a process that has not ended, and what it started: the Ray of a job would go on."""
    if process.poll() is None:
        family = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        process.communicate(timeout=20)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_job_told_to_end_cleans_up_and_exits_with_the_signals_code(number: int, code: int):
    process = job()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (code, "cleans up\n", "")


def test_job_told_to_end_while_it_waits_for_an_actor_ends_before_the_actor_answers():
    """Ray ends a call for a KeyboardInterrupt alone; any other exception of a signal handler waits for the result."""
    process = job(
        # the call itself sends the signal, so the driver is waiting by then
        waiting="ray.get(ray.remote(num_cpus=0)(lambda: (time.sleep(1), os.kill(pid, 15), time.sleep(100))).remote())",
        beginning="import os, ray; pid = os.getpid(); os.environ['RAY_AUTH_MODE'] = 'disabled'; "
        "ray.init(address='local', num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level='ERROR')",
    )
    try:
        out, err = process.communicate(timeout=60)
    finally:
        end_with_children(process)
    assert (process.returncode, out) == (143, "cleans up\n"), err
    assert "Traceback" not in err


def test_job_told_twice_to_end_ends_at_once():
    process = job("time.sleep(60)")
    process.send_signal(signal.SIGTERM)
    assert process.stdout is not None and process.stdout.readline() == "cleans up\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == -signal.SIGTERM


def test_job_interrupted_by_the_keyboard_while_it_starts_shows_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Until Ray has started, Python's own handler of Ctrl-C is in force."""

    def interrupted(settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "launch.vaseeval", SimpleNamespace(run=interrupted))
    assert start_job("vaseeval", [str(ROOT / "configs/vaseeval/lathe.toml")]) == 130
    assert capsys.readouterr().err == ""


def test_job_on_a_full_disk_names_the_file_and_shows_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def fails(settings: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "run/metrics.jsonl")

    monkeypatch.setitem(sys.modules, "launch.vaseeval", SimpleNamespace(run=fails))
    assert start_job("vaseeval", [str(ROOT / "configs/vaseeval/lathe.toml")]) == 2
    message = "error: [Errno 28] No space left on device: 'run/metrics.jsonl'. Free some space\n"
    assert capsys.readouterr().err == message


@pytest.mark.parametrize("kind", [ParityError, NonFiniteError])
def test_job_stopped_by_a_check_ends_with_its_message_alone(kind, monkeypatch, capsys: pytest.CaptureFixture[str]):
    def fails(settings: object) -> None:
        raise kind("engine 0 does not serve version 3")

    monkeypatch.setitem(sys.modules, "launch.vaseeval", SimpleNamespace(run=fails))
    assert start_job("vaseeval", [str(ROOT / "configs/vaseeval/lathe.toml")]) == 1
    assert capsys.readouterr().err == "error: engine 0 does not serve version 3\n"


def test_job_ends_although_a_library_caught_the_interrupt_while_it_was_imported(monkeypatch: pytest.MonkeyPatch):
    def run(settings: object) -> None:
        with contextlib.suppress(BaseException):  # as a bare `except:` does
            signal.raise_signal(signal.SIGINT)
        with interruptible():
            pytest.fail("the job goes on")

    before = signal.getsignal(signal.SIGINT)
    monkeypatch.setitem(sys.modules, "launch.vaseeval", SimpleNamespace(run=run))
    assert start_job("vaseeval", [str(ROOT / "configs/vaseeval/lathe.toml")]) == 130
    assert signal.getsignal(signal.SIGINT) is before


def test_job_whose_terminal_is_closed_cleans_up(tmp_path: Path):
    """The job prints to a terminal, which fails once the terminal is closed."""
    mark = tmp_path / "cleaned"
    # A process under nohup hands its children a SIGHUP that is ignored; then a closed terminal ends nothing.
    listens = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
    cleaning = f"print('to the terminal', flush=True); Path({str(mark)!r}).touch()"
    code = listens + JOB.format(cleaning=cleaning, waiting=SLEEPS, beginning="pass")
    controller, terminal = pty.openpty()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=terminal, stderr=terminal, cwd=ROOT)
    os.close(terminal)
    shown = b""
    while not shown.endswith(b"\n"):  # a terminal may hand a line over in pieces
        shown += os.read(controller, 100)
    assert shown == b"works\r\n"
    os.close(controller)
    process.send_signal(signal.SIGHUP)  # the kernel sends it to the terminal's session, which this process isn't
    assert (process.wait(timeout=30), mark.is_file()) == (129, True)


def test_job_under_nohup_goes_on_when_its_terminal_is_closed():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
