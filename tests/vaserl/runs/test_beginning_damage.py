"""Tests how a run begins after damage: to checkpoints, metrics and the mark of its end."""

import shutil
from pathlib import Path

import pytest

from tests.fakes.interrupted_run import begin, checkpoint_file, interrupted, settings_of
from vaserl.errors import UserError
from vaserl.files import read_json_lines
from vaserl.runs.run import Run

pytestmark = pytest.mark.usefixtures("unsynced")


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
