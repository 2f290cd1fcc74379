"""Tests status.json: what a running, stopped and failed job writes, and what a reader makes of it."""

import json
import time
from pathlib import Path

import pytest

import vaserl.runs.status as module
from tests.fakes.recordings import recording
from tests.fakes.settings import train_settings
from vaserl.errors import UserError
from vaserl.runs.run import Run
from vaserl.runs.status import RunStatus, SignsOfLife, read_status


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    monkeypatch.setattr(module, "_WRITE_EVERY_S", 0.02)
    monkeypatch.setattr(module, "HEARTBEAT_S", 0.2)


def written(folder: Path) -> RunStatus:
    status = read_status(folder)
    assert status is not None
    return status


def wait_until(is_true) -> None:
    """Blocks until the function returns True; fails after 5 s."""
    end = time.monotonic() + 5
    while not is_true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_status_names_the_phase_that_the_job_waits_for(tmp_path: Path):
    with SignsOfLife(tmp_path, "train", 10, step=3, epoch=2) as status:
        assert (written(tmp_path).step, written(tmp_path).epoch, written(tmp_path).state) == (3, 2, "running")
        with status.phase(4, "rollout"), status.phase(3, "learn"):
            wait_until(lambda: len(written(tmp_path).phases) == 2)
            assert [(phase.name, phase.step) for phase in written(tmp_path).phases] == [("rollout", 4), ("learn", 3)]
            assert status.waits_for() == {"step": 3, "waiting_for": "rollout,learn", "waiting_s": 0}
        wait_until(lambda: not written(tmp_path).phases)
        assert status.waits_for() == {}


def test_status_gives_a_sign_of_life_while_nothing_happens(tmp_path: Path):
    with SignsOfLife(tmp_path, "train", 10):
        first = written(tmp_path).seen
        wait_until(lambda: written(tmp_path).seen > first + 0.3)


def test_status_has_steps_rate_checkpoint_and_skipped_steps(tmp_path: Path):
    with SignsOfLife(tmp_path, "train", 10, step=4) as status:
        status.advanced()
        status.checkpointed(5, "checkpoints/step=00005")
        status.skipped()
        status.skipped()
        wait_until(lambda: written(tmp_path).num_skipped_steps == 2)
        found = written(tmp_path)
        assert found.step == 5
        assert found.checkpoint is not None
        assert (found.checkpoint.step, found.checkpoint.place) == (5, "checkpoints/step=00005")
        assert found.steps_per_hour is not None
        assert found.left_s is not None


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (None, "finished", ""),
        (RuntimeError("out of memory\non rank 3"), "failed", "RuntimeError: out of memory"),
        (ValueError(), "failed", "ValueError"),
        (KeyboardInterrupt(), "stopped", "KeyboardInterrupt"),
        (SystemExit("SIGTERM"), "stopped", "SystemExit: SIGTERM"),
    ],
)
def test_status_states_how_the_job_ended(tmp_path: Path, error: BaseException | None, state: str, reason: str):
    try:
        with SignsOfLife(tmp_path, "sft", 1):
            if error:
                raise error
    except BaseException as raised:
        assert raised is error
    assert (written(tmp_path).state, written(tmp_path).reason) == (state, reason)
    assert written(tmp_path).left_s is None


def test_status_of_a_job_that_was_told_to_stop(tmp_path: Path):
    with SignsOfLife(tmp_path, "train", 10) as status:
        status.stopped("SIGTERM")
    assert (written(tmp_path).state, written(tmp_path).reason) == ("stopped", "SIGTERM")


def test_status_that_can_not_be_written_fails_no_run(tmp_path: Path, capsys):
    folder = tmp_path / "run"
    with SignsOfLife(folder, "train", 1) as status:  # the folder is absent, as when the disk is gone
        status.advanced()
        wait_until(lambda: status.read().num_failed_writes >= 2)
        folder.mkdir()
    assert (written(folder).state, written(folder).step) == ("finished", 1)
    assert written(folder).num_failed_writes >= 2
    assert capsys.readouterr().err.count("can't be written, the run goes on") == 1


def test_status_file_is_never_seen_half_written(tmp_path: Path):
    with SignsOfLife(tmp_path, "train", 10) as status:
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            with status.phase(1, "rollout"):
                assert written(tmp_path).job == "train"  # raises for a file that is cut off
    assert [path.name for path in tmp_path.iterdir()] == ["status.json"]


def test_read_status_names_a_damaged_file(tmp_path: Path):
    assert read_status(tmp_path) is None
    for content in ("", "[]", '{"phases": []}', '{"phases": [], "checkpoint": null, "colour": 1}'):
        (tmp_path / "status.json").write_text(content)
        with pytest.raises(UserError, match=r"status\.json can't be read"):
            read_status(tmp_path)


def test_recorder_keeps_the_status_up_to_date(tmp_path: Path, capsys):
    run = Run(tmp_path / "run")
    with recording(run, train_settings(num_steps=2)) as recorder:
        with recorder.phase(1, "rollout"):
            wait_until(lambda: bool(written(run.path).phases))
            assert written(run.path).phases[0].name == "rollout"
        recorder.metrics(1, {"reward/mean": 0.5, "skipped": 1.0})
        wait_until(lambda: written(run.path).step == 1)
        assert written(run.path).num_skipped_steps == 1
        assert (written(run.path).job, written(run.path).num_steps) == ("train", 2)
    assert written(run.path).state == "finished"
    assert json.loads((run.path / "status.json").read_text())["state"] == "finished"


def test_recorder_states_the_error_that_ended_the_run(tmp_path: Path):
    run = Run(tmp_path / "run")
    recorded = recording(run, train_settings(num_steps=2))
    with pytest.raises(RuntimeError), recorded as recorder, recorder.phase(1, "learn"):
        raise RuntimeError("CUDA out of memory")
    found = written(run.path)
    assert (found.state, found.reason, found.phases) == ("failed", "RuntimeError: CUDA out of memory", ())
