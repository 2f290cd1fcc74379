"""Fixtures that several folders of tests share: a finished quick start's folder, made once per session; a synthetic
vase."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.fakes.finished_run import make_run
from vaserl.runs.quickstart_folder import QuickstartFolder
from vaserl.synthetic.vase import VaseTraits, sample_traits


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def run_summary(finished_run: Path) -> dict[str, Any]:
    return QuickstartFolder(finished_run).summary


@pytest.fixture(scope="session")
def traits() -> VaseTraits:
    """Returns the traits of one synthetic vase."""
    return sample_traits(np.random.default_rng(7))
