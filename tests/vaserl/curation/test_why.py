"""Tests `vaserl why`, which explains what happened to a photograph, on hand-written manifests."""

import hashlib
from pathlib import Path

import pytest

from vaserl.commands.__main__ import main
from vaserl.curation.outcome.why import why
from vaserl.dataset import DataSet, Question, Row
from vaserl.errors import UserError

CONFIG = """
dataset = "/data/vases"
[source]
path = "/museum"
[quality]
threshold = 0.5
[intact]
threshold = 0.1
[mesh_gate]
min_iou = 0.8
max_open_edges = 0.02
"""


def row(photo: str, vase_id: str, view: str, **columns) -> Row:
    return Row(
        photo=f"/museum/{photo}",
        photo_sha256=hashlib.sha256(photo.encode()).hexdigest(),
        vase_id=vase_id,
        view=view,
        record={"Fabric": "ATHENIAN", "Date": "-525 to -500"},
        **columns,
    )


@pytest.fixture
def dataset(tmp_path: Path) -> DataSet:
    kept = {
        "scores": {
            "quality": 0.91,
            "intact": 0.25,
            "front": 0.31,
            "silhouette_iou": 0.97,
            "open_edges": 0.0,
            "caption_loses": 2.0,
        },
        "mesh": "models/v1.glb",
        "clip": "c" * 64,
        "caption": "Athenian amphora.",
        "reference": "Athenian amphora, c. 525–500 BCE.",
        "questions": (Question(dimension="fabric", question="What is the fabric of the vase?", answer="Athenian"),),
        "split": "test",
        "rights": "CC0",
        "credit": "Museum of V.",
    }
    rows = [
        row("v1_1.jpg", "v1", "1", rejected_by="quality", reason="too blurred", scores={"quality": 0.2}),
        row("v1_2.jpg", "v1", "2", **kept),
        row(
            "v1_3.jpg",
            "v1",
            "3",
            rejected_by="best_view",
            reason="of 2 views, view 2 is shown more frontally",
            scores={"quality": 0.8, "intact": 0.2, "front": 0.22},
            kind="intact",
        ),
        row("v1_4.jpg", "v1", "4", rejected_by="quality", reason="is 0.100, needed 0.5", scores={"quality": 0.1}),
        row("v2.jpg", "v2", "", rejected_by="mesh_gate", reason="open", scores={"open_edges": 0.3}, mesh="m"),
        row("lost.jpg", "", "", rejected_by="source", reason="its name does not fit source.pattern x"),
        row("v2_b.jpg", "v2", "b", rejected_by="quality", reason="too blurred"),
        row("v3.jpg", "v3", "", rejected_by="glaze", reason="a stage of another program"),
    ]
    dataset = DataSet(tmp_path)
    dataset.write_rows(rows)
    return dataset


def test_why_tells_every_stage_of_a_vase_that_came_through(dataset):
    (dataset.path / "config.toml").write_text(CONFIG)
    story = why(dataset, "v1")
    assert story.startswith("vase v1: 4 photographs; view 2 came through, into test\n")
    assert "/museum/v1_2.jpg  [CC0, Museum of V.]" in story
    assert "quality    passed: quality 0.910 (at least 0.5)" in story
    assert "intact     passed: intact 0.250 (at least 0.1)" in story
    assert "best_view  preferred it: front 0.310 against view 3 0.220" in story
    assert "lift       made models/v1.glb" in story
    assert "mesh_gate  passed: silhouette_iou 0.970 (at least 0.8), open_edges 0.000 (at most 0.02)" in story
    assert f"turntable  rendered clips/{'c' * 64}.mp4" in story
    assert "describe   “Athenian amphora.”; dimensions of the first wording: 2 lost\n" in story
    assert "questions  asked for fabric\n" in story
    assert "caption_loses" not in story and "measured nothing" not in story
    assert "reference  “Athenian amphora, c. 525–500 BCE.”" in story
    # for the other two views the last line is the stage that rejected them
    assert "quality    rejected it: too blurred (quality 0.200 (at least 0.5))" in story
    assert "quality    rejected it: is 0.100, needed 0.5\n" in story + "\n", "not stated twice"
    assert "best_view  rejected it: of 2 views, view 2 is shown more frontally (front 0.220)" in story
    assert story.count("lift ") == 1


@pytest.mark.parametrize("name", ["/museum/v1_3.jpg", "v1_3.jpg", "v1_3"])
def test_why_finds_a_photograph_by_its_name(dataset, name):
    story = why(dataset, name)
    assert story.count("/museum/") == 1 and "labelled intact" in story
    assert "quality    passed: quality 0.800\n" in story  # no settings beside the data set, no thresholds


def test_why_finds_a_photograph_by_the_beginning_of_a_hash(dataset):
    assert "/museum/v1_2.jpg" in why(dataset, "c" * 8)
    assert "/museum/v2.jpg" in why(dataset, hashlib.sha256(b"v2.jpg").hexdigest()[:8])
    with pytest.raises(UserError):
        why(dataset, "c" * 7)


def test_why_of_a_vase_without_a_kept_photograph(dataset):
    story = why(dataset, "v2")
    assert story.startswith("vase v2: 2 photographs, none came through; v2.jpg came farthest, to mesh_gate")
    assert "quality    measured nothing" in story and "kept it: the only view left" in story
    assert "mesh_gate  rejected it: open (open_edges 0.300)" in story


def test_why_of_unscored_views_and_measures_of_other_programs(tmp_path):
    texts = {"caption": "A cup.", "reference": "A cup.", "split": "train", "scores": {"judge": 0.75}}
    rows = [row("v4_1.jpg", "v4", "1", **texts), row("v4_2.jpg", "v4", "2", rejected_by="best_view", reason="view 1")]
    dataset = DataSet(tmp_path)
    dataset.write_rows(rows)
    story = why(dataset, "v4_1")
    assert "best_view  preferred it to view 2: none of them has a score, so the views' names decide\n" in story
    assert "scores     judge 0.75\n" in story
    assert "reference " not in story, "it is the caption"


def test_why_names_the_photographs_from_which_the_model_was_made(tmp_path):
    made = {"mesh": "models/v.glb", "other_photos": ("/museum/v_back.jpg", "/museum/v_left.jpg"), "split": "train"}
    dataset = DataSet(tmp_path)
    dataset.write_rows([row("v.jpg", "v", "front", **made, scores={"seen_share": 0.81, "silhouette_iou": 0.9})])
    told = "lift       made models/v.glb from it and v_back.jpg, v_left.jpg, 81% of the wall shown\n"
    assert told in why(dataset, "v")


def test_why_names_settings_that_are_no_toml(dataset):
    (dataset.path / "config.toml").write_text("[quality\n")
    with pytest.raises(UserError, match=r"(?s)config\.toml: .*remove config\.toml"):
        why(dataset, "v1")


def test_why_names_a_stage_that_did_not_run(dataset):
    (dataset.path / "config.toml").write_text(CONFIG.replace("threshold = 0.5", "enabled = false"))
    story = why(dataset, "v2")
    assert "quality    was switched off\n" in story and "intact     measured nothing\n" in story
    assert "shown " not in story, "CLIP scores the views"
    (dataset.path / "config.toml").write_text(CONFIG.replace("threshold = 0.1", "enabled = false"))
    assert "intact     was switched off\n  shown      not judged" in why(dataset, "v2")


def test_why_of_an_unknown_vase_and_a_stage_of_another_program(dataset):
    assert "source     rejected it: its name does not fit source.pattern x" in why(dataset, "lost")
    assert why(dataset, "v3").endswith("glaze      rejected it: a stage of another program")


def test_why_suggests_an_id_by_a_part_of_it(dataset):
    dataset.write_rows([row("p.jpg", "Inv. 1904-4, from the Kerameikos at Athens", "")])
    with pytest.raises(UserError, match=r"nearest: Inv\. 1904-4, from the Kerameikos"):
        why(dataset, "kerameikos")


def test_why_of_an_unknown_id_names_the_nearest(dataset, capsys):
    assert main(["why", "v1_5.jpg", "--dataset", str(dataset.path)]) == 2
    error = capsys.readouterr().err
    assert "no vase or photograph matches 'v1_5.jpg'; nearest: v1_1.jpg, v1_2.jpg, v1_3.jpg" in error
    assert main(["why", "v1", "--dataset", str(dataset.path)]) == 0
    assert capsys.readouterr().out.startswith("vase v1")


def test_why_says_that_a_model_is_uncompared(tmp_path):
    texts = {"caption": "A cup.", "reference": "A cup.", "split": "train", "mesh": "models/v5.glb"}
    dataset = DataSet(tmp_path)
    dataset.write_rows([row("v5.jpg", "v5", "", scores={"symmetry": 0.97, "compared": 0.0}, **texts)])
    assert "mesh_gate  passed: symmetry 0.970; uncompared with its photograph, which can't be cut out" in why(
        dataset, "v5"
    )
    dataset.write_rows([row("v5.jpg", "v5", "", scores={"symmetry": 0.97, "compared": 1.0}, **texts)])
    assert "uncompared" not in why(dataset, "v5")
