"""A finished run, made once for all that is written about it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.vaserl.finished_run import make_run


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def run_summary(finished_run: Path) -> dict[str, Any]:
    return json.loads((finished_run / "summary.json").read_text())
