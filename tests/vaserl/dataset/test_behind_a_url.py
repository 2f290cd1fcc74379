"""Tests of data sets on an object store: the same vases as in a folder, clips fetched once by each node."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.fakes.object_store import ObjectStore, object_store
from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.files.storage import write_bytes
from vaserl.settings import DataSettings


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    with object_store() as running:
        yield running


@pytest.fixture
def url(store: ObjectStore, dataset: Path, request: pytest.FixtureRequest) -> str:
    """Returns the URL of a copy of the data set, of this test alone."""
    return store.upload(dataset, request.node.name)


def node(url: str, root: Path, **settings: float) -> DataSet:
    """Returns the data set as a machine sees it whose local disk is at `root`."""
    return DataSet.of_settings(DataSettings.model_validate({"path": url, "cache_folder": root, **settings}))


def test_two_nodes_read_the_vases_of_the_folder_and_fetch_each_clip_once(
    url: str, store: ObjectStore, dataset: Path, tmp_path: Path
):
    folder = DataSet(dataset)
    nodes = [node(url, tmp_path / name) for name in ("a", "b")]
    for data in nodes:
        assert data.exists and data.sha256 == folder.sha256
        assert data.vases("train") == folder.vases("train") and list(data.rows) == list(folder.rows)
        for _ in range(2):
            for vase in folder.vases("train"):
                assert data.clips.size(vase.clip) == folder.clips.size(vase.clip)
                ours, theirs = (each.clips.load(vase.clip, 4) for each in (data, folder))
                assert np.array_equal(ours.frames, theirs.frames) and ours.fps == theirs.fps
    reads = Counter(name.rpartition("/")[2] for name in store.reads if "/clips/" in name)
    assert reads == {f"{vase.clip}.mp4": 2 for vase in folder.vases("train")}
    for root in (tmp_path / "a", tmp_path / "b"):
        assert {each.name for each in root.iterdir() if each.name[0] != "."} == {v.clip for v in folder.vases("train")}


def test_a_cache_of_two_clips_stays_below_its_limit(url: str, dataset: Path, tmp_path: Path):
    vases = DataSet(dataset).vases("train")
    largest = max(DataSet(dataset).clip_path(vase.clip).stat().st_size for vase in vases)
    data = node(url, tmp_path, cache_max_gb=2.5 * largest / 1e9)
    for vase in vases * 2:
        assert data.clips.size(vase.clip).num_frames == 8
        assert sum(each.stat().st_size for each in tmp_path.iterdir()) <= 2.5 * largest


def test_a_damaged_clip_is_named_and_not_kept(url: str, dataset: Path, tmp_path: Path):
    clip = DataSet(dataset).vases("train")[0].clip
    write_bytes(f"{url}/clips/{clip}.mp4", b"other")
    with pytest.raises(UserError, match=rf"fetched for {clip} has SHA-256 [0-9a-f]{{64}} and 5 bytes"):
        node(url, tmp_path).clips.load(clip)


def test_what_is_missing_behind_a_url_is_named(url: str, store: ObjectStore, dataset: Path, tmp_path: Path):
    with pytest.raises(UserError, match=r"data set s3://museum/none has no manifest\.parquet"):
        node("s3://museum/none", tmp_path).vases("train")
    assert not node("s3://no-bucket/none", tmp_path).exists
    clip = DataSet(dataset).vases("train")[0].clip
    import s3fs

    s3fs.S3FileSystem().rm(f"{url}/clips/{clip}.mp4")
    with pytest.raises(UserError, match=rf"{url}/manifest\.parquet: vase v00: its turntable video .*missing"):
        node(url, tmp_path).vases("train")
    with pytest.raises(UserError, match=rf"{url}/clips/{clip}\.mp4 can't be read: FileNotFoundError"):
        node(url, tmp_path).clips.size(clip)


def test_what_needs_a_folder_says_so(url: str, tmp_path: Path):
    data = node(url, tmp_path)
    with pytest.raises(UserError, match=rf"{url}/manifest\.parquet must be on a file system \(POSIX\)"):
        data.write_rows([])
    with pytest.raises(UserError, match=r"clips can't be added behind a URL"):
        data.clips.add(data.clips.load(data.vases("train")[0].clip))


@pytest.mark.usefixtures("store")
def test_a_store_that_does_not_answer_asks_to_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import s3fs

    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(UserError, match=r"^s3://museum/none/.*EndpointConnectionError: .*Run the command again"):
        node("s3://museum/none", tmp_path).vases("train")
    s3fs.S3FileSystem.clear_instance_cache()
