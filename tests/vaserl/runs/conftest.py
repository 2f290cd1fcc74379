"""Settings of a small run."""

from pathlib import Path

import pytest

from vaserl.settings import TrainSettings
from vaserl.settings.section import load_config


@pytest.fixture
def settings(tmp_path: Path) -> TrainSettings:
    path = tmp_path / "t.toml"
    path.write_text('run_dir = "r"\nnum_steps = 1\n[model]\npath = "m"\n[data]\npath = "d"\n')
    return load_config(TrainSettings, path)
