"""Photographs and records behind URLs, and file systems that give no answer."""

import hashlib
import json

import fsspec
import fsspec.config
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.vaserl.museum_folders import RECORD, rows, write_image
from vaserl.curation.batch import batch_of, rows_of
from vaserl.curation.photograph import read_photograph
from vaserl.curation.settings import SourceSettings
from vaserl.curation.source import Source, read_source
from vaserl.curation.storage import local_copy, storage_environment, use_storage_options
from vaserl.errors import UserError


@pytest.fixture
def memory():
    """fsspec's file system in memory, emptied afterwards."""
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()


@pytest.mark.parametrize("form", ["found", "listed"])
def test_photographs_behind_a_url(memory, tmp_path, form):
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
    table = read_source(settings)
    first, *others = table.to_pylist()
    assert (first["photo"], first["rejected_by"]) == ("memory://museum/shots/v1_1.png", "")
    seen = [(row["photo"], row["reason"]) for row in others]
    if form == "listed":  # another store is asked when its photograph is read
        missing = ("memory://museum/shots/v1_3.png", "no such file")
        assert seen == [missing, ("memory://other/v1_4.png", "")]
    else:
        assert seen == []
    (done, *_) = rows_of(Source()(batch_of(table.to_pylist())))
    assert done["photo_sha256"] == hashlib.sha256(content).hexdigest()
    assert read_photograph(done["photo"]).size == (8, 6)
    local = local_copy(done["photo"], tmp_path)
    assert local == tmp_path / "v1_1.png" and local.read_bytes() == content


def test_a_photograph_that_vanished_is_a_row(memory):
    row = {"photo": "memory://museum/gone.png", "rejected_by": "", "reason": ""}
    (done,) = rows_of(Source()(batch_of([row])))
    assert (done["rejected_by"], done["reason"]) == ("source", "can't be read: FileNotFoundError")


def test_file_urls_are_paths_and_unknown_protocols_are_said(tmp_path):
    write_image(tmp_path / "a.png")
    (tmp_path / "records.csv").write_text("id,Fabric\na,ATHENIAN\n")
    assert [row["photo"] for row in rows(f"file://{tmp_path}")] == [str(tmp_path / "a.png")]
    with pytest.raises(UserError, match=r"^nowhere://bucket.*nowhere"):
        rows("nowhere://bucket")


def test_storage_options_reach_this_process_and_those_it_starts(monkeypatch):
    monkeypatch.setattr(fsspec.config, "conf", {})
    use_storage_options("s3://bucket/vases", {"endpoint_url": "http://localhost:9000"})
    use_storage_options("s3://bucket/scans", {"anon": True})
    use_storage_options("/a/local/path", {"ignored": 1})
    environment = storage_environment()
    assert environment == {"FSSPEC_S3": '{"endpoint_url": "http://localhost:9000", "anon": true}'}
    elsewhere: dict = {}
    fsspec.config.set_conf_env(elsewhere, environment)  # what fsspec does when it is imported there
    assert elsewhere == {"s3": {"endpoint_url": "http://localhost:9000", "anon": True}}
    settings = SourceSettings(path="s3://bucket/vases", storage_options={"key": "secret"})
    assert "secret" not in settings.model_dump_json()


def test_a_file_system_that_gives_no_answer_rejects_nothing(monkeypatch):
    """What is absent is a row's own fault; a network that is down isn't, and a rejection would outlast it."""

    def is_down(*_, **__):
        raise TimeoutError("no answer")

    monkeypatch.setattr(MemoryFileSystem, "cat_file", is_down)
    row = {"photo": "memory://down/a.png", "rejected_by": "", "reason": ""}
    with pytest.raises(UserError, match=r"memory://down/a\.png: TimeoutError: no answer"):
        Source()(batch_of([row]))
    monkeypatch.undo()
    (judged,) = rows_of(Source()(batch_of([row])))
    assert judged["rejected_by"] == "source" and judged["reason"] == "can't be read: FileNotFoundError"

    def is_locked(*_, **__):
        raise PermissionError("not yours")

    monkeypatch.setattr(MemoryFileSystem, "cat_file", is_locked)
    (judged,) = rows_of(Source()(batch_of([row])))
    assert judged["rejected_by"] == "source" and judged["reason"] == "can't be read: PermissionError"
