"""Tests of the cache of fetched files: fetched once, complete, checked, bounded."""

import multiprocessing
import os
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from vaserl.errors import UserError
from vaserl.files.node_cache import NodeCache

MB = 1 << 20


def content(number: int, num_bytes: int = 1000) -> bytes:
    return number.to_bytes(4) * (num_bytes // 4)


def digest(data: bytes) -> str:
    return sha256(data).hexdigest()


def read(cache: NodeCache, data: bytes, fetched: list[bytes]) -> bytes:
    def fetch() -> bytes:
        fetched.append(data)
        return data

    with cache.open(digest(data), fetch) as file:
        return file.read()


def test_a_file_is_fetched_once(tmp_path: Path):
    fetched: list[bytes] = []
    for _ in range(2):  # a second object stands for another process
        cache = NodeCache(tmp_path / "a", MB)
        assert [read(cache, content(k), fetched) for k in (1, 2, 1)] == [content(1), content(2), content(1)]
    assert fetched == [content(1), content(2)]


def test_many_threads_and_processes_fetch_a_file_once(tmp_path: Path):
    log = tmp_path / "log"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_fetch_all, args=(tmp_path / "cache", log)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert sorted(log.read_text().split()) == sorted(str(k) for k in range(20))


def _fetch_all(folder: Path, log: Path) -> None:
    cache = NodeCache(folder, MB)

    def one(number: int) -> None:
        def fetch() -> bytes:
            with open(log, "a") as file:
                file.write(f"{number}\n")
            return content(number)

        with cache.open(digest(content(number)), fetch) as file:
            assert file.read() == content(number)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(one, range(20)))


def test_the_least_recently_opened_files_are_removed(tmp_path: Path):
    """Of ten files of 1000 bytes, 8 are 0.8 of a limit of 10,000 and 9 are above 0.875 of it; 7 are below 0.75."""
    fetched: list[bytes] = []
    cache = NodeCache(tmp_path, 10_000)
    for k in range(8):
        read(cache, content(k), fetched)
        os.utime(tmp_path / digest(content(k)), (k, k))  # the clock of a file system may be coarse
    read(cache, content(0), fetched)
    assert len(fetched) == 8 and cache.num_bytes() == 8000
    read(cache, content(8), fetched)
    assert cache.num_bytes() == 7000
    left = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
    assert left == {digest(content(k)) for k in (0, 3, 4, 5, 6, 7, 8)}


def test_a_file_that_is_being_read_stays_readable(tmp_path: Path):
    cache = NodeCache(tmp_path, 1500)
    with cache.open(digest(content(1)), lambda: content(1)) as file:
        read(cache, content(2), [])
        assert cache.num_bytes() == 1000 and not (tmp_path / digest(content(1))).exists()
        assert file.read() == content(1)


def test_a_file_larger_than_the_limit_is_read_all_the_same(tmp_path: Path):
    cache = NodeCache(tmp_path, 10)
    assert read(cache, content(1), []) == content(1) and cache.num_bytes() == 0


def test_a_damaged_file_is_refused_and_not_stored(tmp_path: Path):
    cache = NodeCache(tmp_path, MB)
    with pytest.raises(UserError, match=rf"fetched for {digest(content(1))} has SHA-256 {digest(content(2))}"):
        cache.open(digest(content(1)), lambda: content(2))
    assert cache.num_bytes() == 0


def test_a_failed_fetch_leaves_nothing_and_is_tried_again(tmp_path: Path):
    cache = NodeCache(tmp_path, MB)

    def fail() -> bytes:
        raise OSError("no route")

    with pytest.raises(OSError, match="no route"):
        cache.open(digest(content(1)), fail)
    assert read(cache, content(1), []) == content(1)


def test_a_folder_that_can_not_be_written_to_names_the_setting(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"data\.cache_folder"):
        NodeCache(tmp_path / "file/cache", MB).open(digest(content(1)), lambda: content(1))
