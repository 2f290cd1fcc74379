"""Tests the estimate of the space that checkpoints take."""

from collections import namedtuple
from pathlib import Path

import pytest

from vaserl.runs.checkpoint.space import checkpoint_bytes, free_space, missing_space

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes every disk have 30 GB of free space."""
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(100e9, 70e9, 30_000_000_000))


def test_checkpoint_bytes_counts_master_weights_moments_and_published_weights():
    # 1000 parameters * (4 + 4 + 4) bytes, and 1000 published weights of 2 bytes
    assert checkpoint_bytes(1000, 2000) == 14_000


def test_free_space_of_a_folder_that_does_not_exist_yet(tmp_path: Path):
    assert (free_space(str(tmp_path / "a/b/c")) or 0) > 0
    assert free_space("memory://runs/checkpoints") is None


def test_missing_space_names_the_place_and_the_remedy(free: None, tmp_path: Path):
    assert missing_space(str(tmp_path), 10_000_000_000) is None
    message = missing_space(str(tmp_path), 10_000_000_001)
    assert message is not None and message.startswith(
        f"{tmp_path}: 30.0 GB are free, but a checkpoint takes about 10.0"
    )
    assert "checkpoint.path" in message
    assert missing_space("s3://bucket/run", 10**15) is None
