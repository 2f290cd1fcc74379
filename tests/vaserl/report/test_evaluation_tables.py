"""Tests the tables of an evaluation: their numbers, their forms, and what may not stand in one table."""

import copy
import csv
import io
from typing import Any

import pytest

from tests.vaserl.evaluation.test_evaluate import CONFIG, READER, TRAIN, bag_of_words, world
from vaserl.errors import UserError
from vaserl.evaluation.evaluate import evaluate_captions
from vaserl.report.evaluation_tables import evaluation_tables, merged_results, to_csv
from vaserl.report.paper_rows import PAPER_ROWS
from vaserl.report.table_formats import Table, to_html, to_latex, to_markdown

PAPER = {"num_pairs": 12, "clip": 0.8, "semantic": 0.8, "fid": None, "lexical": 0.25, "overall": 0.5}
PAPER |= {"recall_at_1": 0.125, "recall_at_5": 0.5, "recall_at_10": 0.75}


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    summary = evaluate_captions(world(), TRAIN, READER, bag_of_words, CONFIG).summary
    return {**summary, "comparable": {"prompt": "p", "vases": "v"}, "paper": {"rl": PAPER}}


def rows_of(table: Table) -> dict[str, tuple[str, ...]]:
    return {row[0]: row[1:] for row in table.rows}


def test_evaluation_tables_have_the_numbers_of_the_summary(result: dict[str, Any]):
    metrics, differences, *_ = evaluation_tables(result)
    assert metrics.head == ("metric", "n", "chance or floor", "sft", "rl")
    rows = rows_of(metrics)
    assert rows["reward"][3].startswith("1.000 [")
    # 4 of 12 kylikes; Wilson's interval of 4 / 12 is [.138, .609]; the commonest shape is right on a third
    assert rows["shape right"][:3] == ("12", "33 %", "33 % [14, 61]")
    assert rows["fabric right when stated"][2] == "–", "SFT never names a fabric"
    assert rows["recall@1, as published"][1] == "8 %", "one of twelve"
    assert rows["failures"][3] == "0 % [0, 24]"
    gain = rows_of(differences)["fabric right"]
    assert gain[0] == "rl" and gain[1].startswith("+1.000 [") and gain[2] == "0.00049 (0.00098)"
    assert (gain[3], gain[5]) == ("12 / 0 / 0", "better")


def test_evaluation_tables_keep_published_rows_apart(result: dict[str, Any]):
    *measured, paper, published = evaluation_tables(result)
    assert len(published.rows) == len(PAPER_ROWS) == 19
    names = {row.system for row in PAPER_ROWS}
    assert not names & {cell for table in (*measured, paper) for row in table.rows for cell in row}
    assert "not measured here" in published.title and "Source:" in published.note
    assert paper.rows == (("rl", "12", "–", "0.800", "75.00", "50.00", "12.50", "0.250", "0.500"),)
    assert len(evaluation_tables({**result, "paper": None})) == 2


def test_paper_rows_fit_ninety_six_vases_as_the_note_says():
    def fits(row, num: int) -> bool:
        shares = (row.recall_at_10, row.recall_at_5, row.recall_at_1)
        return all(any(abs(100 * k / num - share) < 0.00501 for k in range(num + 1)) for share in shares)

    fitting = [row.system for row in PAPER_ROWS if fits(row, 96)]
    assert len(fitting) == 15
    others = {row.system: row for row in PAPER_ROWS if row.system not in fitting}
    assert set(others) == {"Cap3D (3D)", "Gemini-2.5-flash", "VaseVL (2D)", "VaseVLM-7B-RL"}
    assert fits(others["Gemini-2.5-flash"], 91) and fits(others["Cap3D (3D)"], 192)
    assert not any(fits(others["VaseVLM-7B-RL"], num) for num in range(1, 1789))


def test_to_csv_has_all_digits(result: dict[str, Any]):
    rows = {(row["system"], row["metric"]): row for row in csv.DictReader(io.StringIO(to_csv(result)))}
    reward = rows["rl", "reward"]
    assert float(reward["mean"]) == result["systems"]["rl"]["reward"]["mean"]
    assert float(reward["difference"]) == result["differences"]["rl"]["reward"]["mean"]
    assert (reward["baseline"], reward["verdict"], rows["sft", "reward"]["baseline"]) == ("sft", "better", "")
    assert rows["rl", "dimensions/fabric/accuracy"]["num_values"] == "12"


def test_merged_results_refuse_other_data_or_prompts(result: dict[str, Any]):
    other = copy.deepcopy(result)
    other["systems"] = {"base": other["systems"]["sft"]}
    merged = merged_results({"a.json": result, "b.json": other})
    assert list(merged["systems"]) == ["sft", "rl", "base"] and merged["differences"] == {}
    assert evaluation_tables(merged)[0].head[3:] == ("sft", "rl", "base")
    with pytest.raises(UserError, match=r"b.json: another file has a system 'sft' too"):
        merged_results({"a.json": result, "b.json": result})
    other["comparable"]["prompt"] = "q"
    with pytest.raises(UserError, match=r"b.json can't stand in one table with a.json: they differ in prompt"):
        merged_results({"a.json": result, "b.json": other})


TABLE = Table(title="A & B", head=("metric", "x_1"), rows=(("50 %", "a|b"), ("<b>", "−1")), note="100 % of them")


def test_to_markdown_is_aligned():
    title, _, head, rule, *_ = to_markdown([TABLE]).splitlines()
    assert title == "## A & B"
    assert len(head) == len(rule)
    assert "a\\|b" in to_markdown([TABLE])


def test_to_latex_escapes():
    text = to_latex([TABLE])
    assert r"\caption{A \& B. 100 \% of them}" in text
    assert "50 \\% & a|b \\\\" in text and r"x\_1" in text and "$-$1" in text


def test_to_html_escapes_and_loads_nothing():
    text = to_html("<run>", [TABLE])
    assert "<td>&lt;b&gt;</td>" in text and "<h1>&lt;run&gt;</h1>" in text
    assert "<script" not in text and "src=" not in text
