"""Tests the card (README) of a data set and its contact sheet."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFont

from tests.conftest import make_clip, make_dataset
from vaserl.curation.job.thresholds import Threshold
from vaserl.curation.outcome.card import Findings, dataset_card, write_card
from vaserl.curation.outcome.contact_sheet import FONT, GAP, LABEL_HEIGHT, SIDE, contact_sheet, pictured
from vaserl.curation.outcome.retention import BestViewReport, FilterReport
from vaserl.curation.settings import CardSettings
from vaserl.dataset import DataSet, Question, Row, Topic


def manifest() -> list[Row]:
    """Returns a manifest of ten photographs: 1 unreadable, 3 of low quality, 1 fragment, 2 that aren't the best view,
    and 3 vases."""
    entries = [
        ("source", "no such file"),
        ("quality", "probability of good quality 0.100, needed 0.5"),
        ("quality", "probability of good quality 0.200, needed 0.5"),
        ("quality", "probability of good quality 0.300, needed 0.5"),
        ("intact", "looks like fragment: cosine 0.300 against 0.100 to intact"),
        ("best_view", "of 2 views, view 3 is shown more frontally"),
        ("best_view", "of 2 views, view 1 is shown more frontally"),
        ("", ""),
        ("", ""),
        ("", ""),
    ]
    return [
        Row(
            photo=str(k),
            vase_id=str(k),
            rejected_by=stage,
            reason=reason,
            split="" if stage else "test" if k == 9 else "train",
            record={"Fabric": "Athenian" if k == 9 else "ATHENIAN"} if k % 2 else {"Fabric": "EUBOEAN|X"},
        )
        for k, (stage, reason) in enumerate(entries)
    ]


def asking(*topics: Topic) -> tuple[Question, ...]:
    return tuple(Question(dimension=topic, question="What is it?", answer="This.") for topic in topics)


def test_card_states_retention_reasons_and_values():
    card = dataset_card(manifest(), CardSettings(title="Vases of Nola"), Findings())
    assert card.startswith("# Vases of Nola\n\n3 vases from 10 photographs: 2 train, 1 test.\n")
    assert "License: none was stated" in card
    assert "| quality | 9 | 6 | 66.7% | 30,000 | 13,599 | 45.3% |" in card
    assert "10 in = 3 out + 7 rejected" in card
    assert "| best_view | of … views, view … is shown more frontally | 2 |" in card
    assert f"| EUBOEAN\\|X | 1 | 1 | 0 | {'█' * 15} |" in card
    assert f"| ATHENIAN | 2 | 1 | 1 | {'█' * 30} |" in card, "vases, train, test"
    assert "Athenian |" not in card  # another spelling of the same value
    assert "| *not stated* | 3 | 2 | 1 | |" in card  # technique and the rest
    assert "None of the photographs states rights" in card and "Thresholds" not in card and "truth" not in card
    off = dataset_card(manifest(), CardSettings(), Findings(off=["intact"]))
    assert "| intact | 6 | 5 | off | 13,599 | 6,330 | 46.5% |" in off and off.count("| off |") == 1


def test_card_counts_vases_that_were_made_from_a_later_choice():
    rows = manifest()
    assert "gave no good model" not in dataset_card(rows, CardSettings(), Findings())
    rows[7], rows[6] = replace(rows[7], instead_of=("a.jpg",)), replace(rows[6], instead_of=("a.jpg",))
    card = dataset_card(rows, CardSettings(), Findings())
    assert "1 of the 3D models were made from another photograph" in card, "the other one was rejected too"


def test_card_states_rights_thresholds_and_reports():
    rows = [replace(row, rights="CC BY 4.0" if k < 9 else "", credit=f"Museum {k}") for k, row in enumerate(manifest())]
    findings = Findings(
        filters=[
            FilterReport(stage="quality", true_positives=8, false_positives=2, false_negatives=0, true_negatives=10)
        ],
        best_view=BestViewReport(num_vases=10, num_right=9, num_choices=4, num_choices_right=4),
        thresholds=[Threshold(stage="intact", value=0.02134, origin="quantile 0.25 of 500 photographs")],
    )
    card = dataset_card(rows, CardSettings(license="CC0-1.0"), findings)
    assert "License: CC0-1.0." in card
    # of the three vases that were kept; rejected photographs are not published
    assert "| CC BY 4.0 | 2 |\n| *not stated* | 1 |" in card and "| Museum 7 | 1 |" in card and "Museum 6" not in card
    assert "| intact | 0.0213 | quantile 0.25 of 500 photographs |" in card
    assert "| quality | 20 | 0.800 | 1.000 | 0.889 |" in card
    assert "| of all vases with a right view | 10 | 9 | 0.900 (0.596 to 0.982) |" in card
    assert "left to choose from | 4 | 4 | 1.000 (" in card


def test_card_counts_questions_and_captions_that_were_refused():
    rows = manifest()
    rows[7] = replace(rows[7], questions=asking("fabric", "provenance"), scores={"caption_invents": 1.0})
    rows[8] = replace(rows[8], questions=asking("fabric"), scores={"caption_invents": 2.0, "caption_loses": 1.0})
    rows[0] = replace(rows[0], scores={"caption_invents": 1.0, "reference_keywords": 1.0})  # a rejected row
    rows[9] = replace(rows[9], scores=dict(rows[9].scores) | {"reference_keywords": 1.0})
    card = dataset_card(rows, CardSettings(), Findings())
    assert "3 captions; 2 were first worded" in card and "record: 2 stated what it does not, 1 left out" in card
    assert "1 references list words" in card
    assert "3 questions:\n\n| asks for | questions |\n|---|---:|\n| fabric | 2 |\n| provenance | 1 |\n" in card


def test_card_sums_up_rare_values_and_keeps_cells_on_their_line():
    rows = [
        Row(
            photo=str(k),
            vase_id=str(k),
            record={"Fabric": f"WARE {k:02d}"},
            credit=f"Museum {k:02d}\n|",
            split="train",
        )
        for k in range(15)
    ]
    lines = dataset_card([*rows, rows[0]], CardSettings(), Findings()).splitlines()
    assert "| WARE 00 | 2 | 2 | " + "█" * 30 + " |" in lines and "| WARE 11 | 1 | 1 | " + "█" * 15 + " |" in lines
    assert "| 3 other values | 3 | | |" in lines and not [line for line in lines if "WARE 12" in line]
    assert "| Museum 00 \\| | 2 |" in lines and "| 7 others | 7 |" in lines


def test_write_card_without_vases_draws_no_picture(tmp_path):
    rows = [row for row in manifest() if not row.kept]
    dataset = DataSet(tmp_path)
    write_card(dataset, rows, CardSettings(), Findings())
    assert dataset.card is not None and "0 vases from 7 photographs: none." in dataset.card
    assert not dataset.sheet.exists() and dataset.sheet.name not in dataset.card


def test_contact_sheet_shows_each_photograph_beside_its_turntable(tmp_path: Path):
    dataset = DataSet(make_dataset(tmp_path / "data", num_vases=5))
    (dataset.path / "photographs").mkdir()
    rows = list(dataset.rows)
    for row in rows[1:]:  # the first vase's file is missing
        Image.new("RGB", (60, 30), "red").save(dataset.path / row.photo)
    sheet = np.asarray(contact_sheet(dataset, rows))
    assert sheet.shape == (2 * (SIDE + LABEL_HEIGHT + GAP) + GAP, 4 * (3 * SIDE + GAP) + GAP, 3)

    def cell(column: int) -> np.ndarray:
        """Returns the cell of the first row: pixels [SIDE, 3 * SIDE, 3], RGB."""
        left = GAP + column * (3 * SIDE + GAP)
        return sheet[GAP : GAP + SIDE, left : left + 3 * SIDE]

    assert (cell(0)[:, :SIDE] == 255).all()
    middle = cell(1)[SIDE // 2, SIDE // 2]
    assert tuple(middle) == (255, 0, 0) and (cell(1)[:20, :SIDE] == 255).all(), "padded, not stretched"
    frame = dataset.clips.load(rows[1].clip).frames[0]
    shown = cell(1)[:, SIDE : 2 * SIDE]
    enlarged = np.asarray(Image.fromarray(frame).resize((SIDE, SIDE)))
    assert np.abs(shown.astype(int) - enlarged).mean() < 12
    frame = dataset.clips.load(rows[1].clip).frames[8 // 3]
    enlarged = np.asarray(Image.fromarray(frame).resize((SIDE, SIDE)))
    assert np.abs(cell(1)[:, 2 * SIDE :].astype(int) - enlarged).mean() < 12, "a third of a turn later"
    two = contact_sheet(dataset, [replace(row, vase_id="x" * 200) for row in rows[:2]])
    assert two is not None and two.width == 2 * (3 * SIDE + GAP) + GAP, "no room for vases that aren't there"
    between = np.asarray(two)[:, GAP + 3 * SIDE : GAP + 3 * SIDE + GAP]
    assert (between == 255).all(), "a long name doesn't run into its neighbour"
    assert make_clip(1).num_source_frames == 8 and not (cell(1)[:, SIDE : 2 * SIDE] == cell(1)[:, 2 * SIDE :]).all()


def test_contact_sheet_font_has_greek_letters():
    font = ImageFont.truetype(FONT, size=10)
    missing = font.getmask("\uffff").getbbox(), bytes(font.getmask("\uffff"))
    assert all((font.getmask(c).getbbox(), bytes(font.getmask(c))) != missing for c in "ΑΩλήκυθοςἈὴé")


@pytest.mark.parametrize(("number", "chosen"), [(3, [0, 4, 9]), (10, list(range(10))), (99, list(range(10))), (0, [])])
def test_pictured_spreads_vases_evenly(number, chosen):
    rows = [
        Row(photo="", vase_id=str(k // 2), clip="c" if k % 2 else "") for k in range(20)
    ]  # every second row was rejected
    assert [int(row.vase_id) for row in pictured(rows, number)] == chosen


def test_card_counts_the_models_that_are_uncompared() -> None:
    rows = [replace(row, scores={"compared": float(k % 2)}) for k, row in enumerate(manifest())]
    # of the three vases, numbers 7, 8 and 9, the second is uncompared; rejected rows don't count
    assert "1 of the 3D models are uncompared" in dataset_card(rows, CardSettings(), Findings())
    assert "uncompared" not in dataset_card(manifest(), CardSettings(), Findings())
