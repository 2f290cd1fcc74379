"""Tests photographs and records at URLs, and file systems that don't respond."""

import hashlib
import json
from pathlib import Path

import fsspec
import fsspec.config
import pyarrow as pa
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.fakes.curation_stages import over_batches
from tests.fakes.museum_folders import RECORD, rows, write_image
from vaserl.curation.bodies.lift import Lift
from vaserl.curation.job.batch import batch_of, rows_of
from vaserl.curation.job.journal import Journal
from vaserl.curation.job.shards import source_shards
from vaserl.curation.settings import LiftSettings, SourceSettings
from vaserl.curation.source import read_photograph_source
from vaserl.curation.stages.lift import LIFT
from vaserl.curation.stages.source import SOURCE, SourceReader
from vaserl.errors import UserError
from vaserl.files.photograph import read_photograph
from vaserl.files.storage import local_copy, storage_environment, use_storage_options, versions_below


@pytest.fixture
def memory():
    """Yields fsspec's file system in memory and empties it afterwards."""
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()


@pytest.mark.parametrize("form", ["found", "listed"])
def test_read_bytes_reads_photographs_behind_a_url(memory, tmp_path, form):
    write_image(tmp_path / "v1_1.png")
    content = (tmp_path / "v1_1.png").read_bytes()
    memory.pipe("/museum/shots/v1_1.png", content)
    memory.pipe("/museum/shots/.hidden/v1_2.png", content)
    memory.pipe("/museum/records.jsonl", json.dumps({"id": "v1", **RECORD}).encode())
    if form == "listed":
        files = [{"file": "shots/v1_1.png"}, {"file": "shots/v1_3.png"}, {"file": "memory://other/v1_4.png"}]
        memory.pipe("/museum/photographs.jsonl", "".join(json.dumps(file) + "\n" for file in files).encode())
    settings = SourceSettings(path="memory://museum/")
    assert settings.path == "memory://museum", "one name for one place"
    table = read_photograph_source(settings)
    first, *others = table.to_pylist()
    assert (first["photo"], first["rejected_by"]) == ("memory://museum/shots/v1_1.png", "")
    seen = [(row["photo"], row["reason"]) for row in others]
    if form == "listed":  # another storage is accessed when its photograph is read
        missing = ("memory://museum/shots/v1_3.png", "no such file")
        assert seen == [missing, ("memory://other/v1_4.png", "")]
    else:
        assert seen == []
    (done, *_) = rows_of(over_batches(SOURCE, SourceReader)(batch_of(table.to_pylist())))
    assert done["photo_sha256"] == hashlib.sha256(content).hexdigest()
    assert read_photograph(done["photo"]).size == (8, 6)
    local = local_copy(done["photo"], tmp_path)
    assert local == tmp_path / "v1_1.png" and local.read_bytes() == content


def test_versions_below_tells_versions_apart_by_one_listing(memory, tmp_path):
    for name in ("a_1", "b_1", "c_1"):
        memory.pipe(f"/museum/shots/{name}.png", b"12345")
    photos = pa.table({"photo": [f"memory://museum/shots/{name}.png" for name in ("a_1", "b_1", "c_1", "d_1")]})

    def keys() -> list[str]:
        versions = versions_below("memory://museum")
        return [shard.key for shard in source_shards(photos, Journal(tmp_path), 1, versions)]

    before = keys()
    assert keys() == before
    memory.pipe("/museum/shots/b_1.png", b"54321")  # as long as the one before
    assert [new == old for new, old in zip(keys(), before, strict=True)] == [True, False, True, True]
    assert versions_below("/a/local/folder") == {}


@pytest.mark.parametrize(
    ("before", "after", "differ"),
    [
        ({"ETag": '"a1"', "size": 5, "LastModified": 1}, {"ETag": '"a1"', "size": 5, "LastModified": 2}, False),  # S3
        ({"ETag": '"a1"', "size": 5}, {"ETag": '"b2"', "size": 5}, True),
        ({"etag": "x", "md5Hash": "a", "size": 5}, {"etag": "x", "md5Hash": "b", "size": 5}, True),  # Google
        ({"mtime": 1.5, "size": 5}, {"mtime": 2.5, "size": 5}, True),  # SFTP
        ({"last_modified": "Mon", "size": 5}, {"last_modified": "Tue", "size": 5}, True),
        ({"size": 5}, {"size": 6}, True),
        ({"name": "a", "size": None}, {"name": "a", "size": None}, False),  # a web server's page of links
    ],
)
def test_versions_below_uses_the_digest_or_else_time_and_size(monkeypatch, before, after, differ):
    found = []
    for facts in (before, after):
        monkeypatch.setattr(MemoryFileSystem, "find", lambda _, path, detail, facts=facts: {"/museum/a.png": facts})
        found.append(versions_below("memory://museum").get("memory://museum/a.png"))
    assert (found[0] != found[1]) == differ
    assert (found[0] is None) == (before.get("size") is None), "nothing is known"


def test_source_stage_rejects_the_row_of_a_vanished_photograph(memory):
    row = {"photo": "memory://museum/gone.png", "rejected_by": "", "reason": ""}
    (done,) = rows_of(over_batches(SOURCE, SourceReader)(batch_of([row])))
    assert (done["rejected_by"], done["reason"]) == ("source", "can't be read: FileNotFoundError")


def test_normalised_file_urls_are_paths_and_unknown_protocols_are_named(tmp_path):
    write_image(tmp_path / "a.png")
    (tmp_path / "records.csv").write_text("id,Fabric\na,ATHENIAN\n")
    assert [row["photo"] for row in rows(f"file://{tmp_path}")] == [str(tmp_path / "a.png")]
    with pytest.raises(UserError, match=r"^nowhere://bucket.*nowhere"):
        rows("nowhere://bucket")


def test_storage_environment_gives_options_to_started_processes(monkeypatch):
    monkeypatch.setattr(fsspec.config, "conf", {})
    use_storage_options("s3://bucket/vases", {"endpoint_url": "http://localhost:9000"})
    use_storage_options("/a/local/path", {"ignored": 1})
    use_storage_options("simplecache::s3://bucket/vases", {"anon": True})
    environment = storage_environment()
    assert environment == {"FSSPEC_S3": '{"endpoint_url": "http://localhost:9000", "anon": true}'}
    elsewhere: dict = {}
    fsspec.config.set_conf_env(elsewhere, environment)  # what fsspec does when it is imported there
    assert elsewhere == {"s3": {"endpoint_url": "http://localhost:9000", "anon": True}}
    settings = SourceSettings(path="s3://bucket/vases", storage_options={"key": "secret"})
    assert "secret" not in settings.model_dump_json()


def test_no_answer_ends_the_run_and_rejects_nothing(monkeypatch, tmp_path):
    """Checks that a network failure stops the run. A missing file rejects its row, but a network failure must not,
    because rejections are stored."""

    def is_down(*_, **__):
        raise TimeoutError("no answer")

    monkeypatch.setattr(MemoryFileSystem, "cat_file", is_down)
    row = {"photo": "memory://down/a.png", "rejected_by": "", "reason": "", "vase_id": "a"}
    with pytest.raises(UserError, match=r"memory://down/a\.png: TimeoutError: no answer"):
        over_batches(SOURCE, SourceReader)(batch_of([row]))
    given = over_batches(
        LIFT,
        Lift,
        LiftSettings(generator="given", generator_args={"path": "{vase_id}.glb"}),
        "memory://down",
        tmp_path,
    )
    with pytest.raises(UserError, match=r"memory://down/a\.png: TimeoutError: no answer"):
        given(batch_of([row]))
    with pytest.raises(UserError, match=r"memory://down/a\.glb: TimeoutError: no answer"):
        given(batch_of([row | {"photo": str(tmp_path / "a.png")}]))
    monkeypatch.undo()
    monkeypatch.setattr(Path, "read_bytes", is_down)  # a mounted network disk
    with pytest.raises(UserError, match=r"/mnt/a\.png: TimeoutError: no answer"):
        over_batches(SOURCE, SourceReader)(batch_of([row | {"photo": "/mnt/a.png"}]))
    monkeypatch.undo()
    (lifted,) = rows_of(given(batch_of([row | {"photo": str(tmp_path / "a.png")}])))
    assert lifted["reason"] == "no model given: memory://down/a.glb"
    (judged,) = rows_of(over_batches(SOURCE, SourceReader)(batch_of([row])))
    assert judged["rejected_by"] == "source" and judged["reason"] == "can't be read: FileNotFoundError"

    def is_locked(*_, **__):
        raise PermissionError("not yours")

    monkeypatch.setattr(MemoryFileSystem, "cat_file", is_locked)
    (judged,) = rows_of(over_batches(SOURCE, SourceReader)(batch_of([row])))
    assert judged["rejected_by"] == "source" and judged["reason"] == "can't be read: PermissionError"
