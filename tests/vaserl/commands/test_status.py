"""Tests the subcommand `status`: its text, its JSON object and its exit codes."""

import dataclasses
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fakes.settings import train_settings
from vaserl.commands.__main__ import main
from vaserl.runs.run import Run
from vaserl.runs.status import OpenPhase, RunStatus, SavedCheckpoint

NOW = time.time()


def write(folder: Path, **changes) -> Path:
    """Writes the status of a job of this process that waits for a rollout, with these fields changed."""
    status = RunStatus(
        job="train",
        state="running",
        step=12,
        num_steps=30,
        steps_per_hour=60.0,
        left_s=1065.0,
        phases=(OpenPhase(name="rollout", step=13, since=time.time() - 90),),
        checkpoint=SavedCheckpoint(step=12, time=time.time() - 95, place="checkpoints/step=00012"),
        pid=os.getpid(),
        host=socket.gethostname(),
        epoch=2,
        started=time.time() - 7500,
        seen=time.time() - 2,
    )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "status.json").write_text(json.dumps(dataclasses.replace(status, **changes).as_dict()))
    return folder


def dead_pid() -> int:
    """Returns the id of a process that has ended and was reaped."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_status_prints_a_running_job(tmp_path: Path, capsys):
    assert main(["status", str(write(tmp_path / "run"))]) == 0
    out = capsys.readouterr().out
    assert out == (
        f"{tmp_path / 'run'}: train, running\n"
        "  step          12 of 30 (40%)\n"
        "  rate          60 steps an hour, 17 min 45 s left\n"
        "  waits for     rollout of step 13, for 1 min 30 s\n"
        "  checkpoint    step 12, 1 min 35 s ago: checkpoints/step=00012\n"
        f"  process       {os.getpid()} on {socket.gethostname()}, ran for 2 h 4 min, start 2 of this run\n"
        "  sign of life  2 s ago\n"
    )


def test_status_json_is_one_object(tmp_path: Path, capsys):
    assert main(["status", str(write(tmp_path / "run")), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["state"], found["step"], found["num_steps"], found["checkpoint"]["step"]) == ("running", 12, 30, 12)
    assert found["phases"][0]["name"] == "rollout"
    assert found["path"] == str(tmp_path / "run")
    assert 2 <= found["age_s"] < 30


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"state": "finished", "step": 30}, 0, "train, finished"),
        ({"state": "stopped", "reason": "SIGTERM"}, 3, "reason        SIGTERM"),
        ({"state": "failed", "reason": "RuntimeError: out of memory"}, 3, "error         RuntimeError: out of memory"),
        ({"seen": NOW - 7200}, 4, "is there, but silent: it hangs or is suspended"),
        ({"seen": NOW - 7200, "host": "elsewhere"}, 4, "no sign of life for more than 60 s"),
        ({"host": "elsewhere"}, 0, "train, running"),
        ({"num_skipped_steps": 2}, 0, "skipped       2 steps trained nothing"),
    ],
)
def test_status_exit_code_tells_whether_the_job_is_well(tmp_path: Path, capsys, changes: dict, code: int, words: str):
    assert main(["status", str(write(tmp_path / "run", **changes))]) == code
    assert words in capsys.readouterr().out


def test_status_of_a_killed_job_is_lost_at_once(tmp_path: Path, capsys):
    run = write(tmp_path / "run", pid=dead_pid())
    assert main(["status", str(run)]) == 4
    out = capsys.readouterr().out
    assert "train, lost" in out
    assert "has ended without saying so" in out
    assert "waited for    rollout of step 13, for 1 min 28 s" in out
    assert main(["status", str(run), "--json"]) == 4
    assert json.loads(capsys.readouterr().out)["state"] == "lost"


def test_status_of_a_killed_job_that_nobody_reaped_is_lost_too(tmp_path: Path, capsys):
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it is a zombie now
        assert main(["status", str(write(tmp_path / "run", pid=process.pid))]) == 4


def test_status_of_a_run_of_an_older_version(tmp_path: Path, capsys):
    run = Run(tmp_path / "run")
    run.begin(train_settings(num_steps=3))
    run.metrics_file.write_text('{"step": 1}\n{"step": 2}\n{"ste')
    assert main(["status", str(run.path)]) == 0
    out = capsys.readouterr().out
    assert "2 of 3 (67%)" in out
    assert "no status.json" in out
    os.utime(run.metrics_file, (NOW - 3600, NOW - 3600))
    assert main(["status", str(run.path)]) == 4
    run.metrics_file.write_text('{"step": 3}\n')
    os.utime(run.metrics_file, (NOW - 3600, NOW - 3600))
    assert main(["status", str(run.path)]) == 0
    assert "train, finished" in capsys.readouterr().out


def test_status_lists_the_jobs_of_a_quick_start(tmp_path: Path, capsys):
    (tmp_path / ".quickstart").touch()
    write(tmp_path / "sft", job="sft", state="finished")
    write(tmp_path / "grpo", state="failed", reason="RuntimeError: x")
    assert main(["status", str(tmp_path)]) == 3
    out = capsys.readouterr().out
    assert f"{tmp_path}/sft: sft, finished" in out
    assert f"{tmp_path}/grpo: train, failed" in out
    assert f"{tmp_path}/evaluation: not started" in out
    assert main(["status", str(tmp_path), "--json"]) == 3
    jobs = json.loads(capsys.readouterr().out)["jobs"]
    assert {name: job and job["state"] for name, job in jobs.items()} == {
        "sft": "finished",
        "grpo": "failed",
        "evaluation": None,
    }


def test_status_refuses_a_folder_that_is_no_run(tmp_path: Path, capsys):
    assert main(["status", str(tmp_path)]) == 2
    assert f"{tmp_path} holds no run of train, sft or evaluate" in capsys.readouterr().err
    assert main(["status", str(tmp_path / "nowhere")]) == 2
    assert f"{tmp_path / 'nowhere'} is no folder" in capsys.readouterr().err
    Run(tmp_path / "grpo").begin(train_settings())
    assert main(["status", str(tmp_path)]) == 2
    assert f"did you mean {tmp_path / 'grpo'}?" in capsys.readouterr().err
