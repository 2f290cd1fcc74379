"""Tests a disk that becomes full while a checkpoint is written: the old one stays, the incomplete one is removed."""

import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from tests.fakes.checkpoints import contents_of, contents_of_step, manifest_of_step, write_checkpoint
from vaserl.runs.checkpoint.store import CheckpointStore

ON_A_SMALL_DISK = """
import errno, os, sys
from tests.fakes.checkpoints import contents_of, contents_of_step, nothing_to_check, write_checkpoint
from vaserl.files.durable import write_durably
from vaserl.runs.checkpoint.manifest import CheckpointManifest, StoredFile
from vaserl.runs.checkpoint.store import CheckpointStore

root, page = sys.argv[1], os.sysconf("SC_PAGESIZE")
store = CheckpointStore(root + "/checkpoints")
old = write_checkpoint(store, 11)
files = {f"state-{rank:05d}-of-00004.safetensors": os.urandom(64 * page) for rank in range(4)}
for percent in (10, 50, 90, 100):
    free = os.statvfs(root).f_bavail * page
    with open(root + "/filler", "wb") as filler:
        filler.write(bytes(free - 256 * page * percent // 100))
    place = store.begin(12, 1)
    try:
        for name, content in files.items():
            write_durably(f"{place}/{name}", content)
        described = {name: StoredFile.describing(content) for name, content in files.items()}
        manifest = CheckpointManifest(
            job="train", step=12, weights_version=13, epoch=1, num_ranks=4, inputs={}, files=described
        )
        store.commit(12, 1, manifest, nothing_to_check)
        raise SystemExit(f"{percent} %: the disk is not full")
    except OSError as error:
        assert error.errno == errno.ENOSPC, error
    assert not [name for _, _, names in os.walk(place) for name in names if name not in files], "no temporary file"
    store.abandon(place)
    assert os.listdir(root + "/checkpoints") == ["step=00011"]
    newest, damages = store.newest_good()
    assert newest == old and not damages and contents_of(newest) == contents_of_step(11)
    os.remove(root + "/filler")
write_checkpoint(store, 12)
print("4 full disks")
"""


def test_full_disk_keeps_the_old_checkpoint(tmp_path: Path):
    """Fills a real file system of 4 MiB, with room for 10, 50, 90 and 100 % of the files; the manifest never fits."""
    command = f'mount -t tmpfs -o size=4m tmpfs {tmp_path} && exec "$0" -c "$1" {tmp_path}'
    arguments = ["unshare", "-Urm", "sh", "-c", command, sys.executable, ON_A_SMALL_DISK]
    if subprocess.run(
        ["unshare", "-Urm", "sh", "-c", f"mount -t tmpfs tmpfs {tmp_path}"], capture_output=True
    ).returncode:
        pytest.skip("this machine doesn't let the test mount a small file system")
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=Path(__file__).parents[4])
    assert (done.stdout, done.returncode) == ("4 full disks\n", 0), done.stderr


class FullDisk:
    """Wraps the files that are created, and fails like a full disk when `num_bytes` have been written to them."""

    def __init__(self, num_bytes: int):
        self.num_bytes = num_bytes

    def creating(self, path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
        """Stands for `Path.open`."""
        file = open(path, mode, *arguments, **options)  # noqa: SIM115, the caller closes it
        return file if "x" not in mode else FileOnFullDisk(self, file)


class FileOnFullDisk:
    """A file that is being written on a full disk."""

    def __init__(self, disk: FullDisk, file: IO[bytes]):
        self._disk, self._file = disk, file

    def __enter__(self) -> "FileOnFullDisk":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, content: bytes) -> int:
        fitting = min(len(content), self._disk.num_bytes)
        self._disk.num_bytes -= fitting
        self._file.write(content[:fitting])
        if fitting < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return fitting


@pytest.mark.parametrize("percent", [10, 50, 90, 100])
def test_full_disk_at_each_part_of_the_write_keeps_the_old_checkpoint(tmp_path: Path, monkeypatch, percent: int):
    store = CheckpointStore(str(tmp_path))
    old = write_checkpoint(store, 11)
    disk = FullDisk(manifest_of_step(12, 1).num_bytes * percent // 100)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda path, *arguments, **options: disk.creating(path, *arguments, **options))
        with pytest.raises(OSError) as caught:
            write_checkpoint(store, 12)
    assert caught.value.errno == errno.ENOSPC
    (writing,) = [path for path in tmp_path.iterdir() if path.name.startswith(".")]
    assert {path.relative_to(writing).as_posix() for path in writing.rglob("*") if path.is_file()} <= set(
        contents_of_step(12)
    ), "the incomplete file is removed"
    store.abandon(str(writing))
    assert [path.name for path in tmp_path.iterdir()] == ["step=00011"]
    assert store.newest_good() == (old, [])
    write_checkpoint(store, 12)  # after someone has freed space
    assert contents_of(store.open(12)) == contents_of_step(12)
