"""Tests that the training jobs check and pass on the section `start`."""

from pathlib import Path
from typing import Any

import pytest

import launch.sft
import launch.train
from vaserl.errors import UserError
from vaserl.settings import SftSettings, StartSettings, TrainSettings


def settings_of(job: str, tiny_model: Path, dataset: Path, run_dir: Path, start: StartSettings) -> Any:
    common = {
        "run_dir": run_dir,
        "model": {"path": tiny_model},
        "data": {"path": dataset, "num_frames": 4},
        "start": start,
    }
    return TrainSettings(num_steps=1, **common) if job == "train" else SftSettings(**common)


@pytest.mark.parametrize("job", ["train", "sft"])
def test_job_refuses_a_wrong_start_before_the_first_actor(job: str, tiny_model: Path, dataset: Path, tmp_path: Path):
    run = getattr(launch, job).run
    start = StartSettings(weights=tmp_path / "none")
    with pytest.raises(UserError, match=r"start\.weights: the folder .*none does not exist"):
        run(settings_of(job, tiny_model, dataset, tmp_path / "run", start))


def test_starting_moments_need_a_checkpoint(tmp_path: Path):
    start = StartSettings(weights=tmp_path, optimizer=tmp_path / "step=00012")
    with pytest.raises(UserError, match=r"step=00012/manifest\.json: the file is missing"):
        launch.continuation.starting_moments(start)
    assert launch.continuation.starting_moments(StartSettings()) is None


def test_train_job_passes_start_to_the_learner(tiny_model: Path, dataset: Path, tmp_path: Path, monkeypatch):
    passed: dict[str, Any] = {}
    monkeypatch.setattr(launch.train, "LearnerGroup", lambda *_, **keywords: passed.update(keywords))
    start = StartSettings(weights=tmp_path)
    launch.train.start_ranks(settings_of("train", tiny_model, dataset, tmp_path, start), None, None)
    assert passed["start"] == start
