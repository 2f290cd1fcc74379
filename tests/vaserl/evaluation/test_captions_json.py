"""Tests reading files of finished captions: what belongs to which vase, and what is a failure."""

import json
from pathlib import Path

import pytest

from vaserl.errors import UserError
from vaserl.evaluation.captions_json import read_caption_rows

VASES = ["7f-1_1", "7f-2_4", "7f-3_2", "7f-4_1", "7f-5_1"]


def write(path: Path, rows) -> Path:
    path.write_text(json.dumps(rows))
    return path


def row(picture: str, caption: str):
    return {"images": [picture], "caption": caption, "data_by": "gpt"}


def test_read_caption_rows_in_the_published_layout(tmp_path: Path):
    rows = [
        row("7f-1_1_ac001001.jpg", "a kylix"),
        row("7f-2_4_ac001001.jpg", "a pelike"),
        row("7f-2_4_ac001001.jpg", "an amphora"),
        row("7f-3_2_ac001001.jpg", "the same"),
        row("7f-3_2_ac001001.jpg", "the same "),
        row("7f-5_1_ac001001.jpg", " "),
        row("9a_1_ac001001.jpg", "no vase of the split"),
    ]
    found = read_caption_rows(write(tmp_path / "gpt.json", rows)).answers(VASES)
    assert [answer.text for answer in found] == ["a kylix", "", "the same", "", ""]
    reasons = ["", "different captions in rows 2, 3", "", "no caption in the file", "an empty caption"]
    assert [answer.failure for answer in found] == reasons


def test_read_caption_rows_as_json_lines(tmp_path: Path):
    path = tmp_path / "c.jsonl"
    path.write_text('{"id": "7f-1_1", "caption": "a kylix"}\n')
    found = read_caption_rows(path).answers(VASES[:2])
    assert [(answer.text, answer.failure) for answer in found] == [("a kylix", ""), ("", "no caption in the file")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[{", "c.json is not JSON"),
        ('[{"images": ["a"]}]', 'c.json, entry 1 must be an object with "images" and the text "caption"'),
        ('[{"images": [3], "caption": "c"}]', 'c.json, entry 1: "images" must be a list of file names'),
        ('{"id": 1}', 'c.json:1: broken line: expected the key "caption"'),
        (
            '{"id": "v", "caption": "a"}\n{"id": "v", "caption": "b"}',
            "c.json:2: duplicate id: 'v'",
        ),
    ],
)
def test_read_caption_rows_names_file_and_row(tmp_path: Path, text: str, message: str):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(UserError) as error:
        read_caption_rows(tmp_path / "c.json")
    assert message in str(error.value)


def test_read_caption_rows_of_other_vases_is_an_error(tmp_path: Path):
    rows = read_caption_rows(write(tmp_path / "c.json", [row("9a_1_ac001001.jpg", "a kylix")]))
    with pytest.raises(UserError, match=r"none of its 1 captions .* are like '7f-1_1'; the file's are like '9a_1'"):
        rows.answers(VASES)
    with pytest.raises(UserError, match="does not exist"):
        read_caption_rows(tmp_path / "nowhere.json")
