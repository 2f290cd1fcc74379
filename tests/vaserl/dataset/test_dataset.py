"""Tests the folder of a data set: typed reads, and the messages for a folder that can't be used."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import vaserl
from tests.conftest import make_dataset
from vaserl.dataset import OTHER, DataSet, Question, clip_name
from vaserl.dataset.writer import CURRENT_WRITER, DATASET_FORMAT
from vaserl.errors import UserError
from vaserl.settings import ModelSettings
from vaserl.types import DIMENSIONS


@pytest.fixture
def dataset(tmp_path: Path) -> DataSet:
    return DataSet(make_dataset(tmp_path, num_vases=4))


def edit(dataset: DataSet, index: int, **changes) -> None:
    rows = list(dataset.rows)
    rows[index] = replace(rows[index], **changes)
    dataset.write_rows(rows)


def test_vases_come_back_as_they_went_in(dataset: DataSet):
    train, test = dataset.vases("train"), dataset.vases("test")
    assert [vase.id for vase in train + test] == ["v00", "v01", "v02", "v03"]
    task = train[1].caption_task()
    assert (task.id, task.prompt, task.dimensions) == ("v01/caption", "Describe the vase.", DIMENSIONS)
    assert task.record["Shape Name"] == "LEKYTHOS"
    assert train[0].questions[0].answer == "Athenian"
    assert dataset.clip_path(task.clip).is_file() and dataset.clips.path(task.clip) == dataset.clip_path(task.clip)


def test_question_tasks_are_scored_by_the_record_where_it_states_the_dimension(dataset: DataSet):
    asked = (
        ("fabric", "Athenian"),
        ("attribution", "the Amasis Painter"),
        ("other", "two"),
        ("other", " "),
        ("provenance", "Vulci"),
    )
    questions = tuple(Question(dimension=topic, question=f"{topic}?", answer=answer) for topic, answer in asked)
    edit(dataset, 0, questions=questions)  # the record states no attribution
    vase = dataset.vases("train")[0]
    tasks = vase.question_tasks((*DIMENSIONS, OTHER))
    assert [(task.id, task.prompt, task.dimensions, task.reference) for task in tasks] == [
        ("v00/question-1", "fabric?", ("fabric",), "Athenian"),
        ("v00/question-2", "attribution?", (), "the Amasis Painter"),
        ("v00/question-3", "other?", (), "two"),
    ]
    assert all(task.is_question and task.clip == vase.clip and task.record == vase.record for task in tasks)
    assert not vase.caption_task().is_question
    assert [task.id for task in vase.question_tasks(("other",))] == ["v00/question-3"]


def test_vases_leave_out_rejected_rows(dataset: DataSet):
    edit(dataset, 0, rejected_by="quality", reason="blurred", split="")
    assert len(dataset.rows) == 4
    assert [vase.id for vase in dataset.vases("train")] == ["v01"]


def test_vases_of_an_absent_split_name_those_there(dataset: DataSet, tmp_path: Path):
    with pytest.raises(UserError, match=r"no vase in split 'val' \(splits there: test, train\)"):
        dataset.vases("val")
    for index in range(4):
        edit(dataset, index, rejected_by="intact", reason="a sherd")
    with pytest.raises(UserError, match="every photograph was rejected"):
        dataset.vases("train")
    with pytest.raises(UserError, match=r"has no manifest\.parquet.*launch curate"):
        DataSet(tmp_path / "nothing").vases("train")


def test_vases_need_a_record_with_a_dimension(dataset: DataSet):
    edit(dataset, 1, record={"Vase Number": "7", "Provenance": "NOLA"})
    with pytest.raises(UserError, match=r"vase v01 \(photographs/v01_1\.png\) has a record that states no dimension"):
        dataset.vases("train")


def test_vases_need_their_clips(dataset: DataSet):
    clip = dataset.vases("train")[0].clip
    dataset.clip_path(clip).unlink()
    with pytest.raises(UserError, match=rf"vase v00: its turntable video clips/{clip}\.mp4 is missing"):
        dataset.vases("train")


def test_exists_asks_for_a_manifest(dataset: DataSet, tmp_path: Path):
    assert dataset.exists and not DataSet(tmp_path / "nothing").exists


def test_place_is_below_the_folder_unless_it_is_a_place_already(tmp_path: Path):
    dataset = DataSet(tmp_path)
    assert dataset.place(clip_name("c" * 64)) == str(tmp_path / "clips" / f"{'c' * 64}.mp4")
    assert dataset.place("/a/b.png") == "/a/b.png" and dataset.place("s3://museum/b.png") == "s3://museum/b.png"


def test_card_summary_and_settings_are_absent_at_first(tmp_path: Path):
    dataset = DataSet(tmp_path)
    assert dataset.card is None and dataset.summary == {} and dataset.settings(ModelSettings) is None


def test_card_comes_back_beside_its_picture(tmp_path: Path):
    dataset = DataSet(tmp_path)
    dataset.write_card("# Ληκύθοι\n", Image.new("RGB", (3, 2)))
    with Image.open(dataset.sheet) as sheet:
        assert dataset.card == "# Ληκύθοι\n" and sheet.size == (3, 2)


def test_settings_come_back(tmp_path: Path):
    dataset = DataSet(tmp_path)
    settings = ModelSettings(path=tmp_path / "model")
    dataset.write_settings(settings)
    assert dataset.settings(ModelSettings) == settings


@pytest.mark.parametrize(
    ("summary", "writer"),
    [
        ('{"vaserl": "0.3.1", "format": 1}', r"vaserl 0\.3\.1 \(data set format 1\)"),
        ('{"num_photographs": 3}', r"vaserl 0\.1\.0 \(data set format 0\)"),  # manifests of that time stated no version
    ],
)
def test_settings_of_another_version_name_it_and_the_remedy(tmp_path: Path, summary: str, writer: str):
    dataset = DataSet(tmp_path)
    (tmp_path / "curation.json").write_text(summary)
    (tmp_path / "config.toml").write_text('path = "model"\nglaze = 3\n')
    message = rf"unknown key 'glaze'(?s:.*) was written by {writer}; .* Curate again, or remove config\.toml"
    with pytest.raises(UserError, match=message):
        dataset.settings(ModelSettings)


def test_rows_of_a_newer_format_name_the_version_that_reads_them(dataset: DataSet):
    (dataset.path / "curation.json").write_text('{"vaserl": "9.0", "format": 7}')
    with pytest.raises(UserError, match=r"written by vaserl 9\.0 \(data set format 7\).* Install vaserl 9\.0 or newer"):
        dataset.vases("train")


def test_summary_names_the_software_that_wrote_it(tmp_path: Path):
    dataset = DataSet(tmp_path)
    dataset.write_summary({"num_photographs": 3})
    assert dataset.summary == {"vaserl": vaserl.__version__, "format": DATASET_FORMAT, "num_photographs": 3}
    assert dataset.writer == CURRENT_WRITER
    assert json.loads((tmp_path / "curation.json").read_text()) == dataset.summary


def test_summary_that_is_damaged_is_named(dataset: DataSet):
    (dataset.path / "curation.json").write_text("{")
    with pytest.raises(UserError, match=r"curation\.json is not JSON: .*; remove it"):
        list(dataset.rows)


def test_link_files_shares_clips_and_models(dataset: DataSet, tmp_path: Path):
    other = DataSet(tmp_path / "other")
    other.write_rows(dataset.rows)
    other.link_files(dataset)
    other.link_files(dataset)  # existing files stay
    assert [vase.clip for vase in other.vases("test")] == [vase.clip for vase in dataset.vases("test")]
