"""Tests of the whole command `launch/submit.sh` with Ray's client and a job server that runs nothing."""

import io
import os
import signal
import socket
import subprocess
import threading
import zipfile
from pathlib import Path

import pytest

from launch.submit.__main__ import main
from launch.submit.server import JobServer
from tests.launch.job_server import FakeJobServer
from vaserl.errors import UserError

pytestmark = pytest.mark.timeout(120)
ROOT = Path(__file__).parents[2]
CONFIG = 'run_dir = "runs/a"\nnum_steps = 1\nmodel.path = "/nfs/model"\ndata.path = "/nfs/data"\n'


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Changes to a working directory with a config and one module."""
    (tmp_path / "train.toml").write_text(CONFIG)
    (tmp_path / "mine.py").write_text("VERSION = 1\n")
    monkeypatch.chdir(tmp_path)
    # the command sets the first two for Ray's client
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "")
    monkeypatch.setenv("VASERL_STORAGE", "/nfs/v")
    return tmp_path


def submit(server: FakeJobServer, *words: str) -> int:
    return main(["--address", server.address, *words, "train", "train.toml", "--fresh"])


def test_submit_retries_a_failure_with_the_same_files_and_without_fresh(
    work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def edit(seconds: float) -> None:
        (work / "mine.py").unlink(missing_ok=True)

    monkeypatch.setattr("launch.submit.submission.sleep", edit)
    with FakeJobServer(("FAILED", 1), ("FAILED", -9), ("SUCCEEDED", 0)).running() as server:
        assert submit(server, "--retries", "5") == 0
    shown = capsys.readouterr()
    assert shown.out == "a.1 works\na.2 works\na.3 works\n"
    assert "job a.2 failed with exit code 137; again (4 left)" in shown.err
    command = "exec python -m launch.submit.driver train train.toml"
    assert [job["entrypoint"] for job in server.jobs.values()] == [f"{command} --fresh", command, command]
    assert server.uploads[0] == server.uploads[1] == server.uploads[2]
    assert zipfile.ZipFile(io.BytesIO(server.uploads[2])).read("mine.py") == b"VERSION = 1\n"
    variables = server.jobs["a.3"]["runtime_env"]["env_vars"]
    assert sorted(variables) == ["HF_HUB_OFFLINE", "RAY_JOB_STOP_WAIT_TIME_S", "VASERL_STORAGE"]


def test_submit_sends_the_same_wheel_with_each_attempt(work: Path, monkeypatch: pytest.MonkeyPatch):
    wheel = work / "mine-1.0-py3-none-any.whl"
    wheel.write_bytes(b"first")
    monkeypatch.setattr("launch.submit.submission.sleep", lambda seconds: wheel.write_bytes(b"second"))
    with FakeJobServer(("FAILED", 1), ("SUCCEEDED", 0)).running() as server:
        # the working directory's copy of the wheel is not needed
        assert submit(server, "--retries", "1", "--package", str(wheel), "--exclude", "*.whl") == 0
    first, second = (job["runtime_env"]["py_modules"] for job in server.jobs.values())
    assert first == second == ["gcs://mine-1.0-py3-none-any.whl"] and server.uploads.count(b"first") == 2


def test_submit_refuses_a_package_that_is_no_wheel_or_too_large(work: Path, capsys: pytest.CaptureFixture[str]):
    (work / "large-1.0-py3-none-any.whl").write_bytes(bytes(2_000_000))
    with FakeJobServer().running() as server:
        assert submit(server, "--package", "mine.py") == 2
        assert submit(server, "--package", "absent-1.0-py3-none-any.whl") == 2
        exclude = ("--exclude", "*.whl", "--max-upload-mb", "1")
        assert submit(server, *exclude, "--package", "large-1.0-py3-none-any.whl") == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[2][:30] for line in lines] == [
        "--package mine.py: must be a w",
        "--package absent-1.0-py3-none-",
        "--package: the wheels have 2.0",
    ]
    assert not server.jobs


@pytest.mark.parametrize(("outcome", "code"), [(("FAILED", 2), 2), (("STOPPED", None), 143)])
def test_submit_does_not_retry_a_mistake_or_a_stop(outcome: tuple[str, int | None], code: int):
    with FakeJobServer(outcome).running() as server:
        assert submit(server, "--retries", "5") == code


def test_submit_interrupted_before_a_retry_says_so(monkeypatch: pytest.MonkeyPatch, capsys):
    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("launch.submit.submission.sleep", interrupted)
    with FakeJobServer(("FAILED", 1)).running() as server:
        assert submit(server, "--retries", "1") == 130
    assert "interrupted before that; the same command continues the run" in capsys.readouterr().err


def test_submit_interrupted_while_it_sends_names_the_job(monkeypatch: pytest.MonkeyPatch, capsys):
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(JobServer, "submit", interrupted)
    with FakeJobServer().running() as server:
        assert submit(server) == 130
    assert (
        "job a.1 may have been submitted.\n  follow it again:  launch/submit.sh follow a\n" in capsys.readouterr().err
    )


def test_command_interrupted_while_it_connects_shows_no_traceback(monkeypatch: pytest.MonkeyPatch, capsys):
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("launch.submit.server._check_port", interrupted)
    assert main(["follow", "a"]) == 130
    assert capsys.readouterr().err == "submit: interrupted\n"


def test_stop_waits_for_the_end_and_says_when_there_is_none(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr("launch.submit.follower._STOP_TIMEOUT_S", 0)
    with FakeJobServer().running() as server:
        for name, code in (("a.1", None), ("b.1", 0)):
            server.jobs[name] = {
                **{"submission_id": name, "type": "SUBMISSION", "status": "RUNNING", "driver_exit_code": code},
                "entrypoint": "true",
            }
        assert main(["--address", server.address, "stop", "a"]) == 0
        shown = capsys.readouterr()
        assert shown.out == "a.1 works\n"
        assert "job a.1 stopped; the command that started it continues it" in shown.err
        assert main(["--address", server.address, "stop", "b"]) == 1
        assert "job b.1 has not ended within 0 s (it is running)" in capsys.readouterr().err
        assert main(["--address", server.address, "stop", "a"]) == 0
        assert "has ended already (stopped)" in capsys.readouterr().err


def test_upload_may_take_longer_than_a_connection(work: Path, monkeypatch: pytest.MonkeyPatch):
    """The server reads later than a connection may take; the body is larger than what the kernel holds."""
    monkeypatch.setattr("launch.submit.server._CONNECT_TIMEOUT_S", 0.25)
    (work / "large.bin").write_bytes(os.urandom(14_000_000))
    with FakeJobServer(("SUCCEEDED", 0), upload_s=0.6).running() as server:
        assert submit(server, "--max-upload-mb", "100") == 0
    assert len(server.uploads[0]) > 14_000_000


def test_follow_of_a_port_that_accepts_and_closes_reconnects(monkeypatch: pytest.MonkeyPatch):
    """So does a tunnel whose far end is dead."""
    monkeypatch.setattr("launch.submit.server._RECONNECT_FOR_S", 0)
    with FakeJobServer().running() as up, socket.create_server(("127.0.0.1", 0)) as tunnel:
        server = JobServer(up.address)
        server._client._address = f"http://127.0.0.1:{tunnel.getsockname()[1]}"
        threading.Thread(target=close_connections, args=(tunnel,), daemon=True).start()
        with pytest.raises(UserError, match=r"Whether job a\.1 goes on is unknown"):
            server.follow("a.1", print)


def close_connections(listener: socket.socket) -> None:
    """Accepts and closes each connection until the listener is closed."""
    while True:
        try:
            listener.accept()[0].close()
        except OSError:
            return


def test_script_sends_the_token_and_leaves_the_job_running_after_ctrl_c_and_a_closed_pipe(work: Path):
    token = work / "my_secret"
    token.write_text("5e" * 32)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    environment |= {"RAY_AUTH_TOKEN_PATH": str(token)}
    with FakeJobServer(("RUNNING", None)).running() as server:
        environment |= {"RAY_API_SERVER_ADDRESS": server.address}

        def start(*words: str) -> subprocess.Popen[str]:
            # processes in the background of a shell hand on that SIGINT is ignored
            return subprocess.Popen(
                ["env", "--default-signal=INT", ROOT / "launch/submit.sh", *words],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )

        with start("train", "train.toml") as first:
            assert first.stdout is not None and first.stdout.readline() == "a.1 works\n"
            with start("follow", "a") as second:
                assert second.stdout is not None
                second.stdout.close()
                assert second.stderr is not None
                assert "goes on, but its output can't be printed" in second.stderr.read()
                assert second.wait(60) == 141
            first.send_signal(signal.SIGINT)
            out, err = first.communicate(timeout=60)
        assert (first.returncode, out) == (130, "")
        assert "job a.1 goes on.\n  follow it again:  launch/submit.sh follow a\n" in err and "Traceback" not in err
        assert set(server.headers) == {f"Bearer {'5e' * 32}"}
        assert zipfile.ZipFile(io.BytesIO(server.uploads[0])).namelist() == ["mine.py", "train.toml"]  # no token
        assert not [name for name in server.jobs["a.1"]["runtime_env"]["env_vars"] if "AUTH" in name]
