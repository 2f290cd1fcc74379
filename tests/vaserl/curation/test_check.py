"""Tests the reports of `vaserl check` for inputs and data sets with planted errors."""

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import make_dataset
from vaserl.commands.__main__ import main
from vaserl.curation.check import check_dataset, check_photographs
from vaserl.curation.check.checked import page
from vaserl.curation.settings import SourceSettings
from vaserl.dataset import DataSet, Question, Topic
from vaserl.settings import CAPTION_PROMPT

RECORD = {"Fabric": "ATHENIAN", "Shape Name": "KYLIX", "Date": "-525 to -475", "Decoration": "A: SATYR"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Returns the folder of six photographs of four vases without errors."""
    folder = tmp_path / "museum"
    folder.mkdir()
    for name in ("a_1", "a_2", "b", "c", "d_1", "d_2"):
        Image.effect_noise((64, 64), 80).save(folder / f"{name}.png")
    write_records(folder, [{"id": name, **RECORD} for name in "abcd"])
    return folder


def write_records(folder: Path, records: list[dict]) -> None:
    (folder / "records.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


def check(folder: Path, **sections):
    return check_photographs(SourceSettings(path=str(folder), **sections), max_photographs=100)


def asking(topic: Topic, answer: str) -> tuple[Question, ...]:
    return (Question(dimension=topic, question="What is it?", answer=answer),)


def kinds(checked) -> dict[str, str]:
    return {problem.kind: problem.effect for problem in checked.problems}


def test_check_photographs_of_a_sound_input(source, capsys):
    assert main(["check", str(source)]) == 0
    text = capsys.readouterr().out
    assert "photographs  6, of which 6 can be used" in text
    assert "vases        4, by number of photographs: 2 with 1, 2 with 2" in text
    assert "rights       stated for 0 photographs, a credit line for 0" in text
    assert text.rstrip().endswith("no problems found")
    # three vases, the first, the middle and the last, with the caption and a question for each stated dimension
    assert text.count("── vase ") == 3 and text.count(CAPTION_PROMPT) == 3
    assert "  → Athenian cup, c. 525–475 BCE, depicting a satyr." in text
    assert "What is the date of the vase?\n  → c. 525–475 BCE" in text and "attribution" not in text


def test_check_photographs_names_row_effect_and_remedy_of_every_flaw(source):
    write_records(
        source,
        [
            {"id": "a", **RECORD, "Date": "LATE"},  # kept, without a question about the date
            {"id": "bb", **RECORD},
            {"id": "c", "Provenance": "NOLA"},
            {"id": "d", **RECORD},
            {"id": "d", **RECORD},
            {"Fabric": "ATHENIAN"},
        ],
    )
    (source / "d_1.png").write_bytes((source / "d_1.png").read_bytes()[:300])
    Image.new("RGB", (4, 4)).save(source / "x+y.png")
    checked = check(source, pattern=r"(?P<vase_id>\w+?)(?:_(?P<view>\d))?")
    assert kinds(checked) == {
        "second record": "stops the run",
        "no id": "stops the run",
        "photograph without a record": "drops the row",
        "record without a dimension": "drops the row",
        "name fits no pattern": "drops the row",
        "photograph that can't be read": "drops the row",
        "Date not understood": "keeps the row",
    }
    found = {problem.kind: problem for problem in checked.problems}
    assert found["second record"].where == str(source / "records.jsonl") + ":5"
    assert found["no id"].where.endswith("records.jsonl:6") and "source.id_field" in found["no id"].message
    assert found["photograph without a record"].where == "b.png"
    assert "source.fields" in found["record without a dimension"].message
    assert found["name fits no pattern"].where == "x+y.png"
    assert found["photograph that can't be read"].where == "d_1.png"
    assert "'LATE' can't be parsed" in found["Date not understood"].message and checked.costs
    assert ("photographs", "7, of which 3 can be used") in checked.counts  # a_1, a_2 and d_2


def test_check_page_shows_five_of_a_hundred_broken_records(source, capsys):
    with (source / "records.jsonl").open("a") as file:
        file.write("{broken\n" * 100)
    assert main(["check", str(source)]) == 1
    text = capsys.readouterr().out
    assert "not JSON     100  stops the run" in text and text.count("not JSON: ") == 5 and "… and 95 more" in text
    assert "photographs  6, of which 6 can be used" in text  # the readable rest is checked nevertheless


def test_check_photographs_names_a_near_id(source):
    write_records(source, [{"id": name, **RECORD} for name in ("a", "c", "d", "vase-0042")])
    (source / "b.png").rename(source / "vase-0043.png")
    (problem,) = check(source).problems
    assert "the nearest id there is 'vase-0042'" in problem.message
    # a record with photographs of its own is no candidate
    Image.new("RGB", (64, 64)).save(source / "vase-0042.png")
    (problem,) = check(source).problems
    assert problem.where == "vase-0043.png" and "nearest" not in problem.message


def test_check_photographs_names_pictures_that_no_list_names(source):
    listed = [{"file": f"{name}.png"} for name in ("a_1", "a_2", "b", "c", "d_1")]
    (source / "photographs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in listed))
    checked = check(source)
    assert [(found.kind, found.where, found.effect) for found in checked.problems] == [
        ("picture in no list", "d_2.png", "keeps the row")
    ]


def test_check_photographs_decodes_and_counts_records_without_a_photograph(source):
    (source / "d_2.png").write_text("no picture")  # the last of six
    write_records(source, [{"id": name, **RECORD} for name in "abcdefg"])
    checked = check(source)
    assert [problem.where for problem in checked.problems] == ["d_2.png"]
    assert dict(checked.counts)["records"] == "7 in records.jsonl, 3 without a photograph"


def test_check_photographs_decodes_at_most_max_photographs(source):
    (source / "a_2.png").write_text("no picture")  # the second of six
    settings = SourceSettings(path=str(source))
    assert not check_photographs(settings, max_photographs=3).costs
    assert check_photographs(settings, max_photographs=6).costs


def test_check_command_takes_the_source_of_a_config(source, tmp_path, capsys):
    write_records(source, [{"museum_no": name, "ware": "ATHENIAN"} for name in "abcd"])
    assert main(["check", str(source)]) == 1
    config = tmp_path / "curate.toml"
    config.write_text(
        'dataset = "out"\n[source]\npath = "elsewhere"\nid_field = "museum_no"\n[source.fields]\nFabric = "ware"\n'
    )
    capsys.readouterr()
    assert main(["check", str(source), "--config", str(config)]) == 0
    assert "  → Athenian" in capsys.readouterr().out


def test_check_dataset_of_a_sound_one_shows_prompts_through_a_template(tmp_path, tiny_model, capsys):
    folder = make_dataset(tmp_path)
    rows = list(DataSet(folder).rows)
    (folder / "models").mkdir()
    for row in rows:
        (folder / row.mesh).write_bytes(b"glTF")
    assert main(["check", str(folder), "--model", str(tiny_model)]) == 0
    text = capsys.readouterr().out
    assert "vases        6: 4 train, 2 test" in text and "no problems found" in text
    from vaserl.policy.prompter import Prompter

    assert Prompter(tiny_model).text(CAPTION_PROMPT) in text and "<|im_start|>assistant" in text
    assert "── vase v00 " in text and "── vase v05 " not in text  # the examples are from the training split


def test_check_dataset_finds_rare_flaws(tmp_path):
    folder = make_dataset(tmp_path, num_vases=6)
    rows = [replace(row, split="val", credit="Museum") for row in DataSet(folder).rows]
    rows[0] = replace(rows[0], clip=hashlib.sha256(b"no video").hexdigest())
    DataSet(folder).clip_path(rows[0].clip).write_bytes(b"no video")
    rows[1] = replace(rows[1], reference="")
    rows[2] = replace(rows[2], rejected_by="intact", reason="a sherd", split="")
    rows += [replace(rows[3], rejected_by="quality", reason="blurred", split="")] * 2
    # facts that can't be seen need no value in the six dimensions
    rows[4] = replace(rows[4], questions=asking("provenance", "Nola"))
    DataSet(folder).write_rows(rows)
    checked = check_dataset(DataSet(folder))
    assert kinds(checked) == {
        "photograph listed twice": "stops the run",
        "clip unreadable": "stops the run",
        "no reference": "stops the run",
        "model missing": "keeps the row",
    }
    counts = dict(checked.counts)
    assert counts["rejected"] == "2 by quality, 1 by intact", "in the stages' order"
    assert counts["rights"] == "stated for 0 vases, a credit line for 5"
    # the training split is empty: complete rows are shown nevertheless, the first, the last and one between
    assert [example.vase_id for example in checked.examples] == ["v04", "v05"]


def test_check_dataset_counts_a_dropped_row_as_a_cost(tmp_path):
    folder = make_dataset(tmp_path, num_vases=3)
    (folder / "models").mkdir()
    rows = list(DataSet(folder).rows)
    for row in rows:
        (folder / row.mesh).write_bytes(b"glTF")
    assert not check_dataset(DataSet(folder)).costs
    rows[0] = replace(rows[0], split="dev")
    DataSet(folder).write_rows(rows)
    checked = check_dataset(DataSet(folder))
    assert kinds(checked) == {"no split": "drops the row"} and checked.costs


def test_check_dataset_finds_flaws(tmp_path):
    folder = make_dataset(tmp_path, num_vases=10)
    rows = list(DataSet(folder).rows)
    DataSet(folder).clip_path(rows[0].clip).unlink()
    DataSet(folder).clip_path(rows[1].clip).write_bytes(b"no video")
    rows[2] = replace(rows[2], rejected_by="quality", split="")
    rows[3] = replace(rows[3], vase_id=rows[4].vase_id)
    rows[5] = replace(rows[5], caption=" ")
    rows[6] = replace(rows[6], questions=asking("attribution", "Lydos"))
    rows[7] = replace(rows[7], record={}, split="dev")
    rows[8] = replace(rows[8], questions=asking("fabric", ""))
    rows[9] = replace(rows[9], photo_sha256=rows[6].photo_sha256)
    DataSet(folder).write_rows(rows)
    checked = check_dataset(DataSet(folder))
    assert kinds(checked) == {
        "rejected without a reason": "keeps the row",
        "vase twice": "stops the run",
        "one picture for two vases": "keeps the row",
        "clip missing": "stops the run",
        "clip changed": "stops the run",
        "no caption": "stops the run",
        "question without an answer": "keeps the row",
        "no split": "drops the row",
        "record without a dimension": "stops the run",
        "question incomplete": "stops the run",
        "model missing": "keeps the row",
    }
    effects = re.findall(r"(stops the run|drops the row|keeps the row)$", page(checked), re.MULTILINE)
    assert effects == sorted(effects, key=["stops the run", "drops the row", "keeps the row"].index)
    where = {problem.kind: problem.where for problem in checked.problems}
    assert where["clip missing"] == f"manifest.parquet, {rows[0].photo}"
    assert where["one picture for two vases"] == f"manifest.parquet, {rows[9].photo}"
    assert re.search(r"^model missing +9  keeps the row$", page(checked), re.MULTILINE)
    assert {example.vase_id for example in checked.examples} <= {"v03", "v04", "v06", "v09"}


def test_check_names_files_of_other_kinds_and_pictures_read_with_an_assumption(source):
    Image.new("RGB", (30, 20)).save(source / "d_3.gif")
    Image.effect_noise((64, 64), 80).convert("RGB").save(source / "c_2.png", icc_profile=b"no profile")
    # the suffix alone makes the file one that is looked at, however few photographs are decoded
    checked = check_photographs(SourceSettings(path=str(source)), max_photographs=1)
    (unread,) = [problem for problem in checked.problems if problem.where == "d_3.gif"]
    assert unread.effect == "drops the row" and unread.message.startswith("a GIF file, which is not read; save it as")
    assert ("photographs", "8, of which 7 can be used") in checked.counts
    (assumed,) = [problem for problem in check(source).problems if problem.where == "c_2.png"]
    assert (assumed.where, assumed.effect) == ("c_2.png", "keeps the row")
    assert assumed.message == "its colour profile is damaged or of another kind than the picture, and ignored"
