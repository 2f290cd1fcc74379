"""What a run leaves behind, and progress off a terminal."""

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.vaserl.grpo.test_loss import scored
from vaserl.errors import UserError
from vaserl.runs.progress import Progress
from vaserl.runs.recorder import Recorder, read_jsonl
from vaserl.settings import TrainSettings
from vaserl.settings.section import load_config


@pytest.fixture
def settings(tmp_path: Path) -> TrainSettings:
    path = tmp_path / "t.toml"
    path.write_text('run_dir = "r"\nnum_steps = 1\n[model]\npath = "m"\n[data]\npath = "d"\n')
    return load_config(TrainSettings, path)


def test_files_of_a_run(settings: TrainSettings, tmp_path: Path):
    run = tmp_path / "run"
    with Recorder(run, settings) as recorder:
        with recorder.phase(1, "rollout"):
            pass
        recorder.metrics(1, {"loss": 0.5})
        recorder.rollouts(1, [scored([0.0, 1.0])], [(-0.5, 0.5)])
    assert load_config(TrainSettings, run / "config.toml") == settings
    assert read_jsonl(run / "metrics.jsonl") == [{"step": 1, "loss": 0.5}]
    (span,) = read_jsonl(run / "timeline.jsonl")
    assert (span["step"], span["phase"], span["worker"]) == (1, "rollout", "driver")
    assert 0 <= span["start_s"] <= span["end_s"]
    rows = pq.read_table(run / "rollouts" / "step=00001.parquet").to_pylist()
    assert [(row["member"], row["reward"], row["advantage"]) for row in rows] == [(0, 0.0, -0.5), (1, 1.0, 0.5)]


def test_an_earlier_run_is_moved_aside(settings: TrainSettings, tmp_path: Path, capsys):
    run = tmp_path / "run"
    for loss in (1.0, 2.0, 3.0):
        with Recorder(run, settings) as recorder:
            recorder.metrics(1, {"loss": loss})
    found = {path.name: read_jsonl(path / "metrics.jsonl")[0]["loss"] for path in tmp_path.glob("run*")}
    assert found == {"run.before-1": 1.0, "run.before-2": 2.0, "run": 3.0}
    assert "moved to" in capsys.readouterr().err


def test_a_folder_that_is_no_run_is_left_alone(settings: TrainSettings, tmp_path: Path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").touch()
    with pytest.raises(UserError, match="holds no run"):
        Recorder(tmp_path / "photos", settings)
    assert (tmp_path / "photos" / "a.png").exists()


def test_progress_off_a_terminal_is_plain_lines(capsys):
    with Progress("work", total=20) as progress:
        for _ in range(20):
            progress.advance(loss=0.123456)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10  # one for each tenth
    assert lines[0].startswith("stage=work done=2/20 elapsed_s=0 left_s=")
    assert lines[-1].endswith("loss=0.1235")
    assert not any("\r" in line or "\x1b" in line for line in lines)
