"""Tests the import of data sets in the layout of VaseVQA-3D, made of synthetic vases, complete and damaged."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
from PIL import Image

from tests.fakes.published_layout import WORLD_SEED, write_published_layout
from vaserl.commands.__main__ import main
from vaserl.curation.outcome.split import position
from vaserl.curation.published import import_published, read_layout
from vaserl.curation.published import published_record as record_of_published
from vaserl.curation.published.annotations import read_questions, vase_key
from vaserl.curation.published.words import record_from_caption
from vaserl.curation.settings import TurntableSettings
from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.rewards.vase import parse_record, reference_caption
from vaserl.synthetic.record import beazley_record
from vaserl.synthetic.world import traits_of
from vaserl.types import DIMENSIONS

NUM_VASES = 3
NAMES = [f"7fa{index}-42d1_{index + 1}" for index in range(NUM_VASES)]
"""Names as in the archive: an id, and the number of the view that was reconstructed."""


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a folder with models/, images/ and annotations/ of three vases."""
    folder = tmp_path_factory.mktemp("published")
    write_published_layout(folder, NAMES)
    return folder


@pytest.fixture
def copy(layout: Path, tmp_path: Path) -> Path:
    """Returns a copy of the folder, for a test to damage."""
    return Path(shutil.copytree(layout, tmp_path / "published"))


def edit(path: Path, change: Callable) -> None:
    """Applies `change` to a JSON file's content."""
    content = json.loads(path.read_text())
    path.write_text(json.dumps(change(content) or content))


def test_import_published_writes_a_data_set(layout, tmp_path):
    done = import_published(layout, DataSet(tmp_path))
    assert (done.num_vases, done.rejected) == ({"test": 1, "train": 2}, {})
    assert (done.num_questions_left_out, done.num_records_from_texts) == (3, 0)
    (vase,) = DataSet(tmp_path).vases("test")
    truth = beazley_record(NAMES[0], 0, traits_of(WORLD_SEED, 0))
    assert vase.id == NAMES[0] and vase.record["Fabric"] == truth["Fabric"]
    assert vase.caption == vase.reference == reference_caption(truth)
    assert [(q.dimension, q.answer) for q in vase.questions] == [
        ("fabric", truth["Fabric"]),
        ("provenance", "NOLA"),
    ]
    assert (tmp_path / vase.mesh).read_bytes() == next((layout / "models").glob(f"{NAMES[0]}*")).read_bytes()
    clip = DataSet(tmp_path).clips.load(vase.clip)
    assert (clip.frames.shape, clip.fps) == ((4, 224, 224, 3), 2.0)
    # the third frame is the vase's back, enlarged
    back = Image.open(layout / "images" / "back" / f"{NAMES[0]}.jpg").resize((224, 224))
    assert np.abs(clip.frames[2].astype(float) - np.asarray(back)).mean() < 6
    (row,) = [row for row in DataSet(tmp_path).rows if row.vase_id == NAMES[0]]
    assert row.photo == str(layout / "images" / "front" / f"{NAMES[0]}.jpg")
    card = (tmp_path / "DATASET.md").read_text()
    assert card.startswith(f"# {layout.name}\n\n3 vases from 3 photographs: 2 train, 1 test.\n")
    assert "| provenance | 3 |" in card and "![photographs and turntables](contact_sheet.png)" in card
    with Image.open(tmp_path / "contact_sheet.png") as sheet:
        assert sheet.width > 3 * 3 * 128, "three vases side by side, each a photograph and two frames"


def test_import_published_counts_vases_without_a_split(copy, tmp_path, caplog):
    edit(copy / "annotations" / "metadata.json", lambda m: [m[0], m[1] | {"split": ""}, m[2]])
    assert import_published(copy, DataSet(tmp_path / "a")).num_vases == {"test": 1, "train": 2}
    assert "of 3 vases, 1 have no split and go into train" in caplog.text
    caplog.clear()
    edit(copy / "annotations" / "metadata.json", lambda m: [e | {"split": ""} for e in m])
    import_published(copy, DataSet(tmp_path / "b"))
    assert "have no split" not in caplog.text, "all of them are drawn"


def test_import_published_moves_training_vases_into_val(copy, tmp_path):
    assert import_published(copy, DataSet(tmp_path / "a"), num_val=1).num_vases == {"test": 1, "train": 1, "val": 1}
    with pytest.raises(UserError, match="--num-val 2 leaves no vase for training: the training split has 2"):
        import_published(copy, DataSet(tmp_path / "b"), num_val=2)
    edit(copy / "annotations" / "metadata.json", lambda m: [m[0], m[1], m[2] | {"split": "validation"}])
    with pytest.raises(UserError, match=r"states the split .val. for 1 vases; leave out --num-val"):
        import_published(copy, DataSet(tmp_path / "c"), num_val=1)


def test_import_published_draws_by_seed_and_keeps_rights_out_of_records(copy, tmp_path):
    rights = {"rights": "CC BY 4.0", "credit": "Museum of V."}
    # read as in a museum's table
    words = {"Technique": "unknown", "Attributed To": "Pan Painter (Greek, active 480 B.C.)"}
    edit(copy / "annotations" / "metadata.json", lambda m: [e | rights | words | {"split": ""} for e in m])
    seed = next(seed for seed in range(1000) if position(NAMES[1], seed) < 0.1 <= position(NAMES[0], seed))
    import_published(copy, DataSet(tmp_path / "out"), seed=seed)
    rows = {row.vase_id: row for row in DataSet(tmp_path / "out").rows}
    assert rows[NAMES[1]].split == "test" != rows[NAMES[0]].split
    assert (rows[NAMES[0]].rights, rows[NAMES[0]].credit) == ("CC BY 4.0", "Museum of V.")
    assert "Technique" not in rows[NAMES[0]].record
    assert rows[NAMES[0]].record["Attributed To"] == words["Attributed To"]  # the parser reads it as it is
    assert not {"rights", "credit", "split"} & set(rows[NAMES[0]].record)


def test_read_layout_matches_an_id_to_the_only_model_that_begins_with_it(copy):
    shutil.copy(next((copy / "models").glob(f"{NAMES[0]}*")), copy / "models" / "7fa0-42d1_9.glb")
    edit(copy / "annotations" / "captions.json", lambda c: c[1].update(images=["7fa1-42d.jpg"]))
    problems = []
    read_layout(copy, problems.append)
    # record and split have one id, which is reported once
    assert [(Path(problem.where).name, problem.message) for problem in problems] == [
        ("captions.json", "'7fa1-42d' has no model; add its files or remove it"),
        ("metadata.json", "'7fa0-42d1' could be any of 7fa0-42d1_1, 7fa0-42d1_9; add its files or remove it"),
    ]


def test_read_layout_reads_splits(copy):
    metadata = copy / "annotations" / "metadata.json"
    edit(metadata, lambda m: [m[0] | {"split": "validation"}, m[1] | {"split": ""}, m[2]])
    metadata.write_text("\ufeff" + metadata.read_text(), encoding="utf-8")
    (copy / "groundTruth.json").write_text(json.dumps([{"images": [f"{NAMES[1]}.jpg"], "caption": "A cup."}]))
    assert [vase.split for vase in read_layout(copy, fail)] == ["val", "test", "train"]


def fail(problem) -> NoReturn:
    pytest.fail(f"{problem.where}: {problem.message}")


def test_read_questions_prefers_the_stated_kind_to_the_words(tmp_path):
    pair = {"id": "a", "question_type": "sub_technique", "question": "How was this shape made?", "answer": "Thrown."}
    (tmp_path / "qa_pairs.json").write_text(json.dumps([pair, pair | {"question_type": "other"}]))
    found = read_questions(tmp_path / "qa_pairs.json", fail)
    assert [question["dimension"] for question in found["a"]] == ["technique", "shape"]


def test_published_record_prefers_answers_to_the_caption(layout):
    (vase, *_) = read_layout(layout, fail)
    answers = [{"dimension": "fabric", "question": "?", "answer": answer} for answer in ("Boeotian", "Corinthian")]
    silent = replace(vase, record={}, caption="Athenian red-figure cup.", questions=tuple(answers))
    assert record_of_published(silent) == {"Fabric": "Boeotian"}
    assert record_of_published(replace(silent, questions=()))["Shape Name"] == "cup"


def test_import_published_films_models_when_asked(layout, tmp_path):
    import_published(layout, DataSet(tmp_path), turntable=TurntableSettings(num_frames=3, fps=2.0, resolution=32))
    vases = DataSet(tmp_path).vases("train")
    assert {DataSet(tmp_path).clips.load(vase.clip).frames.shape for vase in vases} == {(3, 32, 32, 3)}


def test_import_published_reads_other_forms_of_the_same_annotations(layout, copy, tmp_path):
    """Checks that annotations in other forms give the same manifest: keyed by model instead of in a list, nested, and
    with other field names."""
    names = dict(zip((name.rpartition("_")[0] for name in NAMES), NAMES, strict=True))
    edit(copy / "annotations" / "captions.json", lambda c: {e["images"][0]: [e["caption"]] for e in c})

    def nested(questions):
        pairs = {}
        for q in questions:
            kind = q["question"].split()[3].title()
            pairs.setdefault(q["id"], []).append({"type": kind, "question": q["question"], "answer": q["answer"]})
        return {"data": [{"model": f"models/{name}.glb", "qa_pairs": found} for name, found in pairs.items()]}

    edit(copy / "annotations" / "qa_pairs.json", nested)
    spelling = {"Shape Name": "shape_name", "Attributed To": "attributedTo", "Fabric": "fabric"}
    edit(
        copy / "annotations" / "metadata.json",
        lambda m: {
            names[e["id"]]: {
                "split": e["split"],
                "metadata": {spelling.get(k, k): v for k, v in e.items() if k != "id"},
            }
            for e in m
        },
    )
    import_published(layout, DataSet(tmp_path / "a"))
    import_published(copy, DataSet(tmp_path / "b"))

    def comparable(folder):
        return [replace(row, photo="", photo_sha256="") for row in DataSet(folder).rows]

    assert comparable(tmp_path / "a") == comparable(tmp_path / "b")


def test_import_published_reads_the_layout_of_the_evaluation(layout, tmp_path):
    source = tmp_path / "evaluation"
    for name in NAMES:
        (source / f"{name}_textured_2k.glb_shaded").mkdir(parents=True)
        for view in ("front", "back", "left", "right", "top", "bottom"):
            shutil.copy(
                layout / "images" / view / f"{name}.jpg", source / f"{name}_textured_2k.glb_shaded" / f"{view}.jpg"
            )
    shutil.copy(layout / "annotations" / "captions.json", source / "groundTruth.json")
    done = import_published(source, DataSet(tmp_path / "out"))
    assert (done.num_vases, done.num_records_from_texts) == ({"test": 3}, 3)
    for index, vase in enumerate(DataSet(tmp_path / "out").vases("test")):
        truth = parse_record(beazley_record(vase.id, index, traits_of(11, index)))
        found = parse_record(vase.record)
        # a caption states all that its record does, so the record can be read back
        assert {d: found[d] for d in DIMENSIONS if found[d]} == {d: truth[d] for d in DIMENSIONS if found[d]}
        assert sum(bool(found[d]) for d in DIMENSIONS) >= 4
    rejected = import_published(
        source, DataSet(tmp_path / "filmed"), turntable=TurntableSettings(resolution=32)
    ).rejected
    assert set(rejected) == set(NAMES) and "no 3D model to render" in rejected[NAMES[0]]


def captions(change: Callable) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "annotations" / "captions.json", change)


def questions(change: Callable) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "annotations" / "qa_pairs.json", change)


def metadata(change: Callable) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "annotations" / "metadata.json", change)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "is no published data set: expected models/, images/ and annotations/"),
        (lambda f: (f / "annotations" / "captions.json").unlink(), "annotations/captions.json: no such file"),
        (lambda f: (f / "annotations" / "captions.json").write_text('[\n{"id": }]'), "captions.json:2: not JSON"),
        (
            captions(lambda c: "x"),
            "captions.json: expected a list of objects, or an object with a key for each model, got str",
        ),
        (
            captions(lambda c: c[1].pop("images") and None),
            "captions.json, entry 2: names no model; add one of the fields",
        ),
        (
            captions(lambda c: c[0].update(caption=" ")),
            "captions.json, entry 1: no caption; give it a text under",
        ),
        (captions(lambda c: c.append(c[0])), "captions.json, entry 4: a second entry for"),
        (captions(lambda c: c[2].update(images=["else.jpg"])), "captions.json: 'else' has no model; add its files or"),
        (
            questions(lambda q: q[3].pop("answer") and None),
            "qa_pairs.json, entry 4: field 'answer' is empty",
        ),
        (questions(lambda q: q[0].update(qa_pairs=7)), "qa_pairs.json, entry 1: expected a list of questions, got int"),
        (questions(lambda q: q.append(3)), "qa_pairs.json, entry 10: expected an object, got int"),
        (metadata(lambda m: m[0].update(split="dev")), "metadata.json, entry 1: field \"split\": 'dev' is none of"),
        (metadata(lambda m: {"a": "b"}), "metadata.json, 'a': expected an object like"),
        (lambda f: shutil.rmtree(f / "images" / "left"), "images/left: no such folder; the layout requires six views"),
        (lambda f: [path.unlink() for path in (f / "models").iterdir()], "models: no *.glb in it"),
    ],
)
def test_import_published_names_file_entry_and_remedy_of_damaged_annotations(copy, tmp_path, damage, message):
    damage(copy)
    with pytest.raises(UserError) as caught:
        import_published(copy, DataSet(tmp_path / "out"))
    assert message in str(caught.value)
    assert not (tmp_path / "out" / "manifest.parquet").exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "images" / "top" / f"{NAMES[1]}.jpg").unlink(), "view 'top' is missing; add it to the other"),
        (lambda f: (f / "images" / "top" / f"{NAMES[1]}.jpg").write_text("?"), f"top/{NAMES[1]}.jpg not an image"),
        (lambda f: glb(f).write_bytes(glb(f).read_bytes()[:5000]), "damaged GLB model: cut off, 5,000 bytes of"),
        (lambda f: glb(f).write_text("a solid vase, no model"), "glb: not a GLB model; export it again"),
        (lambda f: in_header(glb(f), b'"byteOffset"', b'"byteOfsset"'), "has a texture that can't be read"),
        (captions(lambda c: c.pop(1) and None), "no caption; add one to captions.json"),
    ],
)
def test_import_published_rejects_only_the_vases_of_damaged_files(copy, tmp_path, capsys, damage, message):
    damage(copy)
    assert main(["import-published", str(copy), "--out", str(tmp_path / "out")]) == 1
    assert message in capsys.readouterr().out
    rows = {row.vase_id: row for row in DataSet(tmp_path / "out").rows}
    assert {name: row.rejected_by for name, row in rows.items()} == dict.fromkeys(NAMES, "") | {NAMES[1]: "source"}
    assert message in rows[NAMES[1]].reason and rows[NAMES[1]].split == ""


def test_import_published_shows_five_of_a_hundred_broken_entries(copy, tmp_path):
    edit(copy / "annotations" / "qa_pairs.json", lambda q: q + [{"id": NAMES[0], "question": "Why?"}] * 100)
    with pytest.raises(UserError) as caught:
        import_published(copy, DataSet(tmp_path / "out"))
    assert str(caught.value).count("\n") == 5 and str(caught.value).endswith("… and 95 more like it")


def test_check_published_lists_everything_before_an_import(layout, copy, capsys):
    assert main(["check", str(layout)]) == 0
    text = capsys.readouterr().out
    assert "vases      3, of which 3 can be used" in text and "splits     1 test, 2 train" in text
    assert text.count("── vase ") == 3 and "no problems found" in text
    glb(copy).write_text("solid vase")
    edit(copy / "annotations" / "qa_pairs.json", lambda q: [*q, 3])
    assert main(["check", str(copy)]) == 1
    text = capsys.readouterr().out
    assert f"  {NAMES[1]}: {glb(copy)}: damaged GLB model: it ends after 10 bytes; export it again" in text
    assert "qa_pairs.json, entry 10: expected an object, got int" in text
    assert re.search("^no object +1  stops the run$", text, re.MULTILINE)


def in_header(path: Path, old: bytes, new: bytes) -> None:
    """Replaces bytes of the header by as many others: the file keeps its length, and its header states wrong values."""
    path.write_bytes(path.read_bytes().replace(old, new))


def glb(folder: Path) -> Path:
    return next((folder / "models").glob(f"{NAMES[1]}*"))


def test_vase_key_is_shared_by_the_files_of_a_vase():
    for text in ("models/7f_2_textured_4k.glb_shaded.glb", "7f_2_ac001001.jpg", "7f_2", "a\\7f_2_mesh.GLB"):
        assert vase_key(text) == "7f_2"


def test_record_from_caption_states_no_more_than_the_caption():
    record = record_from_caption("Athenian red-figure pelike, c. 475-425 BCE, depicting a satyr.")
    assert record["Fabric"] == "Athenian" and record["Date"] == "-475 to -425" and "Attributed To" not in record
    assert record_from_caption("A thing of beauty.").get("Fabric") is None


def test_read_layout_reads_no_vase_twice(layout):
    problems = []
    assert [vase.name for vase in read_layout(layout, problems.append)] == NAMES and not problems
