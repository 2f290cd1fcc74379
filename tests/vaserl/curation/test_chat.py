"""Tests the import of conversations about videos and pictures of vases."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.conftest import make_clip
from vaserl.commands.__main__ import main
from vaserl.curation.chat import import_chats
from vaserl.curation.chat.clips import clip_of_pictures, clip_of_video
from vaserl.dataset import OTHER, DataSet, Question
from vaserl.errors import UserError
from vaserl.files.clip import write_mp4
from vaserl.settings import CAPTION_PROMPT

CAPTION = "Athenian black-figure lekythos, c. 525–500 BCE, depicting a warrior."
ASK = "What is it?"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Returns a folder with a video of eight frames and a red and a blue picture."""
    write_mp4(tmp_path / "turn.mp4", make_clip(0))
    Image.new("RGB", (40, 40), (200, 0, 0)).save(tmp_path / "red.png")
    Image.new("RGB", (20, 40), (0, 0, 200)).save(tmp_path / "blue.png")
    return tmp_path


def user(text: object) -> dict:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict:
    return {"role": "assistant", "content": text}


def imported(folder: Path, rows: list[dict], **options):
    (folder / "chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = {"num_frames": 4, "resolution": 28, "seed": 0, **options}
    dataset = DataSet(folder / "out")
    return import_chats(folder / "chats.jsonl", dataset, **options), {row.vase_id: row for row in dataset.rows}


def test_import_chats_reads_the_common_forms(folder: Path):
    parts = [{"type": "video", "video": "turn.mp4"}, {"type": "text", "text": ASK}]
    done, rows = imported(
        folder,
        [
            {"messages": [user(f"<video>{ASK}"), assistant(CAPTION)], "videos": ["turn.mp4"]},
            {"id": "parts", "messages": [user(parts), assistant(CAPTION)]},
            {"messages": [user(f"<video>\n{ASK}")], "video": "turn.mp4", "solution": CAPTION},
            {
                "conversations": [{"from": "human", "value": f"<image>{ASK}"}, {"from": "gpt", "value": CAPTION}],
                "image": "red.png",
            },
        ],
    )
    assert (done.num_vases, done.rejected, done.prompts) == ({"train": 4}, {}, {ASK: 4})
    assert done.num_records_from_texts == 4
    assert set(rows) == {"000001", "parts", "000003", "000004"}
    for row in rows.values():
        assert (row.caption, row.reference) == (CAPTION, CAPTION)
        assert row.record["Fabric"] and row.record["Shape Name"]
    assert rows["000001"].clip == rows["parts"].clip == rows["000003"].clip != rows["000004"].clip
    (vase, *_) = DataSet(folder / "out").vases("train")
    assert vase.caption_task(ASK).prompt == ASK


def test_import_chats_reads_pairs_of_question_and_answer_and_other_spellings_of_files(folder: Path):
    both = {"<image_00>": "red.png", "<image_01>": "blue.png"}
    parts = [{"type": "image", "image": {"url": "red.png", "image_wh": [40, 40]}}, {"type": "text", "text": ASK}]
    marked = [{"type": "image"}, {"type": "text", "text": ASK}]  # the part marks the place of the row's file
    done, rows = imported(
        folder,
        [
            {"id": "query", "query": ASK, "response": CAPTION, "images": ["red.png"]},
            {
                "id": "problem",
                "problem": f"<image>{ASK}",
                "solution": f"<answer> {CAPTION} </answer>",
                "image": "red.png",
            },
            {"id": "prefix", "prefix": ASK, "suffix": CAPTION, "image": "red.png"},
            {"id": "question", "question": ASK, "ground_truth": CAPTION, "image_path": "red.png"},
            {"id": "trl", "prompt": [user(marked)], "completion": [assistant(CAPTION)], "images": ["red.png"]},
            {"id": "object", "messages": [user(parts), assistant(CAPTION)]},
            {"id": "file", "query": ASK, "response": CAPTION, "images": [{"path": (folder / "red.png").as_uri()}]},
            {"id": "number", "query": "How many?", "response": 3, "history": [[ASK, CAPTION]], "image": "red.png"},
            {"id": "both", "conversations": [user(f"<image_00>\n<image_01> {ASK}"), assistant(CAPTION)], "image": both},
        ],
    )
    assert (done.num_vases, done.rejected, done.prompts) == ({"train": 9}, {}, {ASK: 9})
    assert {row.caption for row in rows.values()} == {row.reference for row in rows.values()} == {CAPTION}
    assert (
        len({row.clip for name, row in rows.items() if name != "both"}) == 1 != len({row.clip for row in rows.values()})
    )
    assert rows["number"].questions == (Question(dimension=OTHER, question="How many?", answer="3"),)


def test_import_chats_reads_captions_without_a_question_and_turns_that_are_pairs(folder: Path):
    done, rows = imported(
        folder,
        [
            {"id": "caption", "image": "red.png", "caption": CAPTION},
            {"id": "text", "images": ["red.png"], "text": f"<__dj__image> {CAPTION} <|__dj__eoc|>"},
            {"id": "pairs", "image": "red.png", "conversations": [[f"<image>\n{ASK}", CAPTION], ["How many?", "2"]]},
            {"id": "both", "image": "red.png", "caption": CAPTION, "conversations": [["How many?", "2"]]},
        ],
    )
    assert (done.rejected, done.prompts) == ({}, {CAPTION_PROMPT: 3, ASK: 1})
    assert {row.caption for row in rows.values()} == {CAPTION}
    asked = {name: [(q.question, q.answer) for q in row.questions] for name, row in rows.items()}
    assert asked == {"caption": [], "text": [], "pairs": [("How many?", "2")], "both": [("How many?", "2")]}


def test_import_chats_counts_records_with_a_decoration_alone(folder: Path):
    texts = (CAPTION, "A football player waves.", "A siren.")
    done, rows = imported(folder, [{"caption": text, "image": "red.png"} for text in texts])
    assert (done.num_records_from_texts, done.num_decorations_only) == (3, 2)
    assert set(rows["000002"].record) == {"Decoration"}


def test_import_chats_counts_system_messages(folder: Path):
    answers = [user(ASK), assistant(CAPTION)]
    system = {"role": "system", "content": "Be brief."}
    done, _ = imported(
        folder,
        [
            {"messages": [system, *answers], "image": "red.png"},
            {"conversations": answers, "system_prompt": "Be brief.", "image": "red.png"},
            {"messages": answers, "image": "red.png"},
        ],
    )
    assert (done.systems, done.prompts) == ({"Be brief.": 2, "": 1}, {ASK: 3})


def test_import_chats_reads_folders_of_datasets_with_pictures_in_the_table(folder: Path):
    """The rows of `Dataset.save_to_disk` and of parquet on the hub hold the picture's content beside its old path."""
    content = (folder / "red.png").read_bytes()
    row = {"problem": ASK, "answer": CAPTION, "images": [{"bytes": content, "path": "lost.png"}]}
    table = pa.Table.from_pylist([row, row])
    (folder / "hub" / "data").mkdir(parents=True)
    for split in ("train", "validation"):
        pq.write_table(table, folder / "hub" / "data" / f"{split}-00000-of-00001.parquet")
        saved = folder / "saved" / split / "data-00000-of-00001.arrow"
        saved.parent.mkdir(parents=True)
        with pa.OSFile(str(saved), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    for name in ("hub", "saved"):
        dataset = DataSet(folder / f"{name}.out")
        done = import_chats(folder / name, dataset, num_frames=2, resolution=28, seed=0)
        assert (done.num_vases, done.rejected) == ({"train": 2, "val": 2}, {})
        photos = {row.photo for row in dataset.rows}
        assert {Path(photo).read_bytes() for photo in photos} == {content}
        assert len(photos) == 1
    (folder / "none").mkdir()
    with pytest.raises(UserError, match=r"holds no \.parquet, \.arrow or \.jsonl file"):
        import_chats(folder / "none", DataSet(folder / "o"), num_frames=2, resolution=28, seed=0)


def test_import_chats_keeps_later_turns_references_records_and_splits(folder: Path):
    record = {"Fabric": "EUBOEAN", "Shape Name": "AMPHORA"}
    turns = [user(ASK), assistant("A short caption."), user("Who made it?"), assistant("Nobody knows."), user("Why?")]
    row = {"messages": turns, "videos": ["turn.mp4"], "reference": CAPTION, "record": record, "split": "validation"}
    done, rows = imported(folder, [row])
    found = rows["000001"]
    assert (found.caption, found.reference, found.record, found.split) == ("A short caption.", CAPTION, record, "val")
    assert found.questions == (Question(dimension=OTHER, question="Who made it?", answer="Nobody knows."),)
    assert (done.num_vases, done.num_records_from_texts) == ({"val": 1}, 0)


def test_import_chats_draws_splits(folder: Path):
    rows = [{"messages": [user(ASK), assistant(CAPTION)], "images": ["red.png"]} for _ in range(5)]
    done, _ = imported(folder, rows, num_val=1, num_test=2)
    assert done.num_vases == {"test": 2, "train": 2, "val": 1}
    with pytest.raises(UserError, match="--num-test 5 leaves no vase for training"):
        imported(folder, rows, num_test=5)
    with pytest.raises(UserError, match="states the split 'val' for 5 vases"):
        imported(folder, [row | {"split": "val"} for row in rows], num_val=1)


def test_import_chats_rejects_what_cannot_be_read_with_its_row(folder: Path):
    (folder / "text.mp4").write_text("no video")
    (folder / "text.png").write_text("no picture")
    answers = [user(ASK), assistant(CAPTION)]
    done, rows = imported(
        folder,
        [
            {"messages": answers, "videos": ["none.mp4"]},
            {"messages": answers, "videos": ["text.mp4"]},
            {"messages": answers, "images": ["text.png"]},
            {"messages": [user(ASK), assistant("A Greek vase in a museum.")], "images": ["red.png"]},
            {"messages": answers, "images": ["red.png"] * 5},
            {"messages": answers, "images": ["red.png"]},
        ],
    )
    reasons = list(done.rejected.values())
    assert [reason.partition(": ")[0] for reason in reasons] == [f"chats.jsonl, row {n}" for n in range(1, 6)]
    assert "none.mp4: can't be read as a video (No such file or directory)" in reasons[0]
    assert "text.mp4: can't be read as a video" in reasons[1]
    assert "text.png" in reasons[2]
    assert "states none of the six dimensions" in reasons[3]
    assert "5 pictures but 4 frames; raise --num-frames" in reasons[4]
    assert rows["000006"].kept and not rows["000001"].split


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"videos": ["turn.mp4"]}, 'no list "messages"'),
        ({"messages": [user(ASK)], "videos": ["turn.mp4"]}, "no answer of the assistant"),
        ({"messages": [assistant(CAPTION)], "videos": ["turn.mp4"]}, "by turns, the user's first"),
        ({"messages": [user(ASK), user(ASK)], "videos": ["turn.mp4"]}, "by turns, the user's first"),
        ({"messages": [user(ASK), {"role": "system", "content": "x"}, assistant(CAPTION)]}, "by turns, the user's"),
        ({"messages": [user(ASK), assistant(CAPTION)], "system": 3, "image": "red.png"}, "must be a text, got int"),
        ({"messages": [{"role": "pretrain", "content": ASK}], "videos": ["turn.mp4"]}, "the role 'pretrain'"),
        ({"messages": [user(f"<audio>{ASK}"), assistant(CAPTION)], "videos": ["turn.mp4"]}, "about a sound"),
        ({"messages": [user(ASK), assistant(CAPTION)], "videos": ["turn.mp4"], "audios": ["a.wav"]}, "has sounds"),
        ({"messages": [user(ASK)], "chosen": CAPTION, "rejected": "x", "image": "red.png"}, "chosen and rejected"),
        ({"query": ASK, "response": CAPTION, "history": ["x"], "image": "red.png"}, '"history" must be a list'),
        ({"messages": [user(ASK), assistant(CAPTION)], "images": ["data:image/png;base64,AA"]}, "a data: URL"),
        ({"messages": [user(ASK), assistant(CAPTION)]}, "got 0 videos and 0 pictures"),
        ({"messages": [user(ASK), assistant(CAPTION)], "videos": ["a", "b"]}, "got 2 videos and 0 pictures"),
        ({"messages": [user(ASK), assistant(CAPTION)], "videos": ["https://x/v.mp4"]}, "is a URL; download"),
        ({"messages": [user([{"type": "audio"}]), assistant(CAPTION)]}, "a part of the type 'audio'"),
        ({"messages": ["x"], "videos": ["turn.mp4"]}, "a message must be an object"),
        ({"messages": [user(None), assistant(CAPTION)], "videos": ["turn.mp4"]}, "must be a text or a list of parts"),
        ({"messages": [user(ASK), assistant(CAPTION)], "videos": [7]}, "must be a text, got int"),
        ({"messages": [user(ASK), assistant(CAPTION)], "videos": 7}, "a path or a list of paths, got int"),
        ({"messages": [user(ASK), assistant(CAPTION)], "videos": ["turn.mp4"], "record": ["x"]}, '"record" must be'),
        ({"messages": [user(ASK), assistant(CAPTION)], "videos": ["turn.mp4"], "split": "extra"}, "none of train, val"),
    ],
)
def test_import_chats_refuses_rows_it_cannot_use_by_number(folder: Path, row: dict, message: str):
    good = {"messages": [user(ASK), assistant(CAPTION)], "videos": ["turn.mp4"]}
    with pytest.raises(UserError) as caught:
        imported(folder, [good, row])
    assert str(caught.value).startswith("chats.jsonl, row 2: ")
    assert message in str(caught.value)


def test_import_chats_refuses_an_id_used_twice_and_shows_five_of_a_kind(folder: Path):
    good = {"id": "a", "messages": [user(ASK), assistant(CAPTION)], "videos": ["turn.mp4"]}
    with pytest.raises(UserError) as caught:
        imported(folder, [good] * 8)
    lines = str(caught.value).splitlines()
    assert lines[0] == "chats.jsonl, row 2: id 'a' is that of chats.jsonl, row 1 too"
    assert lines[5:] == ["… and 2 more like it"]


def test_import_chats_reads_json_and_parquet(folder: Path):
    row = {"messages": [user(ASK), assistant(CAPTION)], "images": ["red.png"], "solution": None}
    (folder / "chats.json").write_text(json.dumps([row]))
    pq.write_table(pa.Table.from_pylist([row]), folder / "chats.parquet")
    for name in ("chats.json", "chats.parquet"):
        done = import_chats(folder / name, DataSet(folder / f"{name}.out"), num_frames=2, resolution=28, seed=0)
        assert done.num_vases == {"train": 1}
    (folder / "chats.json").write_text("{}")
    with pytest.raises(UserError, match="must be a list of objects"):
        import_chats(folder / "chats.json", DataSet(folder / "o"), num_frames=2, resolution=28, seed=0)
    (folder / "empty.jsonl").write_text("")
    with pytest.raises(UserError, match="has no rows"):
        import_chats(folder / "empty.jsonl", DataSet(folder / "o"), num_frames=2, resolution=28, seed=0)
    with pytest.raises(UserError, match="does not exist"):
        import_chats(folder / "none.jsonl", DataSet(folder / "o"), num_frames=2, resolution=28, seed=0)


def test_clip_of_video_takes_evenly_spaced_frames(folder: Path):
    whole = clip_of_video(folder / "turn.mp4", 8, 56)
    half = clip_of_video(folder / "turn.mp4", 4, 56)
    assert half.frame_indices == (0, 2, 4, 6)
    assert half.fps == whole.fps / 2
    assert np.array_equal(half.frames, whole.frames[::2])
    with pytest.raises(UserError, match=r"turn\.mp4: 9 frames requested, 1 to 8 are available"):
        clip_of_video(folder / "turn.mp4", 9, 56)


def test_clip_of_pictures_shows_each_for_an_equal_time_padded_with_white(folder: Path):
    clip = clip_of_pictures([folder / "red.png", folder / "blue.png"], 4, 28)
    reds = [tuple(frame[14, 14]) for frame in clip.frames]
    assert reds == [(200, 0, 0), (200, 0, 0), (0, 0, 200), (0, 0, 200)]
    assert tuple(clip.frames[2][14, 0]) == (255, 255, 255), "twice as high as wide: white at both sides"


def test_import_chat_command_prints_the_prompt_to_set(folder: Path, capsys: pytest.CaptureFixture[str]):
    rows = [{"messages": [user(q), assistant(CAPTION)], "images": ["red.png"]} for q in (ASK, ASK, "Which?")]
    (folder / "chats.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ["import-chat", str(folder / "chats.jsonl"), "--out", str(folder / "d"), "--resolution", "28"]
    assert main([*command, "--num-frames", "2", "--num-val", "1"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "vases: 2 train, 1 val; rejected: 0",
        "records read from captions because there is none: 3",
        f"prompt, in every job: --data.prompt '{ASK}'",
        "the conversations begin with 2 different questions; training uses one, data.prompt",
    ]


def test_clip_of_video_refuses_frames_of_too_many_pixels(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("vaserl.curation.chat.clips.MAX_PIXELS", 56 * 56 - 1)
    with pytest.raises(UserError, match=r"turn\.mp4: frames of 56 x 56 pixels, more than 3,135; scale the video down"):
        clip_of_video(folder / "turn.mp4", 4, 56)
