"""Places for the stores of the tests: a disk, an object store in memory, and a disk behind a URL."""

import os
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes fsync do nothing, because the tests kill processes and no machines, and a sync takes milliseconds."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(params=["disk", "memory", "url of a disk"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Yields a place of each kind; the tests of a store run once for each."""
    if request.param == "memory":
        yield "memory://runs/one/checkpoints"
        fsspec.filesystem("memory").store.clear()
        fsspec.filesystem("memory").pseudo_dirs[:] = [""]
    else:  # "local" is fsspec's file system of the disk; unlike "file", this project treats it as an object store
        folder = tmp_path / "runs/one/checkpoints"
        yield str(folder) if request.param == "disk" else f"local://{folder}"
