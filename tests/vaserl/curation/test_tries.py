"""Tests what the second pass does with a vase of whose best view no good model comes, without Ray and without lathe."""

import json
from pathlib import Path

import pytest
from PIL import Image

from tests.fakes.curation_here import KilledJob, curated
from tests.fakes.curation_stages import over_batches
from tests.fakes.mould_stage import MOULD
from vaserl.curation.job.batch import batch_of, rows_of
from vaserl.curation.job.tries import MAX_TRIES
from vaserl.curation.outcome.retention import best_view_report
from vaserl.curation.outcome.why import why
from vaserl.curation.pipeline import Pipeline
from vaserl.curation.settings import CurateSettings
from vaserl.curation.stages.best_view import BEST_VIEW, BestView
from vaserl.curation.stages.questions import QUESTIONS
from vaserl.curation.stages.source import SOURCE
from vaserl.dataset import DataSet, Row

WITH_MOULD = Pipeline(filters=((SOURCE,),), choice=BEST_VIEW, lift=((MOULD,), (QUESTIONS,)))
PICTURES = {
    **{"good_front": "white", "good_back": "white"},
    **{"saved_front": "black", "saved_side": "black", "saved_back": "white", "saved_detail": "white"},
    **{"lost_1": "black", "lost_2": "black", "lost_3": "black", "lost_4": "white"},
    **{"shown_front": "black", "shown_top": "white"},
    **{"single_front": "black"},
}
"""Colour of each photograph; no good model comes of a black one."""


@pytest.fixture
def museum(tmp_path: Path) -> Path:
    folder = tmp_path / "museum"
    folder.mkdir()
    for number, (name, colour) in enumerate(PICTURES.items(), start=8):
        Image.new("RGB", (number, 8), colour).save(folder / f"{name}.png")
    ids = sorted({name.split("_")[0] for name in PICTURES})
    (folder / "records.jsonl").write_text("".join(json.dumps({"id": i, "Fabric": "ATHENIAN"}) + "\n" for i in ids))
    return folder


def settings(museum: Path, dataset: Path, **sections) -> CurateSettings:
    shards = {"num_rows": 3, "num_rows_lift": 2}
    fixed = {"dataset": dataset, "source": {"path": museum}, "journal": shards, "card": {"num_pictured": 0}}
    return CurateSettings.model_validate(fixed | {"split": {"test_share": 0.0}} | sections)


def by_name(dataset: Path) -> dict[str, Row]:
    return {Path(row.photo).stem: row for row in DataSet(dataset).rows}


def files(dataset: Path) -> dict[str, tuple[int, bytes]]:
    """Returns the time and content of each file of the journal and of each model."""
    found = [path for folder in (".work", "models") for path in (dataset / folder).rglob("*") if path.is_file()]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in found if path.name != "lock"}


def test_second_pass_tries_the_next_best_view_and_says_what_failed(museum, tmp_path):
    dataset = tmp_path / "vases"
    summary = curated(settings(museum, dataset), WITH_MOULD)
    rows = by_name(dataset)
    assert {name for name, row in rows.items() if row.kept} == {"good_front", "saved_back"}
    assert summary.num_later_choices == 1 and summary.num_vases == {"train": 2}
    saved = rows["saved_back"]
    assert [Path(photo).stem for photo in saved.instead_of] == ["saved_front", "saved_side"]
    assert (dataset / saved.mesh).read_text() == "saved_back.png"
    front, side = rows["saved_front"], rows["saved_side"]
    assert (front.rejected_by, front.reason, front.instead_of) == ("mould", "darker than 0.5", ())
    assert (side.rejected_by, side.instead_of) == ("mould", (front.photo,))
    assert (dataset / front.mesh).read_text() == "saved_front.png", "the models of all tries remain"
    assert rows["saved_detail"].reason.startswith("of 2 views left after 2 that failed, view back comes first")
    counts = {entry["stage"]: (entry["in"], entry["out"]) for entry in summary.retention}
    assert counts["mould"] == (1 + 3 + MAX_TRIES + 1 + 1, 2)
    told = why(DataSet(dataset), "saved", WITH_MOULD)
    assert "view back came through" in told
    assert "best_view  chose it after view front, rejected by mould, view side, rejected by mould\n" in told


def test_second_pass_ends_after_some_tries_and_never_tries_what_shows_no_whole_vase(museum, tmp_path):
    dataset = tmp_path / "vases"
    curated(settings(museum, dataset), WITH_MOULD)
    rows = by_name(dataset)
    assert [rows[f"lost_{number}"].rejected_by for number in (1, 2, 3, 4)] == ["mould"] * MAX_TRIES + ["best_view"]
    assert rows["lost_4"].reason.startswith("of 2 views left after 2 that failed, view 3 comes first")
    assert rows["shown_top"].reason == "of 1 views left after 1 that failed, none shows a whole vase from the side"
    assert rows["single_front"].rejected_by == "mould"
    tried = (dataset / "notes").read_text().split()
    assert len(tried) == len(set(tried)) == 9, "each once"


@pytest.mark.parametrize("num_tries", range(MAX_TRIES))
def test_second_pass_killed_between_tries_resumes_and_writes_the_same_manifest(museum, tmp_path, num_tries):
    whole, dataset = tmp_path / "whole", tmp_path / "vases"
    curated(settings(museum, whole), WITH_MOULD)
    with pytest.raises(KilledJob):
        curated(settings(museum, dataset), WITH_MOULD, num_tries)
    before = files(dataset)
    curated(settings(museum, dataset), WITH_MOULD)
    after = files(dataset)
    assert after | before == after, "no finished shard and no model was made again"
    assert sorted((dataset / "notes").read_text().split()) == sorted((whole / "notes").read_text().split())
    assert (dataset / "manifest.parquet").read_bytes() == (whole / "manifest.parquet").read_bytes()
    curated(settings(museum, dataset), WITH_MOULD)
    assert files(dataset) == after


def test_best_view_report_counts_the_first_choice_only():
    def row(photo: str, rejected_by: str, instead_of: tuple[str, ...] = ()) -> Row:
        return Row(photo=photo, vase_id="v", rejected_by=rejected_by, instead_of=instead_of)

    rows = [row("above", "lift"), row("front", "", ("above",))]
    report = best_view_report(rows, {"above": "above", "front": "intact"})
    assert (report.num_vases, report.num_right) == (1, 0)


def test_best_view_choosing_again_prefers_what_the_network_sees_and_skips_the_rest():
    columns = {"photo_sha256": "", "vase_id": "v", "rejected_by": "", "reason": "", "instead_of": '["v_front"]'}
    views = [("v_back", "back", 0.01), ("v_3", "3", 0.9), ("v_detail", "detail", 0.99)]
    rows = [columns | {"photo": photo, "view": view, "side": side, "above": 0.0} for photo, view, side in views]
    back, third, detail = rows_of(over_batches(BEST_VIEW, BestView)(batch_of(rows)))
    assert not third["rejected_by"] and third["instead_of"] == '["v_front"]' and back["instead_of"] == ""
    assert back["rejected_by"] == detail["rejected_by"] == "best_view"
