"""Tests that no damage to the files of checkpoints makes a load return anything that wasn't written.

The tests change files at random: flip bits, cut, remove, swap, duplicate, rename and copy, manifests and folders
included. The load must name the file and fall back to an older checkpoint, or find none.
"""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes.checkpoints import contents_of, contents_of_step, manifest_of_step, write_checkpoint
from vaserl.errors import DamagedCheckpointError
from vaserl.runs.checkpoint.folder_names import folder_name_in
from vaserl.runs.checkpoint.manifest import MANIFEST_FILE
from vaserl.runs.checkpoint.store import CheckpointStore

STEPS = {11: 3, 12: 3, 13: 4}
"""Epoch of each stored step."""
NAMES = ("step=00010", "step=00012", "step=00012-e4", "step=00013", "step=00013-e3", "step=00013-e4", "step=00014-e4")
"""Names that a damaging rename gives to a folder; some exist."""


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Returns the folders of a store on a disk and of one behind a URL, each with three checkpoints."""
    folders = {prefix: tmp_path_factory.mktemp("original") for prefix in ("", "local://")}
    for prefix, folder in folders.items():
        for step, epoch in STEPS.items():
            write_checkpoint(CheckpointStore(f"{prefix}{folder}"), step, epoch)
    return folders


def flip(folder: Path, a: int, b: int) -> None:
    file = files_in(folder)[a % len(files_in(folder))]
    content = bytearray(file.read_bytes())
    if content:
        content[b // 8 % len(content)] ^= 1 << b % 8
        file.write_bytes(content)


def cut(folder: Path, a: int, b: int) -> None:
    file = files_in(folder)[a % len(files_in(folder))]
    content = file.read_bytes()
    file.write_bytes(content[: b % (len(content) + 1)])


def grow(folder: Path, a: int, b: int) -> None:
    file = files_in(folder)[a % len(files_in(folder))]
    file.write_bytes(file.read_bytes() + bytes([b % 256]))


def remove(folder: Path, a: int, b: int) -> None:
    files_in(folder)[a % len(files_in(folder))].unlink()


def swap(folder: Path, a: int, b: int) -> None:
    files = files_in(folder)
    one, other = files[a % len(files)], files[b % len(files)]
    content = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(content)


def overwrite(folder: Path, a: int, b: int) -> None:
    files = files_in(folder)
    files[b % len(files)].write_bytes(files[a % len(files)].read_bytes())


def duplicate(folder: Path, a: int, b: int) -> None:
    files = files_in(folder)
    files[b % len(files)].with_name("duplicate").write_bytes(files[a % len(files)].read_bytes())


def rename_folder(folder: Path, a: int, b: int) -> None:
    folders = sorted(folder.glob("step=*"))
    target = folder / NAMES[b % len(NAMES)]
    if folders and not target.exists():
        folders[a % len(folders)].rename(target)


def swap_folders(folder: Path, a: int, b: int) -> None:
    folders = sorted(folder.glob("step=*"))
    one, other = folders[a % len(folders)], folders[b % len(folders)]
    if one != other:
        one.rename(folder / "aside")
        other.rename(one)
        (folder / "aside").rename(other)


def copy_folder(folder: Path, a: int, b: int) -> None:
    folders = sorted(folder.glob("step=*"))
    source, target = folders[a % len(folders)], folder / NAMES[b % len(NAMES)]
    if source != target:
        shutil.copytree(source, target, dirs_exist_ok=True)


def remove_folder(folder: Path, a: int, b: int) -> None:
    folders = sorted(folder.glob("step=*"))
    if len(folders) > 1:
        shutil.rmtree(folders[a % len(folders)])


HARMS: tuple[Callable[[Path, int, int], None], ...] = (
    *(flip, cut, grow, remove, swap, overwrite, duplicate),
    *(rename_folder, swap_folders, copy_folder, remove_folder),
)


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def is_whole(folder: Path) -> bool:
    """Tells whether a folder contains a checkpoint as it was written, under a name that fits."""
    name = folder_name_in(folder.name)
    if name is None or name.step not in STEPS or name.epoch not in (None, STEPS[name.step]):
        return False
    expected = {MANIFEST_FILE: manifest_of_step(name.step, STEPS[name.step]).to_bytes(), **contents_of_step(name.step)}
    return all((folder / file).is_file() and (folder / file).read_bytes() == expected[file] for file in expected)


@pytest.mark.parametrize("prefix", ["", "local://"])
@settings(max_examples=60)
@given(harms=st.lists(st.tuples(st.sampled_from(HARMS), st.integers(0, 40), st.integers(0, 9999)), max_size=4))
def test_load_after_any_damage_returns_what_was_written_or_names_the_file(
    originals: dict[str, Path], prefix: str, harms: list[tuple[Callable[[Path, int, int], None], int, int]]
):
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "checkpoints")
        shutil.copytree(originals[prefix], folder)
        for harm, a, b in harms:
            if files_in(folder):
                harm(folder, a, b)
        store = CheckpointStore(f"{prefix}{folder}")
        newest, damages = store.newest_good()
        if newest is not None:
            assert contents_of(newest) == contents_of_step(newest.step)
            assert newest.manifest == manifest_of_step(newest.step, STEPS[newest.step])
        found_step = newest.step if newest is not None else -1
        whole = [path for path in folder.iterdir() if is_whole(path)]
        assert max((int(path.name[5:10]) for path in whole), default=-1) == found_step, "the newest whole one is found"
        # each newer checkpoint that is visible, and not whole, is named with a file
        for step in store.steps():
            if step > found_step:
                named = [one.file for one in damages if one.step == step]
                assert named and all(f"/step={step:05d}" in file for file in named)
        for step in store.steps():
            try:
                opened = store.open(step)
            except DamagedCheckpointError:
                continue
            for name in opened.files:  # what was damaged is refused, what is returned was written
                try:
                    assert opened.read(name) == contents_of_step(step)[name]
                except DamagedCheckpointError as error:
                    assert error.file.endswith(name)


def test_read_refuses_every_flipped_bit_and_every_cut(tmp_path: Path):
    stored = write_checkpoint(CheckpointStore(str(tmp_path)), 12)
    name = "state-00000-of-00002.safetensors"
    content = contents_of_step(12)[name]
    flipped = [
        content[:k] + bytes([content[k] ^ 1 << bit]) + content[k + 1 :] for k in range(len(content)) for bit in range(8)
    ]
    for damaged in (*flipped, *(content[:length] for length in range(len(content)))):
        Path(stored.place, name).write_bytes(damaged)
        with pytest.raises(DamagedCheckpointError) as caught:
            stored.read(name)
        assert caught.value.file == f"{stored.place}/{name}"
    Path(stored.place, name).write_bytes(content)
    assert stored.read(name) == content
