"""Tests the store of checkpoints: invisible until committed, verified on load, removed after a newer one is good."""

import errno
import os
import pickle
from pathlib import Path

import fsspec
import pytest

from tests.fakes.checkpoints import (
    contents_of,
    contents_of_step,
    manifest_of_step,
    nothing_to_check,
    write_checkpoint,
)
from vaserl.errors import DamagedCheckpointError, UserError
from vaserl.files.durable import write_durably
from vaserl.files.storage import is_url, joined
from vaserl.runs.checkpoint.retention import Retention
from vaserl.runs.checkpoint.store import CheckpointStore


class TakenOver(RuntimeError):
    """Stands for the refusal of a writer whose run was claimed by another process."""


def taken_over() -> None:
    raise TakenOver


def paths_in(place: str) -> set[str]:
    """Returns the paths of all files in a place, hidden ones included."""
    system, root = fsspec.core.url_to_fs(place)
    return {path.removeprefix(root.rstrip("/") + "/") for path in system.find(root)}


def damage(place: str, content: bytes = b"damaged") -> None:
    system, path = fsspec.core.url_to_fs(place)
    system.pipe_file(path, content)


def test_store_returns_what_was_committed(place: str):
    store = CheckpointStore(place)
    assert (store.steps(), store.newest_good(), store.sweep()) == ([], (None, []), [])
    for step in (11, 12):
        stored = write_checkpoint(store, step, epoch=3, metrics={"caption": 0.5})
        assert contents_of(stored) == contents_of_step(step)
    later = CheckpointStore(place)
    assert later.steps() == [11, 12]
    newest, damages = later.newest_good()
    assert newest is not None and not damages
    newest = pickle.loads(pickle.dumps(newest))
    assert (newest.step, newest.manifest) == (12, manifest_of_step(12, 3, {"caption": 0.5}))
    assert contents_of(newest) == contents_of_step(12)
    assert contents_of(later.open(11)) == contents_of_step(11)
    with pytest.raises(UserError, match=r"no checkpoint of step 13; there are those of steps \[11, 12\]"):
        later.open(13)


def test_store_names_folders_as_the_storage_needs(place: str):
    store = CheckpointStore(place)
    writing = store.begin(12, 3)
    assert writing.rpartition("/")[2] == ("step=00012-e3" if is_url(place) else ".writing-step=00012-e3")
    store.abandon(writing)
    stored = write_checkpoint(store, 12, epoch=3)
    assert stored.place == joined(store.place, "step=00012-e3" if is_url(place) else "step=00012")


def test_store_treats_a_file_url_as_a_disk(tmp_path: Path):
    stored = write_checkpoint(CheckpointStore(f"file://{tmp_path}/checkpoints"), 12, epoch=3)
    assert stored.place == f"{tmp_path}/checkpoints/step=00012"


def test_begun_checkpoint_is_invisible_and_swept_by_the_next_process(place: str):
    store = CheckpointStore(place)
    write_checkpoint(store, 11)
    writing = store.begin(12, 1)
    write_durably(f"{writing}/state-00000-of-00002.safetensors", b"unfinished")
    assert store.sweep() == [], "the process that writes keeps its files"
    later = CheckpointStore(place)
    assert later.steps() == [11]
    newest, damages = later.newest_good()
    assert newest is not None and (newest.step, damages) == (11, [])
    assert later.sweep() == [writing]
    assert later.sweep() == []
    assert {path.partition("/")[0] for path in paths_in(place)} == {Path(newest.place).name}


def test_begin_discards_the_files_of_an_earlier_attempt(place: str):
    store = CheckpointStore(place)
    write_durably(f"{store.begin(12, 1)}/state-00007-of-00008.safetensors", b"failed attempt")
    stored = write_checkpoint(store, 12, epoch=1)
    assert paths_in(stored.place) == {"manifest.json", *contents_of_step(12)}


def test_abandon_leaves_nothing(place: str):
    store = CheckpointStore(place)
    writing = store.begin(12, 1)
    write_durably(f"{writing}/weights-v00013/adapter_model.safetensors", b"x")
    store.abandon(writing)
    store.abandon(writing)
    assert paths_in(place) == set()


def test_commit_of_a_run_that_was_taken_over_shows_nothing(place: str):
    store = CheckpointStore(place)
    write_checkpoint(store, 11)
    with pytest.raises(TakenOver):
        write_checkpoint(store, 12, check=taken_over)
    assert CheckpointStore(place).steps() == [11]
    CheckpointStore(place).sweep()
    assert CheckpointStore(place).steps() == [11]


def test_commit_checks_the_claim_after_everything_else(place: str):
    """Between the check and the commit another process can claim the run, so nothing slow may lie between them."""
    store = CheckpointStore(place)
    seen: list[bool] = []

    def check() -> None:
        (found,) = {path.partition("/")[0] for path in paths_in(place)}
        # on a disk only the renaming is left, behind a URL only the upload of the manifest
        seen.append((f"{found}/manifest.json" in paths_in(place)) == (not is_url(place)))

    write_checkpoint(store, 12, check=check)
    assert seen == [True]


@pytest.mark.parametrize("harm", ["missing", "cut"])
def test_commit_refuses_files_that_are_not_there(place: str, harm: str):
    """A rank on another machine may have written to a disk that isn't shared."""
    store = CheckpointStore(place)
    writing = store.begin(12, 1)
    for name, content in contents_of_step(12).items():
        if not name.startswith("state-00001"):
            write_durably(f"{writing}/{name}", content)
        elif harm == "cut":
            write_durably(f"{writing}/{name}", content[:-1])
    reason = "is missing" if harm == "missing" else "has 62 bytes instead of 63"  # 3 * len("rank 1 of step 000012")
    with pytest.raises(DamagedCheckpointError, match=rf"state-00001-of-00002\.safetensors: the file {reason}"):
        store.commit(12, 1, manifest_of_step(12, 1), nothing_to_check)
    assert store.steps() == []


def test_commit_refuses_another_steps_manifest(place: str):
    store = CheckpointStore(place)
    store.begin(12, 1)
    with pytest.raises(ValueError, match="of step 11, epoch 1, not of 12, 1"):
        store.commit(12, 1, manifest_of_step(11, 1), nothing_to_check)


def test_commit_of_the_same_step_twice_in_one_epoch_fails_and_keeps_the_first(place: str):
    store = CheckpointStore(place)
    first = write_checkpoint(store, 12, epoch=1)
    if is_url(place):
        with pytest.raises(FileExistsError, match="has been written already"):
            store.begin(12, 1)
    else:
        write_checkpoint(store, 12, epoch=1)
        with pytest.raises(FileExistsError, match="has been written already"):
            write_checkpoint(store, 12, epoch=1)
    assert contents_of(first) == contents_of_step(12)


def test_commit_on_a_disk_syncs_all_files_before_the_renaming_and_the_folder_after_it(tmp_path: Path, monkeypatch):
    done: list[str] = []
    rename = os.rename

    def record_rename(source: Path, target: Path) -> None:
        done.append(f"rename to {Path(target).name}")
        rename(source, target)

    monkeypatch.setattr(os, "rename", record_rename)
    monkeypatch.setattr(os, "fsync", lambda descriptor: done.append(os.readlink(f"/proc/self/fd/{descriptor}")))
    store = CheckpointStore(str(tmp_path))
    writing = Path(store.begin(12, 1))
    for name, content in contents_of_step(12).items():  # without a sync, as by another program
        (writing / name).parent.mkdir(exist_ok=True)
        (writing / name).write_bytes(content)
    store.commit(12, 1, manifest_of_step(12, 1), nothing_to_check)
    renamed = done.index("rename to step=00012")
    expected = {str(writing / name) for name in contents_of_step(12)} | {str(writing), str(writing / "weights-v00013")}
    assert expected <= set(done[:renamed])
    assert any(".writing-step=00012-e1/.writing-" in path for path in done[:renamed]), "the manifest is synced"
    assert done[renamed - 1] == str(writing), "and so is its name"
    assert done[renamed + 1 :] == [str(tmp_path)]


def test_newest_epoch_of_a_step_wins_and_an_older_one_replaces_it_if_damaged(place: str):
    store = CheckpointStore(place)
    write_checkpoint(store, 11, epoch=2)
    write_checkpoint(store, 12, epoch=5)
    write_checkpoint(store, 12, epoch=4)  # by a process that was taken over between its check and its commit
    assert store.steps() == [11, 12]
    newest, damages = store.newest_good()
    assert newest is not None and (newest.manifest.epoch, damages) == (5, [])
    assert store.open(12) == newest
    file = joined(newest.place, "state-00001-of-00002.safetensors")
    damage(file)
    newest, damages = store.newest_good()
    assert newest is not None and newest.manifest.epoch == 4
    assert [(one.step, one.file) for one in damages] == [(12, file)]


def test_redone_step_replaces_a_damaged_one(place: str):
    store = CheckpointStore(place)
    write_checkpoint(store, 11, epoch=1)
    old = write_checkpoint(store, 12, epoch=1)
    damage(joined(old.place, "manifest.json"))
    new = write_checkpoint(store, 12, epoch=2)
    assert store.newest_good()[0] == new
    assert store.prune(Retention(keep_last=2)) == []
    assert store.steps() == [11, 12]
    assert {path.partition("/")[0] for path in paths_in(place)} == {
        Path(store.open(11).place).name,
        Path(new.place).name,
    }


def test_newest_good_falls_back_and_names_every_damage(place: str):
    store = CheckpointStore(place)
    places = {step: write_checkpoint(store, step).place for step in (10, 11, 12, 13)}
    damage(joined(places[13], "manifest.json"), b"")  # a store without atomic uploads may keep part of a manifest
    damage(joined(places[12], "weights-v00013/adapter_config.json"), b"x")
    damage(
        joined(places[11], "state-00000-of-00002.safetensors"), contents_of_step(12)[next(iter(contents_of_step(12)))]
    )
    newest, damages = store.newest_good()
    assert newest is not None and contents_of(newest) == contents_of_step(10)
    assert [(one.step, one.file.removeprefix(places[one.step])) for one in damages] == [
        (13, "/manifest.json"),
        (12, "/weights-v00013/adapter_config.json"),
        (11, "/state-00000-of-00002.safetensors"),
    ]
    assert [one.reason.partition(" (")[0] for one in damages] == [
        "not a manifest",
        "the file has 1 bytes instead of 0",
        "the content doesn't match its SHA-256 in the manifest",
    ]
    assert store.drop_after(10) == [11, 12, 13]
    assert CheckpointStore(place).newest_good() == (newest, [])
    damage(joined(places[10], "manifest.json"))
    newest, damages = store.newest_good()
    assert newest is None and [one.step for one in damages] == [10]
    with pytest.raises(DamagedCheckpointError, match=r"manifest\.json: not a manifest"):
        store.open(10)


def test_newest_good_refuses_a_newer_format_instead_of_an_older_step(place: str, monkeypatch):
    store = CheckpointStore(place)
    write_checkpoint(store, 11)
    write_checkpoint(store, 12)
    monkeypatch.setattr("vaserl.runs.checkpoint.manifest.CHECKPOINT_FORMAT", 0)
    with pytest.raises(UserError, match="written in checkpoint format 1; this is vaserl"):
        store.newest_good()


@pytest.mark.parametrize("error", [TimeoutError("timed out"), PermissionError(errno.EACCES, "denied")])
def test_storage_that_does_not_respond_is_not_taken_for_damage(place: str, monkeypatch, error: OSError):
    store = CheckpointStore(place)
    write_checkpoint(store, 11)
    stored = write_checkpoint(store, 12)

    def fails(place: str) -> None:
        raise error

    monkeypatch.setattr("vaserl.runs.checkpoint.stored.open_file", fails)
    with pytest.raises(UserError, match=r"Run the command again when the storage is available") as caught:
        store.newest_good()
    assert not isinstance(caught.value, DamagedCheckpointError)
    monkeypatch.setattr("vaserl.runs.checkpoint.stored.read_bytes", fails)
    with pytest.raises(UserError, match=type(error).__name__):
        stored.read("state-00000-of-00002.safetensors")


def test_bad_block_is_damage_on_a_disk_only(place: str, monkeypatch):
    store = CheckpointStore(place)
    stored = write_checkpoint(store, 12)

    def fails(place: str) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr("vaserl.runs.checkpoint.stored.read_bytes", fails)
    with pytest.raises(UserError) as caught:
        stored.read("state-00000-of-00002.safetensors")
    assert isinstance(caught.value, DamagedCheckpointError) == (not is_url(place))


def test_stored_checkpoint_verifies_each_read(place: str, tmp_path: Path):
    stored = write_checkpoint(CheckpointStore(place), 12)
    name = "state-00000-of-00002.safetensors"
    content = contents_of_step(12)[name]
    assert stored.local_copy(name, tmp_path / "copy").read_bytes() == content
    with pytest.raises(DamagedCheckpointError, match="the manifest contains no such file"):
        stored.read("state-00002-of-00002.safetensors")
    damage(joined(stored.place, name), content[:-1] + b"!")
    for read in (stored.read, lambda name: stored.local_copy(name, tmp_path / "bad"), lambda name: stored.verify()):
        with pytest.raises(DamagedCheckpointError, match=name):
            read(name)
    assert not list((tmp_path / "bad").rglob("*")), "an unverified copy never appears"


def test_copy_folder_copies_only_the_files_of_the_manifest(place: str, tmp_path: Path):
    stored = write_checkpoint(CheckpointStore(place), 12)
    damage(joined(stored.place, "weights-v00013/adapter_model-copy.safetensors"))
    copied = stored.copy_folder("weights-v00013", tmp_path / "copy")
    assert copied == tmp_path / "copy/weights-v00013"
    assert {path.name: path.read_bytes() for path in copied.iterdir()} == {
        "adapter_model.safetensors": bytes(range(12, 32)),
        "adapter_config.json": b"",
    }
    with pytest.raises(DamagedCheckpointError, match="weights-v00012: the manifest contains no such folder"):
        stored.copy_folder("weights-v00012", tmp_path)


def test_prune_keeps_what_the_rules_say(place: str):
    store = CheckpointStore(place)
    for step, value in zip(range(1, 8), [0.1, 0.9, 0.2, None, 0.9, 0.3, None], strict=True):
        write_checkpoint(store, step, metrics={} if value is None else {"caption": value})
    rules = Retention(keep_last=2, keep_every=4, best_metric="caption", pinned=frozenset({3}))
    assert store.prune(rules) == [1, 5]
    assert CheckpointStore(place).steps() == [2, 3, 4, 6, 7]
    assert store.prune(rules) == []


def test_prune_removes_nothing_while_the_newest_is_damaged(place: str):
    store = CheckpointStore(place)
    places = [write_checkpoint(store, step).place for step in (1, 2, 3)]
    damage(joined(places[-1], "state-00000-of-00002.safetensors"))
    with pytest.raises(DamagedCheckpointError, match="state-00000"):
        store.prune(Retention(keep_last=1))
    assert store.steps() == [1, 2, 3]
    damage(joined(places[-1], "manifest.json"))
    assert store.prune(Retention(keep_last=1)) == [1], "a damaged manifest counts as no checkpoint"
    write_checkpoint(store, 4)
    assert store.prune(Retention(keep_last=2)) == [3]
    assert store.steps() == [2, 4]


def test_store_lists_many_steps(place: str):
    store = CheckpointStore(place)
    for step in range(98, 210):
        write_checkpoint(store, step * 1000)
    assert store.steps() == [step * 1000 for step in range(98, 210)]
    newest, _ = store.newest_good()
    assert newest is not None and newest.step == 209_000


def test_store_ignores_what_is_not_a_checkpoint(place: str):
    store = CheckpointStore(place)
    write_checkpoint(store, 11)
    for name in ("notes.txt", "step=12/manifest.json", "step=00013", "step=000014/manifest.json", "old/manifest.json"):
        write_durably(joined(store.place, name), b"1")
    assert store.steps() == [11]
    assert store.sweep() == []
    assert store.newest_good()[1] == []
