"""Settings of a small run, and a run that was interrupted."""

import os
from pathlib import Path

import pytest

from tests.fakes.interrupted_run import interrupted
from vaserl.runs.run import Run
from vaserl.settings import TrainSettings
from vaserl.settings.section import load_config


@pytest.fixture
def settings(tmp_path: Path) -> TrainSettings:
    path = tmp_path / "t.toml"
    path.write_text('run_dir = "r"\nnum_steps = 1\n[model]\npath = "m"\n[data]\npath = "d"\n')
    return load_config(TrainSettings, path)


@pytest.fixture
def run(unsynced: None, tmp_path: Path) -> Run:
    """Returns a run that was stopped after three of five steps."""
    run = Run(tmp_path / "run")
    interrupted(run)
    return run


@pytest.fixture
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes fsync do nothing, because it takes milliseconds."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
