"""A small collection to judge."""

from pathlib import Path

import pytest

from tests.fakes.judged_jars import make_collection


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of `make_collection`. All tests share it: do not write into it."""
    return make_collection(tmp_path_factory.mktemp("judged"))
