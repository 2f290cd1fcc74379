"""Tests how a run begins in its folder: new, continued, finished, refused, or after damage."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.recordings import StateLearner, recording
from tests.fakes.scored_groups import scored_group
from tests.fakes.settings import train_settings
from vaserl.errors import UserError
from vaserl.files import read_json_lines, write_atomic
from vaserl.policy.weights import make_weights
from vaserl.runs.beginning import begun
from vaserl.runs.claim import EPOCH, TakenOverError
from vaserl.runs.recorder import GrpoRecorder
from vaserl.runs.run import Run
from vaserl.runs.status import read_status
from vaserl.settings import TrainSettings

NUM_STEPS = 5


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes fsync do nothing, because it takes milliseconds."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def settings_of(**changes: Any) -> TrainSettings:
    """Returns the settings of a run of five steps that keeps all its checkpoints."""
    checkpoint = {"keep_last": 9} | changes.pop("checkpoint", {})
    return train_settings(num_steps=NUM_STEPS, checkpoint=checkpoint, trackers=[], **changes)


def take_step(recorder: GrpoRecorder, step: int, learner: StateLearner) -> None:
    """Records what the training loop records in a step."""
    with recorder.phase(step, "learn"):
        learner.num_steps = step
    recorder.rollouts(step, [scored_group("v1", ["a", "bc"], [0.0, 1.0])], [(-0.5, 0.5)])
    recorder.metrics(step, {"loss": step / 8})
    recorder.pieces(step, "learn", {"forward": 0.25})
    recorder.keep(step, make_weights(step + 1, {"adapter.bin": bytes([step])}), learner, {})


def interrupted(run: Run, num_steps: int = 3, settings: TrainSettings | None = None) -> None:
    """Runs a job up to a step whose checkpoint is written, and no further."""
    with recording(run, settings or settings_of()) as recorder:
        learner = StateLearner()
        for step in range(1, num_steps + 1):
            take_step(recorder, step, learner)
        recorder.stop("a test")


def begin(run: Run, settings: TrainSettings | None = None, **given: Any) -> Any:
    """Begins a job, and ends it without a step. Returns: the state in which it began."""
    given = {"num_steps": NUM_STEPS, "data_sha256": "0" * 64} | given
    with begun(run, settings or settings_of(), **given) as beginning:
        return beginning


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Returns a run that was stopped after three of five steps."""
    run = Run(tmp_path / "run")
    interrupted(run)
    return run


def checkpoint_file(run: Run, step: int, name: str = "state") -> Path:
    return run.checkpoints_folder / f"step={step:05d}" / name


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


@pytest.mark.parametrize(
    "changes",
    [
        {"trackers": ["tensorboard"]},
        {"checkpoint": {"every": 3, "keep_every": 2}},
        {"rollout": {"num_cpus": 3}},
        {"features": {"max_gb": 3}},
        {"reward": {"num_workers": 3, "timeout_s": 5}},
        {"validation": {"every": 2}},
        {"learner": {"max_nonfinite_steps": 5}},
        {"save_every": 2},
    ],
)
def test_begun_continues_with_settings_that_change_no_result(run: Run, changes: dict[str, Any], capsys):
    assert begin(run, settings_of().model_validate(_merged(settings_of().model_dump(), changes))).after_step == 3
    assert "rounding" not in capsys.readouterr().err


def test_begun_takes_another_timeout_of_a_service_but_no_other_score_for_its_failures(tmp_path: Path):
    run = Run(tmp_path / "run")

    def settings(**remote: Any) -> TrainSettings:
        return settings_of(reward={"remote": {"VaseReward": {"retries": 1} | remote}})

    interrupted(run, settings=settings())
    assert begin(run, settings(timeout_s=9, retries=7)).after_step == 3
    with pytest.raises(UserError, match=r"reward\.remote\.VaseReward\.on_failure: \"?stop\"? -> \"?neutral"):
        begin(run, settings(on_failure="neutral"))


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"learner": {"num_ranks": 2}}, "learner.num_ranks: 1 -> 2"),
        ({"rollout": {"num_workers": 2}}, "rollout.num_workers: 1 -> 2"),
        ({"features": {"num_workers": 0}}, "features.num_workers: 1 -> 0"),  # other kernels encode the clips then
    ],
)
def test_begun_says_which_settings_change_the_rounding(run: Run, changes: dict[str, Any], line: str, capsys):
    assert begin(run, settings_of(**changes)).after_step == 3
    assert f"{line}; the rest of the run may differ by rounding" in capsys.readouterr().err


def test_begun_refuses_settings_that_change_the_result_and_names_them(run: Run):
    before = sorted(run.path.rglob("*"))
    with pytest.raises(UserError) as raised:
        begin(run, settings_of(seed=1, loss={"beta": 0.5}, rollout={"num_workers": 2}))
    lines = str(raised.value).splitlines()
    assert "with these would change its result" in lines[0]
    assert lines[1:3] == ["  loss.beta: 0.0 -> 0.5", "  seed: 0 -> 1"]  # num_workers is not among them
    assert "--fresh" in lines[3] and "--run_dir" in lines[3]
    assert (sorted(run.path.rglob("*")), run.settings.seed) == (before, 0)


def test_begun_takes_more_steps_only_with_a_constant_learning_rate(tmp_path: Path):
    constant, cosine = Run(tmp_path / "constant"), Run(tmp_path / "cosine")
    schedule = {"learner": {"schedule": "cosine"}}
    interrupted(constant)
    interrupted(cosine, settings=settings_of(**schedule))
    longer = {"num_steps": 8}
    assert begin(constant, settings_of().model_copy(update=longer), num_steps=8).after_step == 3
    with pytest.raises(UserError, match="num_steps: 5 -> 8"):
        begin(cosine, settings_of(**schedule).model_copy(update=longer), num_steps=8)
    fewer = {"num_steps": 2}
    with pytest.raises(UserError, match="has 3 finished steps, but the settings ask for 2 only"):
        begin(constant, settings_of().model_copy(update=fewer), num_steps=2)


def test_begun_refuses_other_inputs_and_names_them(tmp_path: Path):
    run = Run(tmp_path / "run")
    rewards = {"mine:reward": "ab", "mine:penalty": "cd"}
    with recording(run, settings_of(), reward_sha256=rewards) as recorder:
        take_step(recorder, 1, StateLearner())
        recorder.stop("a test")
    assert begin(run, reward_sha256=rewards).after_step == 1
    for given, names in [
        ({"data_sha256": "1" * 64}, "data set"),
        ({"reward_sha256": rewards | {"mine:penalty": "ce"}}, "reward mine:penalty"),
        ({"data_sha256": "1" * 64, "reward_sha256": {"mine:reward": "x"}}, "data set, reward mine:reward"),
    ]:
        with pytest.raises(UserError, match=f"the content of these inputs has changed: {names}\\. Restore them"):
            begin(run, **({"reward_sha256": rewards} | given))


def test_begun_falls_back_from_a_damaged_checkpoint_and_counts_the_lost_steps(run: Run, capsys):
    content = bytearray(checkpoint_file(run, 3).read_bytes())
    content[0] ^= 1
    checkpoint_file(run, 3).write_bytes(content)
    checkpoint_file(run, 2).unlink()
    assert begin(run).after_step == 1
    message = capsys.readouterr().err
    assert f"run: checkpoint of step 3: {checkpoint_file(run, 3)}: the content doesn't match" in message
    assert f"run: checkpoint of step 2: {checkpoint_file(run, 2)}: the file is missing" in message
    assert "run: 2 steps are lost with the damage and are made again" in message
    assert [row["step"] for row in run.metrics] == [1]
    assert [path.name for path in run.checkpoints_folder.iterdir()] == ["step=00001"]


def test_begun_refuses_a_run_whose_checkpoints_are_all_damaged(run: Run):
    before = run.metrics_file.read_bytes()
    for step in (1, 2, 3):
        checkpoint_file(run, step, "manifest.json").write_text("{}")
    with pytest.raises(UserError, match=r"none of its checkpoints is undamaged.*start again with --fresh"):
        begin(run)
    assert run.metrics_file.read_bytes() == before


def test_begun_refuses_checkpoints_of_a_run_whose_metrics_are_gone(run: Run):
    run.metrics_file.write_text('{"step": 1}\n')
    with pytest.raises(UserError, match=r"metrics\.jsonl has 1 steps, but the checkpoint is of step 3"):
        begin(run)


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


@pytest.mark.parametrize("path", ["", "elsewhere"])
def test_begun_refuses_a_run_whose_checkpoints_are_gone(run: Run, tmp_path: Path, path: str):
    shutil.rmtree(run.checkpoints_folder)
    settings = settings_of(checkpoint={"path": path and str(tmp_path / path)})
    with pytest.raises(UserError, match=r"has 3 finished steps, but .* has no checkpoint: they were moved or deleted"):
        begin(run, settings)
    assert len(run.metrics) == 3
    assert begin(run, settings, fresh=True).after_step == 0


def test_begun_starts_a_run_without_checkpoints_again(tmp_path: Path):
    run, settings = Run(tmp_path / "run"), settings_of(checkpoint={"every": 4})
    interrupted(run, settings=settings)
    assert begin(run, settings).after_step == 0
    assert len(Run(tmp_path / "run.before-1").metrics) == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"step": 1}\n{"step": 3}\n{"step": 4}\n', r"metrics\.jsonl: row 2 is of step 3, so a row is missing"),
        (b'{"step": 1}\n{"step": 2}\n{"step": 3}\n{}\n', r"metrics\.jsonl: a line has no whole number"),
        (b'{"step": 1}\n\xff\n', r"metrics\.jsonl, line 2 is not UTF-8"),
        (b"junk\n", r"metrics\.jsonl, line 1 is not JSON"),
    ],
)
def test_begun_refuses_damaged_metrics_but_with_fresh_sets_them_aside(run: Run, content: bytes, message: str):
    run.metrics_file.write_bytes(content)
    with pytest.raises(UserError, match=message):
        begin(run)
    assert run.metrics_file.read_bytes() == content
    assert begin(run, fresh=True).after_step == 0


def test_begun_ignores_copies_and_blank_lines_that_a_person_made(run: Run):
    run.weights_folder(9).with_name("v00003 old").mkdir(parents=True)
    (run.path / "rollouts" / "step=00003 old.parquet").touch()
    captions = run.validation_captions_file(3).with_name("step=00003.copy.jsonl")
    captions.parent.mkdir()
    captions.touch()
    run.starts_file.write_text(run.starts_file.read_text() + '{"epoch"')  # of a killed job
    run.metrics_file.write_text("\n" + run.metrics_file.read_text() + '{"step": 4}\n')
    assert begin(run).after_step == 3
    assert [row["step"] for row in run.metrics] == [1, 2, 3]
    assert [row["epoch"] for row in read_json_lines(run.starts_file)] == [1, 2]


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"\xff"])
def test_begun_names_a_damaged_mark_of_the_end_and_the_way_out(run: Run, content: bytes):
    run.finished_file.write_bytes(content)
    with pytest.raises(UserError, match=r"finished\.json can't be read.*Delete this file"):
        begin(run)
    run.finished_file.unlink()
    assert begin(run).after_step == 3


def test_begun_continues_a_run_that_was_stopped_early_with_another_rule(tmp_path: Path):
    run = Run(tmp_path / "run")
    interrupted(run, settings=settings_of(validation={"every": 1, "stop_after": 1}))
    run.write_finished(steps=3, reason="no gain", stopped_early=True)
    assert begin(run, settings_of(validation={"every": 1, "stop_after": 1})).is_finished
    found = begin(run, settings_of(validation={"every": 1, "stop_after": 4}))
    assert (found.is_finished, found.after_step) == (False, 3)


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


def _merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _merged(values[name], changes[name]) if isinstance(values[name], dict) and name in changes else value
        for name, value in (values | {k: v for k, v in changes.items() if not isinstance(v, dict)}).items()
    }
