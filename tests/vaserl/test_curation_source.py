"""What comes in: every form that photographs and records have, and what is said of broken ones."""

import hashlib
import json
import os
import sys
import tracemalloc
from pathlib import Path

import fsspec
import fsspec.config
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from PIL import Image
from pydantic import ValidationError

from vaserl.curation.batch import batch_of, rows_of
from vaserl.curation.journal import Journal
from vaserl.curation.lift import Lift
from vaserl.curation.photograph import UnreadablePhotograph, read_photograph
from vaserl.curation.settings import LiftSettings, SourceSettings
from vaserl.curation.shards import source_shards
from vaserl.curation.source import SOURCE_SCHEMA, Source, check_apart, read_source
from vaserl.curation.storage import local_copy, storage_environment, use_storage_options, versions_below
from vaserl.errors import UserError

RECORD = {"Fabric": "ATHENIAN", "Date": "-525 to -475"}


def write_image(path: Path, colour: tuple[int, int, int] = (200, 80, 40)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), colour).save(path)


def write_lines(path: Path, *entries: dict) -> None:
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def rows(folder: Path | str, **sections) -> list[dict]:
    """What the source makes of it, records decoded."""
    table = read_source(SourceSettings(path=str(folder), **sections))
    assert table.schema == SOURCE_SCHEMA
    return [row | {"record": json.loads(row["record"])} for row in table.to_pylist()]


def test_listed_photographs_with_records_by_id(tmp_path):
    write_image(tmp_path / "photos" / "a.png")
    write_image(tmp_path / "photos" / "b.png")
    write_lines(
        tmp_path / "photographs.jsonl",
        {"file": "photos/b.png", "vase_id": "v1", "view": 2, "kind": "blur", "rights": "CC0"},
        {"file": "photos/a.png", "vase_id": "v1", "view": 1},
    )
    write_lines(tmp_path / "records.jsonl", {"id": "v1", **RECORD, "Technique": "", "Decoration": None, "rights": "?"})
    first, second = rows(tmp_path)
    assert (first["photo"], first["view"], first["kind"]) == (str(tmp_path / "photos" / "a.png"), "1", "")
    assert (second["photo"], second["view"], second["kind"]) == (str(tmp_path / "photos" / "b.png"), "2", "blur")
    assert first["record"] == second["record"] == RECORD  # empty fields, the id and the rights are no fields
    assert (first["rights"], second["rights"]) == ("?", "CC0")  # the picture's own before the vase's
    assert first["rejected_by"] == first["reason"] == first["photo_sha256"] == ""


@pytest.mark.parametrize(
    ("name", "vase_id", "view"),
    [
        ("v7_2.png", "v7", "2"),
        ("v7_back.jpg", "v7", "back"),
        ("v7.webp", "v7", ""),
        ("vase_photo.png", "vase_photo", ""),  # "photo" is no view
        ("lekythos_met_27_122_6.png", "lekythos_met_27_122_6", ""),  # a record under the whole name decides
        ("krater_met_27_122_6.png", "krater_met_27_122", "6"),
        ("room 3/v7_2.png", "v7", "2"),
    ],
)
def test_ids_and_views_from_file_names(tmp_path, name, vase_id, view):
    write_image(tmp_path / name)
    (tmp_path / "records.csv").write_text("id,Fabric\nlekythos_met_27_122_6,ATHENIAN\n")
    (row,) = rows(tmp_path)
    assert (row["vase_id"], row["view"]) == (vase_id, view)


def test_one_record_file_for_each_vase(tmp_path):
    write_image(tmp_path / "pelike_1.png")
    (tmp_path / "pelike.json").write_text(json.dumps(RECORD))
    (row,) = rows(tmp_path)
    assert row["record"] == RECORD


def test_csv_with_another_id_field(tmp_path):
    write_image(tmp_path / "9001.png")
    (tmp_path / "records.csv").write_text("\ufeffMuseum No,Fabric,Date\n9001,ATHENIAN,\n", encoding="utf-8")
    (row,) = rows(tmp_path, id_field="Museum No")
    assert row["record"] == {"Fabric": "ATHENIAN"}


def test_csv_as_spreadsheets_of_many_countries_write_it(tmp_path):
    write_image(tmp_path / "9001.png")
    (tmp_path / "records.csv").write_bytes('\ufeffid;"Fabric";Decoration;\r\n9001;ATHENIAN;A,B: EYES;\r\n'.encode())
    (row,) = rows(tmp_path)
    assert row["record"] == {"Fabric": "ATHENIAN", "Decoration": "A,B: EYES"}


def test_names_meet_however_their_accents_are_written(tmp_path):
    apart, whole = "Scha\u0308ssburg \u0391\u0301", "Sch\u00e4ssburg \u0386"
    write_image(tmp_path / f"{apart}_1.png")
    (tmp_path / "records.csv").write_text(f"id,Fabric\n{whole},ATHENIAN\n")
    (row,) = rows(tmp_path)
    assert (row["vase_id"], row["rejected_by"]) == (whole, "")
    assert row["photo"].endswith(f"{apart}_1.png")  # the file keeps its name
    (tmp_path / "records.csv").write_text(f"id,Fabric\n{apart},ATHENIAN\n")
    (tmp_path / "photographs.csv").write_text(f"file,vase_id\n{apart}_1.png,{apart}\n")
    assert rows(tmp_path)[0]["rejected_by"] == ""


def test_paths_as_windows_writes_them(tmp_path):
    write_image(tmp_path / "room 3" / "a.png")
    (tmp_path / "photographs.csv").write_text("file,vase_id\r\nroom 3\\a.png,a\r\n")
    (tmp_path / "records.csv").write_text("id,Fabric\r\na,ATHENIAN\r\n")
    (row,) = rows(tmp_path)
    assert (row["photo"], row["rejected_by"]) == (str(tmp_path / "room 3" / "a.png"), "")


def test_rows_that_cannot_be_used_say_why(tmp_path):
    write_image(tmp_path / "known.png")
    write_image(tmp_path / "stranger.png")
    write_image(tmp_path / "mute.png")
    write_lines(
        tmp_path / "photographs.jsonl",
        *({"file": f"{name}.png", "vase_id": name, "view": 1} for name in ("known", "stranger", "mute", "gone")),
    )
    write_lines(
        tmp_path / "records.jsonl",
        {"id": "known", **RECORD},
        {"id": "mute", "Provenance": "ITALY, NOLA"},
        {"id": "gone", **RECORD},
    )
    found = {row["vase_id"]: row for row in rows(tmp_path)}
    assert {name: row["rejected_by"] for name, row in found.items()} == {
        "known": "",
        "stranger": "source",
        "mute": "source",
        "gone": "source",
    }
    assert found["known"]["reason"] == ""
    assert found["stranger"]["reason"] == "no record with the id 'stranger' in records.jsonl"
    assert found["mute"]["reason"].startswith("its record states none of Fabric, Technique, Shape Name")
    assert found["gone"]["reason"] == "no such file"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "holds no records"),
        ({"Katalog.csv": "", "photographs.csv": ""}, "or set source.records, to Katalog.csv perhaps"),
        ({"records.jsonl": '{"id": "a"}\n'}, "holds no photographs"),
        ({"records.jsonl": '{"id": "a"}\n{"id": \n'}, "records.jsonl:2: not JSON"),
        ({"records.jsonl": '{"name": "a"}\n'}, "records.jsonl:1: no 'id'; the fields there are name"),
        ({"records.jsonl": '{"id": "a"}\n\n{"id": "a"}\n'}, "records.jsonl:3: a second record with the id 'a'"),
        ({"records.jsonl": "[1]\n"}, "records.jsonl:1: expected a JSON object, got list"),
        ({"records.json": '[{"id": "a"},\n {"id": "a"}]'}, "records.json:2: a second record with the id 'a'"),
        ({"records.json": '[{"id": "a"},\n\n 7]'}, "records.json:3: expected a JSON object, got int"),
        ({"records.json": '[{"id": "a"}\n {"id": "b"}]'}, 'records.json:2: not JSON: expected "," or "]"'),
        ({"records.json": '[{"id": "a"},\n {"id": ]'}, "records.json:2: not JSON"),
        ({"records.json": '{"a": 1}'}, "records.json:a: expected a JSON object, got int"),
        ({"records.csv": "id,Fabric\na,B,C\n"}, "records.csv:2: 1 cells more than the header has"),
        ({"records.csv": "id,Fabric\na,\udce9\n"}, "records.csv:2: not UTF-8"),
        ({"records.csv": "id,Gef\udce4\na,B\n"}, "records.csv:1: not UTF-8"),
        ({"records.csv": "\udcff\udcfei\0d\0"}, "records.csv:1: not UTF-8"),
        ({"records.csv": "id,Fabric,Fabric\na,B,C\n"}, "records.csv:1: the header has 'Fabric' twice"),
        ({"records.json": '[{"id": "a", "fabric": {"en": "B"}}]'}, 'records.json:1: \'fabric\' holds {"en": "B"}'),
        ({"records.parquet": "PAR?"}, "records.parquet: not a parquet file"),
        ({"records.csv": "", "records.jsonl": ""}, "holds records.jsonl and records.csv: remove one"),
        ({"a.json": "{}", "photographs.jsonl": '{"file": "../a.png", "vase_id": "a"}'}, "outside of the folder"),
        ({"a.json": "{}", "photographs.jsonl": '{"vase_id": "a"}'}, 'photographs.jsonl:1: lacks "file"'),
        ({"a.json": "{}", "photographs.jsonl": '{"file": "a", "vase_id": "a"}\n' * 2}, "listed on line 1 already"),
        ({"a.json": "{}", "photographs.jsonl": '{"file": {"bytes": ""}}'}, "file holds the picture itself"),
    ],
)
def test_damaged_input_names_file_and_line(tmp_path, files, message):
    for name, text in files.items():
        (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match="^" + str(tmp_path)) as caught:
        read_source(SourceSettings(path=str(tmp_path)))
    assert message in str(caught.value)


def test_a_file_whose_name_is_no_text_is_named(tmp_path):
    write_lines(tmp_path / "records.jsonl", {"id": "v", **RECORD})
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/v\xe9_1.png")).touch()  # é in Latin-1
    with pytest.raises(UserError, match=r"the name of b'v\\xe9_1\.png' is not UTF-8; rename the file"):
        rows(tmp_path)


def test_a_missing_folder(tmp_path):
    with pytest.raises(UserError, match=r"source\.path .*/nowhere: no such folder"):
        read_source(SourceSettings(path=str(tmp_path / "nowhere")))


PAPER_PATTERN = r"(?i)(?P<vase_id>[0-9a-f-]+)_(?P<view>\d+)_ac001001"
"""The names that the paper's pictures have, as docs/data.md gives it."""
ID = "4f3a9c12-0b7e-4d8a-9e55-1c2d3e4f5a6b"


def test_the_paper_s_names_and_the_archive_s_own_headers(tmp_path):
    for name in (f"{ID}_1_ac001001.jpg", f"{ID.upper()}_12_AC001001.JPG", "scan0001.jpg"):
        write_image(tmp_path / name)
    (tmp_path / "records.csv").write_text(
        "URI,Vase Number,Fabric,Technique,Sub Technique,Shape Name,Date,Attributed To,Decoration\n"
        f'http://example.org/{ID.upper()},310000,ATHENIAN,BLACK-FIGURE,,"AMPHORA, NECK",-550 to -500,,A: WARRIOR\n'
        f"http://example.org/{ID}/,310001,ATHENIAN,RED-FIGURE,,LEKYTHOS,-500 to -475,LYDOS by BEAZLEY,A: WOMAN\n"
    )
    other, lower, upper = sorted(
        rows(tmp_path, pattern=PAPER_PATTERN), key=lambda row: (row["vase_id"] != "", row["view"])
    )
    assert (lower["vase_id"], lower["view"], lower["record"]["Vase Number"]) == (ID, "1", "310001")
    assert (upper["vase_id"], upper["view"], upper["record"]["Shape Name"]) == (ID.upper(), "12", "AMPHORA, NECK")
    assert "Sub Technique" not in upper["record"] and "Attributed To" not in upper["record"]
    # a name that doesn't fit is a row, with the pattern that it doesn't fit
    assert (other["rejected_by"], other["vase_id"]) == ("source", "")
    assert other["reason"] == f"its name does not fit source.pattern {PAPER_PATTERN}"


def test_a_folder_for_each_vase(tmp_path):
    write_image(tmp_path / "krater 3" / "left side.png")
    (tmp_path / "records.csv").write_text("id,Fabric\nkrater 3,ATHENIAN\n")
    (row,) = rows(tmp_path, pattern=r"(?P<vase_id>[^/]+)/(?P<view>.+)")
    assert (row["vase_id"], row["view"], row["rejected_by"]) == ("krater 3", "left side", "")


def test_columns_of_other_names(tmp_path):
    write_image(tmp_path / "img" / "a.png")
    pq.write_table(
        pa.table({"picture": ["img/a.png"], "object": [7.0], "side": [2], "licence": ["CC0"]}),
        tmp_path / "shots.parquet",
    )
    write_lines(tmp_path / "museum.jsonl", {"no": 7, "fabric_name": "ATHENIAN", "Fabric": "?", "shape_name": "KYLIX"})
    (row,) = rows(
        tmp_path / "shots.parquet",
        records="museum.jsonl",
        id_field="no",
        fields={"file": "picture", "vase_id": "object", "view": "side", "rights": "licence", "Fabric": "fabric_name"},
    )
    assert (row["photo"], row["vase_id"], row["view"], row["rights"]) == (
        str(tmp_path / "img" / "a.png"),
        "7",  # a column of whole numbers that parquet keeps as floats
        "2",
        "CC0",
    )
    assert row["record"] == {"Fabric": "ATHENIAN", "Shape Name": "KYLIX"}  # the mapped column before one of that name


def test_wrong_mappings_are_named(tmp_path):
    with pytest.raises(ValidationError, match="no field 'Shape'; did you mean 'Shape Name'"):
        SourceSettings(path=str(tmp_path), fields={"Shape": "shape"})
    with pytest.raises(ValidationError, match="must name the group"):
        SourceSettings(path=str(tmp_path), pattern=r"(\w+)_(\d)")
    write_image(tmp_path / "a.png")
    (tmp_path / "records.csv").write_text("id,Fabric\na,ATHENIAN\n")
    with pytest.raises(UserError, match=r"source\.fields\.Date: no column 'period' in records\.csv; there are Fabric$"):
        rows(tmp_path, fields={"Date": "period"})
    with pytest.raises(UserError, match=r"no column 'fabric' in records\.csv; did you mean 'Fabric'\?"):
        rows(tmp_path, fields={"Technique": "fabric"})
    (tmp_path / "records.csv").write_text("No,Fabric,picture\na,ATHENIAN,a.png\n")
    with pytest.raises(
        UserError, match="'picture' is a column of the records, and file one of the list of photographs"
    ):
        rows(tmp_path, id_field="No", fields={"file": "picture"})


def test_a_list_without_vases_goes_by_names(tmp_path):
    write_image(tmp_path / "v7_2.png")
    (tmp_path / "photographs.csv").write_text("file,credit\nv7_2.png,Museum of V.\nv8_1.png,\n")
    (tmp_path / "records.json").write_text(json.dumps([{"id": "v7", **RECORD}, {"id": "v8", **RECORD}]))
    first, second = rows(tmp_path)
    assert (first["vase_id"], first["view"], first["credit"]) == ("v7", "2", "Museum of V.")
    assert (second["vase_id"], second["reason"]) == ("v8", "no such file")


def test_rights_are_mapped_from_the_record_and_missing_ones_said(tmp_path, caplog):
    for name in "ab":
        write_image(tmp_path / f"{name}.png")
    write_lines(tmp_path / "records.jsonl", {"id": "a", **RECORD, "Credit Line": "Gift of X"}, {"id": "b", **RECORD})
    first, second = rows(tmp_path, fields={"credit": "Credit Line"})
    assert (first["credit"], second["credit"]) == ("Gift of X", "") and first["record"] == RECORD
    assert "of 2 photographs, 2 state no rights and 1 no credit line" in caplog.text


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
        listing = "".join(json.dumps({"file": f"shots/{name}.png"}) + "\n" for name in ("v1_1", "v1_3"))
        memory.pipe("/museum/photographs.jsonl", listing.encode())
    table = read_source(SourceSettings(path="memory://museum/"))
    first, *others = table.to_pylist()
    assert (first["photo"], first["rejected_by"]) == ("memory://museum/shots/v1_1.png", "")
    assert [row["reason"] for row in others] == (["no such file"] if form == "listed" else [])
    (done, *_) = rows_of(Source()(batch_of(table.to_pylist())))
    assert done["photo_sha256"] == hashlib.sha256(content).hexdigest()
    assert read_photograph(done["photo"]).size == (8, 6)
    local = local_copy(done["photo"], tmp_path)
    assert local == tmp_path / "v1_1.png" and local.read_bytes() == content


def test_one_listing_tells_versions_apart(memory, tmp_path):
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
def test_a_version_is_told_by_its_digest_or_else_its_time_and_its_size(monkeypatch, before, after, differ):
    found = []
    for facts in (before, after):
        monkeypatch.setattr(MemoryFileSystem, "find", lambda _, path, detail, facts=facts: {"/museum/a.png": facts})
        found.append(versions_below("memory://museum").get("memory://museum/a.png"))
    assert (found[0] != found[1]) == differ
    assert (found[0] is None) == (before.get("size") is None), "nothing is known"


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
    use_storage_options("/a/local/path", {"ignored": 1})
    use_storage_options("simplecache::s3://bucket/vases", {"anon": True})
    environment = storage_environment()
    assert environment == {"FSSPEC_S3": '{"endpoint_url": "http://localhost:9000", "anon": true}'}
    elsewhere: dict = {}
    fsspec.config.set_conf_env(elsewhere, environment)  # what fsspec does when it is imported there
    assert elsewhere == {"s3": {"endpoint_url": "http://localhost:9000", "anon": True}}
    settings = SourceSettings(path="s3://bucket/vases", storage_options={"key": "secret"})
    assert "secret" not in settings.model_dump_json()


def test_many_rows_are_columns_and_not_objects(tmp_path):
    """The peak of Python's own memory while 20,000 rows are read stays far below what their dicts would take."""
    write_lines(tmp_path / "photographs.jsonl", *({"file": f"{k}.png", "vase_id": f"v{k // 2}"} for k in range(20_000)))
    long = "A: WARRIOR WITH SHIELD, " * 20
    write_lines(tmp_path / "records.jsonl", *({"id": f"v{k}", **RECORD, "Decoration": long} for k in range(10_000)))
    tracemalloc.start()
    table = read_source(SourceSettings(path=str(tmp_path)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    rows = table.to_pylist()
    assert len(rows) == 20_000 and rows[0]["reason"] == "no such file"
    as_objects = sum(sys.getsizeof(row) + sum(map(sys.getsizeof, row.values())) for row in rows)
    assert peak < 0.6 * as_objects


def test_source_stage_hashes_and_decodes(tmp_path):
    Image.effect_noise((64, 64), 80).save(tmp_path / "good.png")  # too varied to be packed into 2,000 bytes
    (tmp_path / "torn.png").write_bytes((tmp_path / "good.png").read_bytes()[:2000])
    (tmp_path / "text.png").write_text("not an image")
    (tmp_path / "records.jsonl").write_text("".join(json.dumps({"id": n, **RECORD}) + "\n" for n in ("good", "torn")))
    batch = batch_of(read_source(SourceSettings(path=str(tmp_path))).to_pylist())
    done = {row["vase_id"]: row for row in rows_of(Source()(batch))}
    assert done["good"]["photo_sha256"] == hashlib.sha256((tmp_path / "good.png").read_bytes()).hexdigest()
    assert done["good"]["rejected_by"] == ""
    assert done["torn"]["rejected_by"] == "source" and done["torn"]["reason"].startswith("can't be decoded")
    # it was rejected for want of a record before anybody looked at the file: the first reason stays
    assert done["text"]["reason"].startswith("no record with the id 'text'") and done["text"]["photo_sha256"] == ""


def test_photographs_come_upright_and_on_white(tmp_path):
    sideways = Image.new("RGB", (8, 4), (10, 20, 30))
    exif = sideways.getexif()
    exif[0x0112] = 6  # "rotate by 90 degrees to see it upright"
    sideways.save(tmp_path / "exif.jpg", exif=exif)
    assert read_photograph(tmp_path / "exif.jpg").size == (4, 8)
    Image.new("RGBA", (2, 2), (255, 0, 0, 0)).save(tmp_path / "clear.png")
    assert read_photograph(tmp_path / "clear.png").getpixel((0, 0)) == (255, 255, 255)
    assert read_photograph(tmp_path / "clear.png", keep_alpha=True).mode == "RGBA"


def test_oversized_and_foreign_images_are_refused(tmp_path):
    Image.new("1", (10_000, 5_001)).save(tmp_path / "large.png")
    with pytest.raises(UnreadablePhotograph, match="10000 x 5001 pixels"):
        read_photograph(tmp_path / "large.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "a.gif")
    with pytest.raises(UnreadablePhotograph, match="not an image in one of the formats"):
        read_photograph(tmp_path / "a.gif")


def test_a_data_set_among_the_photographs_is_refused(tmp_path):
    write_image(tmp_path / "museum" / "a.png")
    settings = SourceSettings(path=str(tmp_path / "museum"))
    check_apart(settings, tmp_path / "out")
    with pytest.raises(UserError, match="lies in the folder of the photographs"):
        check_apart(settings, tmp_path / "museum" / "out")
    (tmp_path / "museum" / "photographs.csv").write_text("file\na.png\n")
    check_apart(settings, tmp_path / "museum" / "out")  # a list says which they are


def test_a_file_that_is_not_there_is_said_as_such(tmp_path):
    with pytest.raises(UnreadablePhotograph, match=r"^can't be read: No such file or directory$"):
        read_photograph(tmp_path / "gone.png")


def test_a_file_system_that_gives_no_answer_rejects_nothing(monkeypatch, tmp_path):
    """What is absent is a row's own fault; a network that is down isn't, and a rejection would outlast it."""

    def is_down(*_, **__):
        raise TimeoutError("no answer")

    monkeypatch.setattr(MemoryFileSystem, "cat_file", is_down)
    row = {"photo": "memory://down/a.png", "rejected_by": "", "reason": "", "vase_id": "a"}
    with pytest.raises(UserError, match=r"memory://down/a\.png: TimeoutError: no answer"):
        Source()(batch_of([row]))
    given = Lift(LiftSettings(generator="given", given="{vase_id}.glb"), "memory://down", tmp_path)
    with pytest.raises(UserError, match=r"memory://down/a\.png: TimeoutError: no answer"):
        given(batch_of([row]))
    with pytest.raises(UserError, match=r"memory://down/a\.glb: TimeoutError: no answer"):
        given(batch_of([row | {"photo": str(tmp_path / "a.png")}]))
    monkeypatch.undo()
    monkeypatch.setattr(Path, "read_bytes", is_down)  # a network's disk, mounted
    with pytest.raises(UserError, match=r"/mnt/a\.png: TimeoutError: no answer"):
        Source()(batch_of([row | {"photo": "/mnt/a.png"}]))
    monkeypatch.undo()
    (lifted,) = rows_of(given(batch_of([row | {"photo": str(tmp_path / "a.png")}])))
    assert lifted["reason"] == "no model given: memory://down/a.glb"
    (judged,) = rows_of(Source()(batch_of([row])))
    assert judged["rejected_by"] == "source" and judged["reason"] == "can't be read: FileNotFoundError"
