"""Tests the source of the curation job: every form of photographs and records, and the messages for broken ones."""

import json
import os
import sys
import tracemalloc
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from tests.fakes.museum_folders import RECORD, rows, write_image, write_lines
from vaserl.curation.settings import SourceSettings
from vaserl.curation.source import check_apart, read_photograph_source
from vaserl.errors import UserError


def test_read_source_listed_photographs_with_records_by_id(tmp_path):
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
    # the photograph's own record has priority over the vase's
    assert (first["rights"], second["rights"]) == ("?", "CC0")
    assert first["rejected_by"] == first["reason"] == first["photo_sha256"] == ""


@pytest.mark.parametrize(
    ("name", "vase_id", "view"),
    [
        ("v7_2.png", "v7", "2"),
        ("v7_back.jpg", "v7", "back"),
        ("v7.webp", "v7", ""),
        ("vase_photo.png", "vase_photo", ""),  # "photo" is no view
        ("lekythos_met_27_122_6.png", "lekythos_met_27_122_6", ""),  # a record under the whole name has priority
        ("krater_met_27_122_6.png", "krater_met_27_122", "6"),
        ("room 3/v7_2.png", "v7", "2"),
    ],
)
def test_read_source_ids_and_views_from_file_names(tmp_path, name, vase_id, view):
    write_image(tmp_path / name)
    (tmp_path / "records.csv").write_text("id,Fabric\nlekythos_met_27_122_6,ATHENIAN\n")
    (row,) = rows(tmp_path)
    assert (row["vase_id"], row["view"]) == (vase_id, view)


def test_read_source_one_record_file_for_each_vase(tmp_path):
    write_image(tmp_path / "pelike_1.png")
    write_image(tmp_path / ".thumbnails" / "pelike_2.png")
    write_image(tmp_path / "._pelike_3.png")  # files that other systems write beside a photograph
    (tmp_path / "pelike.json").write_text(json.dumps(RECORD), encoding="utf-8-sig")
    (tmp_path / ".thumbnails" / "index.json").write_text("[]")
    write_image(tmp_path / "room 3" / "pelike_4.png")
    (tmp_path / "room 3" / "labels.json").write_text("[]")  # a record lies beside no photograph of a folder
    other, row = rows(tmp_path)
    assert other["vase_id"] == "pelike" and other["view"] == "1" and row["view"] == "4"
    assert row["record"] == RECORD


def test_read_source_records_from_elsewhere(tmp_path):
    write_image(tmp_path / "museum" / "a.png")
    write_lines(tmp_path / "catalogue.jsonl", {"id": "a", **RECORD})
    (row,) = rows(tmp_path / "museum", records=str(tmp_path / "catalogue.jsonl"))
    assert row["record"] == RECORD


def test_read_source_csv_with_another_id_field(tmp_path):
    write_image(tmp_path / "9001.png")
    (tmp_path / "records.csv").write_text("\ufeffMuseum No,Fabric,Date\n9001,ATHENIAN,\n", encoding="utf-8")
    (row,) = rows(tmp_path, id_field="Museum No")
    assert row["record"] == {"Fabric": "ATHENIAN"}


def test_read_source_csv_as_spreadsheets_of_many_countries_write_it(tmp_path):
    write_image(tmp_path / "9001.png")
    (tmp_path / "records.csv").write_bytes('\ufeffid;"Fabric";Decoration;\r\n9001;ATHENIAN;A,B: EYES;\r\n'.encode())
    (row,) = rows(tmp_path)
    assert row["record"] == {"Fabric": "ATHENIAN", "Decoration": "A,B: EYES"}


def test_read_source_names_meet_however_their_accents_are_written(tmp_path):
    apart, whole = "Scha\u0308ssburg \u0391\u0301", "Sch\u00e4ssburg \u0386"
    write_image(tmp_path / f"{apart}_1.png")
    (tmp_path / "records.csv").write_text(f"id,Fabric\n{whole},ATHENIAN\n")
    (row,) = rows(tmp_path)
    assert (row["vase_id"], row["rejected_by"]) == (whole, "")
    assert row["photo"].endswith(f"{apart}_1.png")  # the file keeps its name
    (tmp_path / "records.csv").write_text(f"id,Fabric\n{apart},ATHENIAN\n")
    (tmp_path / "photographs.csv").write_text(f"file,vase_id\n{apart}_1.png,{apart}\n")
    assert rows(tmp_path)[0]["rejected_by"] == ""


def test_read_source_paths_as_windows_writes_them(tmp_path):
    write_image(tmp_path / "room 3" / "a.png")
    (tmp_path / "photographs.csv").write_text("file,vase_id\r\nroom 3\\a.png,a\r\n")
    (tmp_path / "records.csv").write_text("id,Fabric\r\na,ATHENIAN\r\n")
    (row,) = rows(tmp_path)
    assert (row["photo"], row["rejected_by"]) == (str(tmp_path / "room 3" / "a.png"), "")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("records.csv", "id,Fabric\na,ATHENIAN\n"),
        ("records.json", '[{"id": "a", "Fabric": "ATHENIAN"}]'),
        ("records.jsonl", '{"id": "a", "Fabric": "ATHENIAN"}\n'),
    ],
)
def test_read_source_byte_order_mark_is_no_text(tmp_path, name, text):
    write_image(tmp_path / "a.png")
    (tmp_path / name).write_text(text, encoding="utf-8-sig")
    (row,) = rows(tmp_path)
    assert row["record"] == {"Fabric": "ATHENIAN"} and not row["rejected_by"]


def test_read_source_damage_in_parquet_is_named_by_its_row(tmp_path):
    pq.write_table(pa.table({"id": ["a", None], "Fabric": ["ATHENIAN"] * 2}), tmp_path / "records.parquet")
    with pytest.raises(UserError, match=r"records\.parquet:2: the cell of 'id' is empty"):
        rows(tmp_path)


def test_read_source_unusable_rows_state_a_reason(tmp_path):
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
        ({}, "contains no records"),
        (
            {"Katalog.csv": "", "photographs.csv": ""},
            "or set source.records to the path of a table, perhaps Katalog.csv",
        ),
        ({"records.jsonl": '{"id": "a"}\n'}, "contains no photographs"),
        ({"records.jsonl": '{"id": "a"}\n{"id": \n'}, "records.jsonl:2: not JSON"),
        ({"records.jsonl": '{"name": "a"}\n'}, "records.jsonl:1: no 'id'; the fields there are name"),
        ({"records.jsonl": '{"id": "a"}\n\n{"id": "a"}\n'}, "records.jsonl:3: a second record with the id 'a'"),
        ({"records.jsonl": "[1]\n"}, "records.jsonl:1: expected a JSON object, got list"),
        ({"records.json": '[{"id": "a"},\n {"id": "a"}]'}, "records.json:2: a second record with the id 'a'"),
        ({"records.json": '[{"id": "a"},\n\n 7]'}, "records.json:3: expected a JSON object, got int"),
        ({"records.json": '[{"id": "a"}\n {"id": "b"}]'}, 'records.json:2: not JSON: expected "," or "]"'),
        ({"records.json": '[{"id": "a"},\n {"id": ]'}, "records.json:2: not JSON"),
        ({"records.json": '[{"id":\n "a"}, 7]'}, "records.json:2: expected a JSON object, got int"),
        ({"a.json": '{\n"Fabric"\n7}'}, "a.json:3: not JSON"),
        ({"records.json": '{"a": 1}'}, "records.json:a: expected a JSON object, got int"),
        ({"records.csv": "id,Fabric\na,B,C\n"}, "records.csv:2: 1 cells more than the header has"),
        ({"records.csv": "id,Fabric\na,\udce9\n"}, "records.csv:2: not UTF-8"),
        ({"records.csv": "id,Gef\udce4\na,B\n"}, "records.csv:1: not UTF-8"),
        ({"records.csv": "\udcff\udcfei\0d\0"}, "records.csv: is text in UTF-16, not UTF-8"),
        ({"records.csv": "id,Fabric,Fabric\na,B,C\n"}, "records.csv:1: the header has 'Fabric' twice"),
        ({"records.json": '[{"id": "a", "fabric": {"en": "B"}}]'}, 'records.json:1: \'fabric\' holds {"en": "B"}'),
        ({"records.parquet": "PAR?"}, "records.parquet: not a parquet file"),
        ({"records.csv": "", "records.jsonl": ""}, "contains records.jsonl and records.csv: keep one of them"),
        ({"a.json": "{}", "photographs.jsonl": '{"file": "../a.png", "vase_id": "a"}'}, "outside of the folder"),
        ({"a.json": "{}", "photographs.jsonl": '{"vase_id": "a"}'}, 'photographs.jsonl:1: lacks "file"'),
        ({"a.json": "{}", "photographs.jsonl": '{"file": "a", "vase_id": "a"}\n' * 2}, "listed on line 1 already"),
        ({"a.json": "{}", "photographs.jsonl": '{"file": {"bytes": ""}}'}, "file holds the picture itself"),
    ],
)
def test_read_source_damaged_input_names_file_and_line(tmp_path, files, message):
    for name, text in files.items():
        (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UserError, match="^" + str(tmp_path)) as caught:
        read_photograph_source(SourceSettings(path=str(tmp_path)))
    assert message in str(caught.value)


def test_read_source_file_whose_name_is_no_text_is_named(tmp_path):
    write_lines(tmp_path / "records.jsonl", {"id": "v", **RECORD})
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/v\xe9_1.png")).touch()  # é in Latin-1
    with pytest.raises(UserError, match=r"the name of b'v\\xe9_1\.png' is not UTF-8; rename the file"):
        rows(tmp_path)


def test_read_source_missing_folder(tmp_path):
    with pytest.raises(UserError, match=r"source\.path .*/nowhere: no such folder"):
        read_photograph_source(SourceSettings(path=str(tmp_path / "nowhere")))


PAPER_PATTERN = r"(?i)(?P<vase_id>[0-9a-f-]+)_(?P<view>\d+)_ac001001"
"""Pattern of the names of the paper's photographs, as docs/data.md gives it."""

ID = "4f3a9c12-0b7e-4d8a-9e55-1c2d3e4f5a6b"


def test_read_source_the_paper_s_names_and_the_archive_s_own_headers(tmp_path):
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
    assert lower["record"]["URI"] == f"http://example.org/{ID}/", "the archive's own name of it stays in the record"
    assert "Sub Technique" not in upper["record"] and "Attributed To" not in upper["record"]
    # a name that doesn't match becomes a row whose message has the pattern
    assert (other["rejected_by"], other["vase_id"]) == ("source", "")
    assert other["reason"] == f"its name does not fit source.pattern {PAPER_PATTERN}"


def test_read_source_folder_for_each_vase(tmp_path):
    write_image(tmp_path / "krater 3" / "left side.png")
    (tmp_path / "records.csv").write_text("id,Fabric\nkrater 3,ATHENIAN\n")
    (row,) = rows(tmp_path, pattern=r"(?P<vase_id>[^/]+)/(?P<view>.+)")
    assert (row["vase_id"], row["view"], row["rejected_by"]) == ("krater 3", "left side", "")


def test_read_source_columns_of_other_names(tmp_path):
    write_image(tmp_path / "img" / "a.png")
    pq.write_table(
        pa.table({"picture": ["img/a.png"], "object": [7.0], "side": [2], "licence": ["CC0"]}),
        tmp_path / "shots.parquet",
    )
    museum = {"no": 7, "Fabric": "?", "fabric_name": " ATHENIAN ", "FABRIC": "??", "shape_name": "KYLIX"}
    write_lines(tmp_path / "museum.jsonl", museum)
    (row,) = rows(
        tmp_path / "shots.parquet",
        records="museum.jsonl",
        id_field="no",
        fields={"file": "picture", "vase_id": "object", "view": "side", "rights": "licence", "Fabric": "fabric_name"},
    )
    assert (row["photo"], row["vase_id"], row["view"], row["rights"]) == (
        str(tmp_path / "img" / "a.png"),
        "7",  # a column of whole numbers that parquet stores as floats
        "2",
        "CC0",
    )
    # the mapped column has priority over a column of that name
    assert row["record"] == {"Fabric": "ATHENIAN", "Shape Name": "KYLIX"}


def test_read_source_cells_of_parquet_that_are_lists_or_no_numbers(tmp_path):
    write_image(tmp_path / "a.png")
    columns = {"id": ["a"], "Attributed To": [["ANTIMENES P", "", "LYSIPPIDES P"]], "Height": [float("nan")]}
    pq.write_table(pa.table(columns), tmp_path / "records.parquet")
    (row,) = rows(tmp_path)
    assert row["record"] == {"Attributed To": "ANTIMENES P | LYSIPPIDES P"}


def test_read_source_wrong_mappings_are_named(tmp_path):
    with pytest.raises(ValidationError, match=r"unknown field 'Shape' \(did you mean 'Shape Name'"):
        SourceSettings(path=str(tmp_path), fields={"Shape": "shape"})
    with pytest.raises(ValidationError, match="must contain the group"):
        SourceSettings(path=str(tmp_path), pattern=r"(\w+)_(\d)")
    write_image(tmp_path / "a.png")
    (tmp_path / "records.csv").write_text("id,Fabric\na,ATHENIAN\n")
    with pytest.raises(UserError, match=r"source\.fields\.Date: no column 'period' in records\.csv; there are Fabric$"):
        rows(tmp_path, fields={"Date": "period"})
    with pytest.raises(UserError, match=r"no column 'fabric' in records\.csv; did you mean 'Fabric'\?"):
        rows(tmp_path, fields={"Technique": "fabric"})
    (tmp_path / "records.csv").write_text("No,Fabric,picture\na,ATHENIAN,a.png\n")
    with pytest.raises(
        UserError, match="'picture' is a column of the records, but file is a field of the list of photographs"
    ):
        rows(tmp_path, id_field="No", fields={"file": "picture"})


def test_read_source_list_without_vases_goes_by_names(tmp_path):
    write_image(tmp_path / "v7_2.png")
    (tmp_path / "photographs.csv").write_text("file,credit\nv7_2.png,Museum of V.\nv8_1.png,\n")
    (tmp_path / "records.json").write_text(json.dumps([{"id": "v7", **RECORD}, {"id": "v8", **RECORD}]))
    first, second = rows(tmp_path)
    assert (first["vase_id"], first["view"], first["credit"]) == ("v7", "2", "Museum of V.")
    assert (second["vase_id"], second["reason"]) == ("v8", "no such file")
    write_image(tmp_path / "v7.png")
    (tmp_path / "photographs.csv").write_text("file,view\nv7.png,front\n")
    assert [row["view"] for row in rows(tmp_path)] == ["front"], "what is stated, where the name says nothing"


def test_read_source_rights_are_mapped_from_the_record_and_missing_ones_logged(tmp_path, caplog):
    for name in "ab":
        write_image(tmp_path / f"{name}.png")
    write_lines(tmp_path / "records.jsonl", {"id": "a", **RECORD, "Credit Line": "Gift of X"}, {"id": "b", **RECORD})
    first, second = rows(tmp_path, fields={"credit": "Credit Line"})
    assert (first["credit"], second["credit"]) == ("Gift of X", "") and first["record"] == RECORD
    assert "of 2 photographs, 2 state no rights and 1 no credit line" in caplog.text


def test_read_source_many_rows_are_columns_and_not_objects(tmp_path):
    """Checks that Python's peak memory while 12,000 rows are read stays far below the size of their dicts."""
    write_lines(tmp_path / "photographs.jsonl", *({"file": f"{k}.png", "vase_id": f"v{k // 2}"} for k in range(12_000)))
    long = "A: WARRIOR WITH SHIELD, " * 20
    write_lines(tmp_path / "records.jsonl", *({"id": f"v{k}", **RECORD, "Decoration": long} for k in range(6_000)))
    tracemalloc.start()
    table = read_photograph_source(SourceSettings(path=str(tmp_path)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    rows = table.to_pylist()
    assert len(rows) == 12_000 and rows[0]["reason"] == "no such file"
    as_objects = sum(sys.getsizeof(row) + sum(map(sys.getsizeof, row.values())) for row in rows)
    assert peak < 0.6 * as_objects


def test_check_apart_refuses_a_data_set_among_the_photographs(tmp_path):
    write_image(tmp_path / "museum" / "a.png")
    settings = SourceSettings(path=str(tmp_path / "museum"))
    check_apart(settings, tmp_path / "out")
    with pytest.raises(UserError, match="is inside the folder of the photographs"):
        check_apart(settings, tmp_path / "museum" / "out")
    (tmp_path / "museum" / "photographs.csv").write_text("file\na.png\n")
    check_apart(settings, tmp_path / "museum" / "out")  # a list says which they are
