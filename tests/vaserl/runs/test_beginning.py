"""Tests how a run begins in its folder: new, continued, finished, refused or taken over."""

import errno
from pathlib import Path

import pytest

from tests.fakes.interrupted_run import NUM_STEPS, begin, checkpoint_file, interrupted, settings_of, take_step
from tests.fakes.recordings import StateLearner, recording
from tests.fakes.scored_groups import scored_group
from vaserl.errors import UserError
from vaserl.files import read_json_lines, write_atomic
from vaserl.policy.weights import make_weights
from vaserl.runs.claim import EPOCH, TakenOverError
from vaserl.runs.run import Run
from vaserl.runs.status import read_status

pytestmark = pytest.mark.usefixtures("unsynced")


def test_begun_continues_after_the_newest_checkpoint(run: Run, capsys):
    found = begin(run)
    assert (found.after_step, found.checkpoint.read("state")) == (3, b"3")
    assert [row["step"] for row in found.metrics] == [1, 2, 3]
    assert "run: continues after step 3 of 5" in capsys.readouterr().err
    assert [(row["epoch"], row["after_step"]) for row in read_json_lines(run.starts_file)] == [(1, 0), (2, 3)]


def test_begun_removes_what_the_killed_job_recorded_of_later_steps(run: Run):
    """A job that is killed inside the write of checkpoint 4 has recorded all of step 4 and a part of step 5."""
    with recording(run, settings_of()) as recorder:
        take_step(recorder, 4, StateLearner())
        recorder.stop("a test")
    checkpoint_file(run, 4).parent.rename(run.checkpoints_folder / ".writing-step=00004-e2")
    run.write_rollouts(5, iter([]))
    (run.path / "rollouts" / ".writing-5f").touch()
    (run.path / "weights" / ".writing-v00005").mkdir(parents=True)
    with run.metrics_file.open("a") as file:
        file.write('{"step": 5, "lo')
    found = begin(run)
    assert found.after_step == 3
    assert (
        [row["step"] for row in run.metrics] == sorted({span.step for span in run.timeline}) == run.steps == [1, 2, 3]
    )
    assert [row.step for row in run.pieces] == [1, 2, 3]
    assert not list(run.path.glob("*/.writing-*"))
    assert sorted(path.name for path in run.checkpoints_folder.iterdir()) == [f"step=0000{k}" for k in (1, 2, 3)]


def test_recorder_of_a_continued_run_completes_the_timeline_without_doubling_it(run: Run):
    with run.timeline_file.open("a") as file:
        file.write('{"step": 2, "phase": "publish", "worker": "engines", "start_s": 1.0, "end_s": 2.0}\n')
    with recording(run, settings_of()) as recorder:
        for step in (2, 3, 4, 4):  # the last two are a draw and its refill
            with recorder.phase(step, "publish" if step < 4 else "rollout"):
                pass
    spans = [(span.step, span.phase) for span in run.timeline if span.phase in ("publish", "rollout")]
    assert spans == [(2, "publish"), (3, "publish"), (4, "rollout"), (4, "rollout")]


def test_begun_starts_again_if_there_was_no_step(tmp_path: Path):
    run = Run(tmp_path / "run")
    begin(run)
    assert begin(run, settings_of(seed=7)).after_step == 0  # nothing is lost, so other settings are fine
    assert run.settings.seed == 7
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_begun_says_that_a_run_is_finished(tmp_path: Path, capsys):
    run = Run(tmp_path / "run")
    with recording(run, settings_of()) as recorder:
        learner = StateLearner()
        for step in range(1, NUM_STEPS + 1):
            take_step(recorder, step, learner)
        recorder.complete(make_weights(6, {"adapter.bin": b"5"}), learner)
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    assert begin(run).is_finished
    assert f"{run.path}: this run is finished: all 5 steps are done. --fresh starts it again" in capsys.readouterr().err
    after = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    changed = {path.name for path in before if before[path] != after[path]}
    assert (after.keys(), changed) == (before.keys(), {"epoch", "lock"})
    longer = begin(run, settings_of().model_copy(update={"num_steps": 8}), num_steps=8)
    assert (longer.is_finished, longer.after_step) == (False, 5)


def test_begun_with_fresh_keeps_the_earlier_run(run: Run, capsys):
    before = run.metrics_file.read_bytes()
    found = begin(run, settings_of(seed=3), fresh=True)
    aside = run.path.with_name("run.before-1")
    assert (found.after_step, found.claim.epoch) == (0, 3)  # a job of the old run can't write to the new one
    assert Run(aside).metrics_file.read_bytes() == before
    assert Run(aside).settings.seed == 0
    assert not run.metrics_file.exists()
    assert f"run: an earlier run was moved to {aside}" in capsys.readouterr().err


def test_begun_refuses_checkpoints_of_another_run_at_checkpoint_path(run: Run, tmp_path: Path):
    elsewhere = settings_of(checkpoint={"path": str(run.checkpoints_folder)})
    with pytest.raises(UserError, match=r"has checkpoints of an earlier run \(up to step 3\)"):
        begin(Run(tmp_path / "other"), elsewhere)
    assert checkpoint_file(run, 3).is_file()


def test_begun_with_fresh_leaves_the_run_where_it_is_if_its_checkpoints_are_elsewhere(tmp_path: Path):
    run, elsewhere = Run(tmp_path / "run"), settings_of(checkpoint={"path": str(tmp_path / "elsewhere")})
    interrupted(run, settings=elsewhere)
    with pytest.raises(UserError, match=r"has checkpoints of an earlier run \(up to step 3\)"):
        begin(run, elsewhere, fresh=True)
    assert {path.name for path in tmp_path.iterdir()} == {"run", "elsewhere"}
    assert begin(run, elsewhere).after_step == 3


def test_begun_does_not_continue_with_the_checkpoints_of_another_run(run: Run, tmp_path: Path):
    """The second run has as many steps, and checkpoint.path may change when a run is continued."""
    other = Run(tmp_path / "other")
    interrupted(other)
    writing = run.checkpoints_folder / ".writing-step=00004-e1"
    writing.mkdir()
    with pytest.raises(UserError, match=r"step=00003 is a checkpoint of another run than .*/other"):
        begin(other, settings_of(checkpoint={"path": str(run.checkpoints_folder)}))
    assert (checkpoint_file(run, 3).is_file(), writing.is_dir()) == (True, True)
    # a run keeps its name when its folder or its checkpoints are moved
    moved = Run(run.path.rename(tmp_path / "moved"))
    moved.checkpoints_folder.rename(tmp_path / "elsewhere")
    assert begin(moved, settings_of(checkpoint={"path": str(tmp_path / "elsewhere")})).after_step == 3


def test_begun_says_that_a_mounted_disk_cannot_be_renamed(run: Run, monkeypatch: pytest.MonkeyPatch):
    def busy(path: Path, target: Path) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(Path, "rename", busy)
    with pytest.raises(UserError, match=r"run can't be renamed to run\.before-1, .*: Device or resource busy"):
        begin(run, fresh=True)


def test_begun_expands_the_home_folder_in_checkpoint_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    found = begin(Run(tmp_path / "run"), settings_of(checkpoint={"path": "~/elsewhere"}))
    assert found.store.place == str(tmp_path / "elsewhere")


def test_begun_leaves_a_folder_with_other_files_alone(tmp_path: Path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").touch()
    with pytest.raises(UserError, match="is not empty and contains no run"):
        begin(Run(tmp_path / "photos"), fresh=True)
    assert [path.name for path in (tmp_path / "photos").iterdir()] == ["a.png"]


def test_recorder_of_a_job_whose_run_was_taken_over_writes_nothing(tmp_path: Path):
    """The first job was paused while a second one continued the run, on a file system that had lost the lock."""
    run = Run(tmp_path / "run")
    with recording(run, settings_of()) as recorder:
        learner = StateLearner()
        take_step(recorder, 1, learner)
        recorder.stop("a test")
        write_atomic(run.path / EPOCH, b"2")
        before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
        weights, groups = make_weights(3, {"adapter.bin": b"2"}), [scored_group("v1", ["a"], [0.0])]
        for write in (
            lambda: recorder.metrics(2, {"loss": 0.5}),
            lambda: recorder.rollouts(2, groups, [(0.0,)]),
            lambda: recorder.pieces(2, "learn", {"forward": 0.25}),
            lambda: recorder.keep(2, weights, learner, {}),
            lambda: recorder.complete(weights, learner),
            lambda: recorder.phase(2, "validate").__enter__(),
            lambda: recorder.finish(),
        ):
            with pytest.raises(TakenOverError, match="epoch 1, but the folder now has epoch 2: another job has taken"):
                write()
    assert {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()} == before


def test_recorder_of_a_job_that_is_taken_over_inside_a_write_does_not_commit_it(tmp_path: Path):
    run = Run(tmp_path / "run")

    class TakenOver(StateLearner):
        def write_snapshot(self, place: str):
            written = super().write_snapshot(place)
            write_atomic(run.path / EPOCH, b"2")
            return written

    with recording(run, settings_of()) as recorder:
        take_step(recorder, 1, TakenOver())
        with pytest.raises(TakenOverError):
            recorder.metrics(2, {"loss": 0.5})
    assert list(run.checkpoints_folder.iterdir()) == []
    assert [row["step"] for row in run.metrics] == [1]
    status = read_status(run.path)
    assert status is not None and status.state == "running"  # the later job writes the status
