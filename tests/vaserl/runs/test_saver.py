"""Tests the saver of checkpoints: a full disk, a slow one, and the end of a job while a checkpoint is written."""

import errno
import os
import threading
import time
from pathlib import Path

import pytest

from tests.fakes.recordings import StateLearner, recording
from tests.fakes.settings import train_settings
from vaserl.errors import UserError
from vaserl.policy.weights import make_weights
from vaserl.runs.recorder import GrpoRecorder
from vaserl.runs.run import Run
from vaserl.runs.saver import SaveError
from vaserl.settings import TrainSettings


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes fsync do nothing, because it takes milliseconds."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


class FullDiskLearner(StateLearner):
    """A fake learner whose rank finds a full disk in some steps."""

    def __init__(self, *full_steps: int):
        super().__init__()
        self._full_steps = full_steps

    def write_snapshot(self, place: str):
        if int(self._copy) in self._full_steps:
            raise OSError(errno.ENOSPC, "No space left on device", f"{place}/state")
        return super().write_snapshot(place)


class SlowLearner(StateLearner):
    """A fake learner that writes its state only when the test allows it."""

    def __init__(self):
        super().__init__()
        self.may_write = threading.Event()

    def write_snapshot(self, place: str):
        assert self.may_write.wait(30)
        return super().write_snapshot(place)


def settings_of(**checkpoint: int) -> TrainSettings:
    return train_settings(num_steps=9, trackers=[], checkpoint={"keep_last": 2} | checkpoint)


def take_step(recorder: GrpoRecorder, step: int, learner: StateLearner) -> None:
    """Records a step in the order of the training loop."""
    learner.num_steps = step
    recorder.metrics(step, {"loss": 0.5})
    recorder.keep(step, make_weights(step + 1, {"adapter.bin": bytes([step])}), learner, {})


def kept(run: Run) -> list[str]:
    """Returns the names of all folders of checkpoints, the unfinished ones included."""
    return sorted(path.name for path in run.checkpoints_folder.iterdir())


def test_saver_goes_on_while_the_disk_is_full_and_stops_after_max_failed(tmp_path: Path, capsys):
    run = Run(tmp_path / "run")
    learner = FullDiskLearner(3, 5, 6, 7)
    with recording(run, settings_of(max_failed=3)) as recorder:
        for step in range(1, 8):
            take_step(recorder, step, learner)
        with pytest.raises(SaveError) as raised:
            take_step(recorder, 8, learner)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("checkpoint: ")]
    counted = [line.split("could not be written, ")[1].split(" in a row")[0] for line in lines]
    assert counted == ["1 of 3 times", "1 of 3 times", "2 of 3 times"]  # the checkpoint of step 4 starts the count anew
    assert "the newest one is of step 2" in lines[0] and "the newest one is of step 4" in lines[2]
    message = str(raised.value)
    assert "3 of 3 times in a row (the newest one is of step 4): [Errno 28] No space left on device" in message
    assert "checkpoints/.writing-step=00007" in message  # which file it was
    assert "--checkpoint.path" in message
    assert [row["step"] for row in run.metrics] == [1, 2, 3, 4, 5, 6, 7]
    assert kept(run) == ["step=00002", "step=00004"]  # what was written of the others is removed
    with recording(run, settings_of(max_failed=3)) as recorder:
        assert [row["step"] for row in run.metrics] == [1, 2, 3, 4]


def test_saver_says_that_a_run_on_a_full_disk_has_no_checkpoint_yet(tmp_path: Path):
    run, learner = Run(tmp_path / "run"), FullDiskLearner(1)
    with recording(run, settings_of(max_failed=1)) as recorder, pytest.raises(SaveError, match="there is none yet"):
        for step in (1, 2):
            take_step(recorder, step, learner)


def test_saver_shows_the_cause_of_an_error_of_another_process_in_one_line(tmp_path: Path, capsys):
    class RemoteError(OSError):
        """An error as Ray raises it: its message is the other process's traceback."""

        cause = OSError(errno.ENOSPC, "No space left on device", "state")

    class RemoteLearner(StateLearner):
        def write_snapshot(self, place: str):
            raise RemoteError("Traceback …\nmany lines")

    with recording(Run(tmp_path / "run"), settings_of(max_failed=9)) as recorder:
        take_step(recorder, 1, RemoteLearner())
        recorder.stop("a test")
    line = "checkpoint: could not be written, 1 of 9 times in a row (there is none yet): [Errno 28] No space left"
    assert f"{line} on device: 'state'\n" in capsys.readouterr().err


def test_begun_refuses_a_checkpoint_path_that_is_a_file(tmp_path: Path):
    (tmp_path / "file").touch()
    settings = train_settings(checkpoint={"path": str(tmp_path / "file")})
    with (
        pytest.raises(UserError, match=r"file: checkpoint\.path is not a folder"),
        recording(Run(tmp_path / "run"), settings),
    ):
        pass


def test_saver_writes_every_few_steps_and_after_the_last(tmp_path: Path):
    run, learner = Run(tmp_path / "run"), StateLearner()
    with recording(run, settings_of(every=4, keep_last=9)) as recorder:
        for step in range(1, 10):
            take_step(recorder, step, learner)
        recorder.finish()
    assert kept(run) == ["step=00004", "step=00008", "step=00009"]


def test_saver_with_every_0_writes_none(tmp_path: Path):
    run, learner = Run(tmp_path / "run"), StateLearner()
    with recording(run, settings_of(every=0)) as recorder:
        take_step(recorder, 1, learner)
        recorder.finish()
    assert not run.checkpoints_folder.exists()


def test_saver_writes_while_the_next_step_runs_and_is_waited_for_before_it_is_recorded(tmp_path: Path):
    run, learner = Run(tmp_path / "run"), SlowLearner()
    with recording(run, settings_of()) as recorder:
        take_step(recorder, 1, learner)  # returns although nothing is written
        assert not (run.checkpoints_folder / "step=00001").exists()
        threading.Timer(0.2, learner.may_write.set).start()
        with recorder.phase(2, "learn"):
            pass
        assert not learner.may_write.is_set()
        take_step(recorder, 2, learner)
        assert kept(run)[-1] in ("step=00001", "step=00002")
        recorder.finish()
    assert kept(run) == ["step=00001", "step=00002"]


def test_recorder_stop_finishes_the_checkpoint_that_is_being_written(tmp_path: Path, capsys):
    run, learner = Run(tmp_path / "run"), SlowLearner()
    with recording(run, settings_of()) as recorder:
        take_step(recorder, 1, learner)
        threading.Timer(0.2, learner.may_write.set).start()
        recorder.stop("SIGTERM")
    assert kept(run) == ["step=00001"]
    message = "run: stopped by SIGTERM after step 1; the same command continues after step 1"
    assert message in capsys.readouterr().err


def test_recorder_stop_does_not_wait_for_a_disk_that_hangs(tmp_path: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vaserl.runs.recorder._GRACE_S", 0.1)
    run, learner = Run(tmp_path / "run"), SlowLearner()
    with recording(run, settings_of()) as recorder:
        take_step(recorder, 1, learner)
        start = time.monotonic()
        recorder.stop("SIGTERM")
        assert time.monotonic() - start < 5
    learner.may_write.set()
    message = (
        "stopped by SIGTERM after step 1; the same command continues at step 1, because there is no checkpoint yet"
    )
    assert message in capsys.readouterr().err


def test_tensorboard_shows_no_step_twice_after_a_resume(tmp_path: Path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run, learner = Run(tmp_path / "run"), FullDiskLearner(3)
    settings = train_settings(num_steps=9, trackers=["tensorboard"])
    with recording(run, settings, ["tensorboard"]) as recorder:
        for step in (1, 2, 3):
            take_step(recorder, step, learner)
        recorder.stop("a test")  # step 3 has no checkpoint, so the resumed job takes it again
    # TensorBoard reads a folder's files in the order of their names: the second of their creation, then a number that
    # is compared as text (10 before 9). A resumed job is another process, seconds later.
    begun = int(time.time())
    while int(time.time()) == begun:
        time.sleep(0.05)
    with recording(run, settings, ["tensorboard"]) as recorder:
        for step in (3, 4):
            take_step(recorder, step, learner)
        recorder.stop("a test")
    events = EventAccumulator(str(run.tensorboard_folder))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3, 4]
