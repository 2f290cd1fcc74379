"""Tests what a user sees of tables of records as museums write them: in `vaserl check`, in a run's log, and as rows."""

import json
import logging
from pathlib import Path

import pytest

from tests.fakes.museum_folders import rows, write_image
from vaserl.commands.__main__ import main
from vaserl.curation.check import check_photographs
from vaserl.curation.check.checked import page
from vaserl.curation.settings import SourceSettings
from vaserl.curation.source import read_photograph_source
from vaserl.errors import UserError

HEAD = "id,Fabric,Technique,Shape Name,Date,Attributed To,Decoration\n"
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0f" * 32 + "\nsize 317231000\n"


def museum(folder: Path, table: str, name: str = "records.csv") -> Path:
    """Writes a table of records beside two photographs, of the vases V1 and V2."""
    for vase in ("V1", "V2"):
        write_image(folder / f"{vase}_1.png")
    (folder / name).write_text(table)
    return folder


def checked_page(folder: Path, **sections) -> str:
    """Returns what `vaserl check` prints about a folder; it must print the same twice."""
    texts = [page(check_photographs(SourceSettings(path=str(folder), **sections), 10)) for _ in range(2)]
    assert texts[0] == texts[1]
    return texts[0]


@pytest.mark.parametrize(
    ("column", "field"),
    [
        ("attribution", '"Attributed To" = "attribution"'),
        ("Artist", '"Attributed To" = "Artist"'),
        ("artistDisplayName", '"Attributed To" = "artistDisplayName"'),
        ("Painter/Potter", '"Attributed To" = "Painter/Potter"'),
        ("subject", 'Decoration = "subject"'),
        ("Iconography", 'Decoration = "Iconography"'),
        ("medium", 'Technique = "medium"'),
        ("Ware", 'Fabric = "Ware"'),
        ("culture", 'Fabric = "culture"'),
        ("Form", '"Shape Name" = "Form"'),
        ("object_name", '"Shape Name" = "object_name"'),
        ("Dating", 'Date = "Dating"'),
        ("object_date", 'Date = "object_date"'),
        ("Tecnique", 'Technique = "Tecnique"'),
        ("find_spot", 'Provenance = "find_spot"'),
        ("creditline", 'credit = "creditline"'),
        ("licence", 'rights = "licence"'),
    ],
)
def test_check_names_columns_that_nothing_reads_with_the_nearest_field(tmp_path, column, field):
    table = f"id,Inscriptions,{column},q\nV1,a,b,c\nV2,a,b,c\n"
    text = checked_page(museum(tmp_path, table))
    assert f"nothing reads the column '{column}'" in text and field in text
    assert f"not read     columns of records.csv: {', '.join(sorted([column, 'q']))}" in text
    assert "column not read" in text and "'q';" not in text, "a column that belongs to no field is only listed"


def test_check_counts_the_records_that_state_each_dimension(tmp_path):
    folder = museum(tmp_path, HEAD + "V1,Attic,n/a,cup,,,youth\nV2,Attic,,,Undated,Unknown artist,\n")
    text = checked_page(folder)
    expected = "Fabric 2, Technique 0, Shape Name 1, Date 0, Decoration 1, Attributed To 0 of 2 records"
    assert f"stated       {expected}" in text and "not read     all columns are read" in text
    assert "count as absent: Technique 1, Date 1, Attributed To 1" in text


def test_check_a_field_that_a_column_fills_is_no_suggestion(tmp_path):
    folder = museum(tmp_path, "id,Attributed To,artist\nV1,Pan Painter,x\nV2,Pan Painter,y\n")
    assert "column not read" not in checked_page(folder)
    assert "column not read" in checked_page(museum(tmp_path, "id,Fabric,artist\nV1,Attic,x\nV2,Attic,y\n"))


def test_read_source_logs_unread_columns_and_placeholders(tmp_path, caplog):
    folder = museum(tmp_path, "id,fabric,technique,attribution\nV1,Attic,n/a,Lydos\nV2,Attic,unknown,Lydos\n")
    with caplog.at_level(logging.WARNING):
        rows(folder)
    assert "nothing reads the column 'attribution'" in caplog.text
    assert "count as absent: Technique 2" in caplog.text


def test_read_source_columns_of_the_list_of_photographs_that_nothing_reads(tmp_path):
    folder = museum(tmp_path, HEAD + "V1,Attic,,,,,\nV2,Attic,,,,,\n")
    (folder / "photographs.csv").write_text("file,vase_id,side\nV1_1.png,V1,front\nV2_1.png,V2,front\n")
    assert "photographs.csv: nothing reads the column 'side'; if it holds the 'view'" in checked_page(folder)


@pytest.mark.parametrize(
    ("name", "table", "line"),
    [
        ("records.csv", HEAD + "V1,Attic,,,,,\nV2,Attic,,,,,\n,,,,,,\n,,,,,,\n", 4),
        ("records.csv", HEAD + ",,,,,,\nV1,Attic,,,,,\n , ,,,,,\nV2,Attic,,,,,\n", 2),
        ("records.csv", HEAD.replace(",", ";") + "V1;Attic;;;;;\nV2;Attic;;;;;\n;;;;;;\n;;;;;;\n", 4),
        (
            "records.tsv",
            HEAD.replace(",", "\t") + "V1\tAttic\t\t\t\t\t\nV2\tAttic\t\t\t\t\t\n\t\t\t\t\t\t\n\t\t\t\t\t\t\n",
            4,
        ),
        (
            "records.jsonl",
            '{"id": "V1", "Fabric": "Attic"}\n{}\n{"id": "V2", "Fabric": "Attic"}\n{"id": "", "x": null}\n',
            2,
        ),
        ("records.json", '[{"id": "V1", "Fabric": "Attic"},\n{"id": "V2", "Fabric": "Attic"},\n{"id": null},\n{}]', 3),
    ],
)
def test_read_source_blank_rows_are_left_out_and_counted(tmp_path, name, table, line):
    folder = museum(tmp_path, table, name)
    assert [row["record"] for row in rows(folder)] == [{"Fabric": "Attic"}] * 2
    assert f"2 rows without any value are left out, the first of them on line {line}" in checked_page(folder)
    assert main(["check", str(folder)]) == 0


def test_read_source_an_empty_id_says_so(tmp_path):
    folder = museum(tmp_path, HEAD + "V1,Attic,,,,,\n,Attic,,,,,\n")
    with pytest.raises(UserError, match=r"records\.csv:3: the cell of 'id' is empty"):
        rows(folder)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("records.csv", POINTER.encode(), "a Git LFS pointer, not the file itself; run `git lfs pull`"),
        ("records.parquet", POINTER.encode(), "a Git LFS pointer"),
        ("records.json", POINTER.encode(), "a Git LFS pointer"),
        ("V1.json", POINTER.encode(), "V1.json: is a Git LFS pointer"),
        (
            "records.csv",
            b"PK\x03\x04rest",
            "a spreadsheet (xlsx, ods) or another ZIP archive; save the sheet as CSV in UTF-8",
        ),
        ("records.csv", b"\n<!DOCTYPE HTML><html>", "a web page (HTML)"),
        ("records.jsonl", b"\xef\xbb\xbf<html lang='en'>", "a web page (HTML)"),
        ("records.csv", b"\x1f\x8b\x08\x00rest", "compressed by gzip"),
        ("records.csv", "id,Fabric\n".encode("utf-16"), "text in UTF-16"),
        ("records.json", b"%PDF-1.7", "a PDF document"),
        ("records.xlsx", b"PK\x03\x04rest", "records.xlsx is a spreadsheet (xlsx, ods) or another ZIP archive; save"),
        ("Katalog.ods", b"PK\x03\x04rest", "Katalog.ods is a spreadsheet"),
        ("records.txt", b"id;Fabric\n", "records.txt isn't read; save the table as CSV in UTF-8"),
    ],
)
def test_read_source_names_a_table_that_is_something_else(tmp_path, name, content, message):
    folder = museum(tmp_path, "", "unrelated")
    (folder / name).write_bytes(content)
    with pytest.raises(UserError) as caught:
        read_photograph_source(SourceSettings(path=str(folder)))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("file", "vase_id", "view"),
    [
        ("V1-front.png", "V1", "front"),
        ("V1_front_2.png", "V1", "front_2"),
        ("V1 side A.png", "V1", "side A"),
        ("V1_obverse.png", "V1", "obverse"),
        ("V1_detail-3.png", "V1", "detail-3"),
        ("V1_three-quarter_left.png", "V1", "three-quarter_left"),
        ("V1_Back View.png", "V1", "Back View"),
        ("1909-9.png", "1909-9", ""),  # a hyphen before a number is part of the id
        ("V1_photo.png", "V1_photo", ""),
    ],
)
def test_read_source_views_in_file_names(tmp_path, file, vase_id, view):
    write_image(tmp_path / file)
    (tmp_path / "records.csv").write_text("id,Fabric\nV1,Attic\n")
    (row,) = rows(tmp_path)
    assert (row["vase_id"], row["view"]) == (vase_id, view)


def test_check_command_needs_only_the_section_source(tmp_path, capsys):
    folder = museum(tmp_path / "museum", "no,ware\nV1,Attic\nV2,Attic\n")
    config = tmp_path / "source.toml"
    config.write_text('[source]\nid_field = "no"\nfields = { Fabric = "ware" }\n')
    assert main(["check", str(folder), "--config", str(config)]) == 0
    assert "Athenian" in capsys.readouterr().out
    config.write_text('[source]\nid_feld = "no"\n')
    assert main(["check", str(folder), "--config", str(config)]) == 2
    assert "source.toml:2: unknown key 'source.id_feld'; did you mean 'id_field'?" in capsys.readouterr().err
    config.write_text("source = 3\n")
    assert main(["check", str(folder), "--config", str(config)]) == 2
    assert "source must be a section" in capsys.readouterr().err


def test_read_source_rows_of_museums_words_are_the_same_twice(tmp_path):
    table = HEAD + (
        'V1,Unknown,n/a,Mixing Vessel,AD 50-100,"Eucharides Painter, Near the","Side A: Theseus. Side B: youth"\n'
        'V2,Attic,?,one-handled cup,undated,"Myson (Greek (Attic), active 500-475 B.C.)",none\n'
    )
    tables = [read_photograph_source(SourceSettings(path=str(museum(tmp_path, table)))) for _ in range(2)]
    assert tables[0].equals(tables[1])
    assert [json.loads(record) for record in tables[0]["record"].to_pylist()] == [
        {
            "Shape Name": "krater",
            "Date": "AD 50-100",
            "Attributed To": "Eucharides Painter, Near the",
            "Decoration": "A: Theseus | B: youth",
        },
        {
            "Fabric": "Attic",
            "Shape Name": "one-handled cup",
            "Attributed To": "Myson (Greek (Attic), active 500-475 B.C.)",
        },
    ]
