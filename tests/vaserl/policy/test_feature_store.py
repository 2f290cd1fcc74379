"""Tests the store of vision features: a read returns what was written, bit for bit, or nothing."""

import errno
import fcntl
import logging
import multiprocessing
import os
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vaserl.errors import UserError
from vaserl.files import UNFINISHED
from vaserl.policy.clips import ClipFeatures
from vaserl.policy.feature_store import ABANDONED_S, DamagedEntry, FeatureStore, pack_entry, unpack_entry
from vaserl.policy.positions import VideoGrid

PLENTY = 10**9
KEYS = [f"{number:064x}" for number in range(8)]


def make_features(seed: int = 0, time_patches: int = 2, width: int = 16, dtype=torch.float32) -> ClipFeatures:
    generator = torch.Generator().manual_seed(seed)
    return ClipFeatures(
        features=torch.randn(time_patches * 4, width, generator=generator).to(dtype),
        patch_grid=(time_patches, 4, 4),
        seconds_per_patch=2 / 3,
        grid=VideoGrid(time=time_patches, height=2, width=2, temporal_interval=0.1 + 0.2),
    )


def same(one: ClipFeatures | None, other: ClipFeatures) -> bool:
    assert one is not None
    return (
        one.features.dtype == other.features.dtype
        and torch.equal(one.features, other.features)
        and (one.patch_grid, one.seconds_per_patch, one.grid) == (other.patch_grid, other.seconds_per_patch, other.grid)
    )


def filled(folder: Path, *, max_bytes: int = PLENTY, num_entries: int = 1) -> FeatureStore:
    """Returns a store with entries under the first keys, of which the first was read least recently."""
    store = FeatureStore(folder, max_bytes)
    for index, key in enumerate(KEYS[:num_entries]):
        store.put(key, pack_entry(key, make_features(index)))
        os.utime(store.path(key), (index, index))
    return store


@given(
    time_patches=st.integers(1, 4),
    width=st.integers(1, 9),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    seed=st.integers(0, 99),
    interval=st.floats(1e-9, 1e9),
)
def test_unpack_entry_is_the_inverse_of_pack_entry(time_patches, width, dtype, seed, interval):
    made = make_features(seed, time_patches, width, dtype)
    grid = VideoGrid(time=time_patches, height=2, width=2, temporal_interval=interval)
    clip = ClipFeatures(features=made.features, patch_grid=(time_patches, 4, 4), seconds_per_patch=interval, grid=grid)
    assert same(unpack_entry("key", pack_entry("key", clip)), clip)


@given(st.data())
def test_unpack_entry_refuses_any_flipped_bit(data):
    entry = bytearray(pack_entry("key", make_features(width=1)))
    place = data.draw(st.integers(0, len(entry) - 1))
    entry[place] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(DamagedEntry):
        unpack_entry("key", bytes(entry))


def test_unpack_entry_keeps_infinities_and_nans():
    odd = make_features()
    odd.features[0, :4] = torch.tensor([float("inf"), -float("inf"), float("nan"), -0.0])
    found = unpack_entry("key", pack_entry("key", odd))
    assert torch.equal(found.features.view(torch.int32), odd.features.view(torch.int32))


def test_feature_store_returns_entries_of_other_objects_on_its_folder(tmp_path: Path):
    filled(tmp_path, num_entries=2)
    store = FeatureStore(tmp_path, PLENTY)
    found = store.get_all([KEYS[1], KEYS[2], KEYS[0]])
    assert same(found[0], make_features(1))
    assert found[1] is None
    assert same(found[2], make_features(0))
    assert (store.counts.hits, store.counts.misses, store.counts.damaged) == (2, 1, 0)
    assert store.entry(KEYS[0]) == pack_entry(KEYS[0], make_features(0))


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 4
    path.write_bytes(content)


def headless(path: Path) -> None:
    path.write_bytes(path.read_bytes().partition(b"\n")[2])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def of_another_clip(path: Path) -> None:
    path.write_bytes(pack_entry(KEYS[7], make_features(7)))


def with_anothers_hash(path: Path) -> None:
    def stated(entry: bytes) -> bytes:
        return entry.partition(b'"sha256": "')[2][:64]

    own = path.read_bytes()
    path.write_bytes(own.replace(stated(own), stated(pack_entry(KEYS[0], make_features(7)))))


def with_other_facts(path: Path) -> None:
    """Changes the header so that it states a shorter clip; the payload stays valid."""
    path.write_bytes(path.read_bytes().replace(b'"time": 2', b'"time": 1'))


DAMAGES = [truncated, flipped, headless, empty, of_another_clip, with_anothers_hash, with_other_facts]


@pytest.mark.parametrize("damage", DAMAGES)
def test_feature_store_removes_a_damaged_entry(tmp_path: Path, caplog, damage):
    store = filled(tmp_path, num_entries=2)
    before = store.path(KEYS[0]).read_bytes()
    damage(store.path(KEYS[0]))
    assert store.path(KEYS[0]).read_bytes() != before
    with caplog.at_level(logging.WARNING):
        first, other = store.get_all(KEYS[:2])
    assert first is None
    assert same(other, make_features(1))
    assert (store.counts.damaged, store.counts.hits) == (1, 1)
    assert KEYS[0] in caplog.text
    assert "damaged" in caplog.text
    assert not store.path(KEYS[0]).exists()
    store.put(KEYS[0], before)
    assert same(store.get_all(KEYS[:1])[0], make_features(0))


def test_feature_store_removes_abandoned_half_written_files(tmp_path: Path, caplog):
    entry = pack_entry(KEYS[0], make_features())
    old, new = (tmp_path / UNFINISHED.replace("*", name) for name in ("abc", "def"))
    for half in (old, new):
        half.write_bytes(entry[: len(entry) // 2])
    os.utime(old, (time.time() - ABANDONED_S - 1,) * 2)
    with caplog.at_level(logging.WARNING):
        store = FeatureStore(tmp_path, PLENTY)
    assert store.get_all(KEYS[:1]) == [None]
    assert store.num_bytes() == 0
    assert not old.exists()
    assert new.exists()  # its writer may still be writing
    assert store.counts.damaged == 1
    assert "half-written" in caplog.text


def test_feature_store_put_leaves_nothing_when_it_fails(tmp_path: Path, monkeypatch):
    store = FeatureStore(tmp_path, PLENTY)

    def full(_):
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="input/output"):
        store.put(KEYS[0], pack_entry(KEYS[0], make_features()))
    assert list(tmp_path.iterdir()) == []


def test_feature_store_put_counts_a_full_disk(tmp_path: Path, monkeypatch, caplog):
    store = FeatureStore(tmp_path, PLENTY)

    def full(_):
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr("os.fsync", full)
    store.put(KEYS[0], pack_entry(KEYS[0], make_features()))
    assert store.counts.refused == 1
    assert "No space left" in caplog.text
    assert list(tmp_path.iterdir()) == []


def test_feature_store_evicts_the_least_recently_read(tmp_path: Path):
    size = len(pack_entry(KEYS[0], make_features()))
    store = filled(tmp_path, max_bytes=3 * size, num_entries=3)
    assert store.counts.evicted == 0
    # the least recently read entry becomes the most recently read
    assert same(store.get_all(KEYS[:1])[0], make_features(0))
    store.put(KEYS[3], pack_entry(KEYS[3], make_features(3)))
    assert store.num_bytes() == 3 * size
    assert [store.path(key).exists() for key in KEYS[:4]] == [True, False, True, True]
    assert store.counts.evicted == 1


def test_feature_store_keeps_an_entry_in_use(tmp_path: Path):
    size = len(pack_entry(KEYS[0], make_features()))
    store = filled(tmp_path, max_bytes=2 * size, num_entries=2)
    with store.in_use(KEYS[0]) as file:
        store.put(KEYS[2], pack_entry(KEYS[2], make_features(2)))
        assert [store.path(key).exists() for key in KEYS[:3]] == [True, False, True]
        assert same(unpack_entry(KEYS[0], file.read()), make_features(0))


def test_feature_store_exceeds_its_limit_when_everything_is_in_use(tmp_path: Path, caplog):
    size = len(pack_entry(KEYS[0], make_features()))
    store = filled(tmp_path, max_bytes=size, num_entries=1)
    with store.in_use(KEYS[0]):
        store.put(KEYS[1], pack_entry(KEYS[1], make_features(1)))
    assert store.num_bytes() == 2 * size
    assert "above its limit" in caplog.text
    store.put(KEYS[2], pack_entry(KEYS[2], make_features(2)))
    assert store.num_bytes() == size


def test_feature_store_put_refuses_an_entry_above_the_limit(tmp_path: Path, caplog):
    store = FeatureStore(tmp_path, 100)
    store.put(KEYS[0], pack_entry(KEYS[0], make_features()))
    assert store.counts.refused == 1
    assert store.num_bytes() == 0
    assert "limit of the store is 100" in caplog.text


def test_feature_store_refuses_a_folder_that_cannot_be_created(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"features\.folder .*file/store"):
        FeatureStore(tmp_path / "file" / "store", PLENTY)


def write_and_read(folder: Path, max_bytes: int, seed: int, num_rounds: int, results) -> None:
    """Writes, reads and evicts entries of a store that several processes share."""
    store = FeatureStore(folder, max_bytes)
    generator = torch.Generator().manual_seed(seed)
    num_read = 0
    for _ in range(num_rounds):
        index = int(torch.randint(len(KEYS), (), generator=generator))
        store.put(KEYS[index], pack_entry(KEYS[index], make_features(index)))
        wanted = int(torch.randint(len(KEYS), (), generator=generator))
        (found,) = store.get_all([KEYS[wanted]])
        if found is not None:
            assert same(found, make_features(wanted))
            num_read += 1
    results.put((num_read, store.counts.damaged))


@pytest.mark.parametrize("entries_that_fit", [3, 8], ids=["evicting", "roomy"])
def test_feature_store_shared_by_writing_processes(tmp_path: Path, entries_that_fit: int):
    size = len(pack_entry(KEYS[0], make_features()))
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    processes = [
        context.Process(target=write_and_read, args=(tmp_path, entries_that_fit * size, seed, 150, results))
        for seed in range(3)
    ]
    for process in processes:
        process.start()
    outcomes = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(timeout=60)
        assert process.exitcode == 0
    assert all(num_read > 0 for num_read, _ in outcomes)
    assert sum(num_damaged for _, num_damaged in outcomes) == 0
    store = FeatureStore(tmp_path, entries_that_fit * size)
    assert store.num_bytes() <= entries_that_fit * size
    assert not list(tmp_path.glob(UNFINISHED))


def test_feature_store_evicts_after_a_reader_died(tmp_path: Path):
    size = len(pack_entry(KEYS[0], make_features()))
    store = filled(tmp_path, max_bytes=size, num_entries=1)
    context = multiprocessing.get_context("fork")
    ready = context.Event()

    def hold() -> None:
        with store.path(KEYS[0]).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)
            ready.set()
            time.sleep(60)

    holder = context.Process(target=hold)
    holder.start()
    assert ready.wait(30)
    store.put(KEYS[1], pack_entry(KEYS[1], make_features(1)))
    assert store.path(KEYS[0]).exists()
    holder.kill()
    holder.join()
    store.put(KEYS[2], pack_entry(KEYS[2], make_features(2)))
    assert not store.path(KEYS[0]).exists()
    assert store.num_bytes() == size
