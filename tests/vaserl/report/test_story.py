"""Tests that the report's sentences about a realistic run follow from its numbers."""

import copy
from pathlib import Path
from typing import Any

from vaserl.report import console_summary
from vaserl.report.examples import choose
from vaserl.report.story import claims, dimension_story, headline, verdict
from vaserl.report.tables import retention_rows
from vaserl.runs.quickstart_folder import QuickstartFolder


def test_dimension_story_flips_with_its_numbers(run_summary: dict[str, Any]) -> None:
    evaluation = run_summary["eval"]
    shape, scene, painter = (dimension_story(name, evaluation) for name in ("shape", "decoration", "attribution"))
    assert shape.sft_reading == "read" and shape.rl_gain == 0
    assert "reads the shape from the picture" in shape.sentences[0]
    assert scene.sft_reading == "guessed" and "no better than guessing" in scene.sentences[0]
    assert painter.rl_gain == 1 and "RL raises the accuracy over all vases" in " ".join(painter.sentences)

    swapped = copy.deepcopy(evaluation)
    swapped["systems"] = {"sft": evaluation["systems"]["rl"], "rl": evaluation["systems"]["sft"]}
    for measured in swapped["differences"]["rl"]["dimensions"]["attribution"].values():
        measured["mean"], measured["low"], measured["high"] = -measured["mean"], -measured["high"], -measured["low"]
    flipped = dimension_story("attribution", swapped)
    assert flipped.rl_gain == -1 and "RL lowers the accuracy over all vases" in " ".join(flipped.sentences)

    blind = copy.deepcopy(evaluation)
    blind["systems"]["sft"]["dimensions"]["shape"]["over_guess"] = {"mean": 0.01, "low": -0.04, "high": 0.06}
    story = dimension_story("shape", blind)
    assert story.sft_reading == "guessed" and "no better than guessing" in story.sentences[0]
    assert "+1 point [−4, +6]" in story.sentences[0]
    blind["systems"]["sft"]["dimensions"]["shape"]["over_guess"] = {"mean": -0.2, "low": -0.3, "high": -0.1}
    assert "worse than guessing" in dimension_story("shape", blind).sentences[0]


def test_verdict_and_claims_flip_with_their_numbers(run_summary: dict[str, Any]) -> None:
    assert [claim.holds for claim in claims(run_summary)] == [True, True, True]
    assert headline(run_summary) == "All three claims hold."
    assert "RL is above SFT" in verdict(run_summary) and "rose from" in verdict(run_summary)

    worse = copy.deepcopy(run_summary)
    worse["reward_last"] = worse["reward_first"] - 0.05
    worse["eval"]["differences"]["rl"]["reward"] = {"mean": 0.01, "low": -0.02, "high": 0.04}
    worse["eval"]["differences"]["rl"]["lexical_paper"] = {"mean": -0.03, "low": -0.05, "high": -0.01}
    assert [claim.holds for claim in claims(worse)] == [False, False, False]
    assert headline(worse).startswith("Does not hold: GRPO closes at least 15 %")
    assert "did not rise" in verdict(worse) and "RL is not distinguishable from SFT" in verdict(worse)
    assert "further from the reference captions (−0.030 [−0.050, −0.010]" in verdict(worse)


def test_choose_marks_tell_silence_from_error(finished_run: Path) -> None:
    lines = QuickstartFolder(finished_run).evaluation.captions
    examples = [example for examples in choose(lines, tau=0.7).values() for example in examples]
    marks = {example.statements["sft"]["attribution"].mark for example in examples}
    assert "silent" in marks
    silent = next(example for example in examples if example.statements["sft"]["attribution"].mark == "silent")
    assert not any("Painter" in passage.text for passage in silent.captions["sft"])


def test_retention_rows_stand_beside_the_paper(run_summary: dict[str, Any]) -> None:
    rows = retention_rows(run_summary["retention"])
    stages = ["source", "quality", "intact", "best view", "lift", "mesh gate", "all together"]
    assert [row.stage for row in rows] == stages
    assert (rows[1].num_in, rows[1].num_out, rows[1].kept) == ("1,200", "921", "76.8 %")  # 921 / 1200 = .7675
    assert rows[0].paper == "not a stage of the paper"
    assert (rows[4].paper, rows[4].paper_kept) == ("3,880 → 664", "17.1 %")
    assert rows[5].paper == "counted with lift"
    assert (rows[6].kept, rows[6].paper_kept) == ("24.7 %", "2.2 %")  # 296 / 1200 = .2467
    assert retention_rows([{"stage": "dust", "in": 0, "out": 0}])[0].kept == "–"


def test_console_summary_is_ten_lines_and_follows_the_numbers(run_summary: dict[str, Any]) -> None:
    text = console_summary(run_summary)
    assert len(text.splitlines()) == 10
    assert (
        "1,200 → 921 → 700 → 320 → 318 → 296 (quality, intact, best view, lift, mesh gate)" in text
        and "All three claims hold." in text
    )
    reads = next(found for found in text.splitlines() if found.startswith("SFT reads"))
    assert "shape" in reads and "decoration" not in reads
    assert "decoration" in next(found for found in text.splitlines() if found.startswith("SFT guesses"))
    assert "attribution" in next(found for found in text.splitlines() if found.startswith("RL raised"))
    assert len(console_summary({}).splitlines()) == 10 and "not evaluated" in console_summary({})
