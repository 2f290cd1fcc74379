"""Tests the report's number formats, choices and arithmetic against results by hand."""

import numpy as np
import pytest

from vaserl.report.examples import choose, highlight
from vaserl.report.story import accuracy_shares, claims, reading
from vaserl.report.timeline import covered_seconds, phases_of, seconds_by_phase
from vaserl.report.words import duration, number, points, signed
from vaserl.runs.evaluation_run import EvaluatedVase
from vaserl.runs.rows import TimelineSpan
from vaserl.types import Score


def test_reading_needs_statements() -> None:
    margin = {"mean": 0.5, "low": 0.4, "high": 0.6}
    assert reading({"num_targets": 96, "num_stated": 96, "over_guess": margin}) == "read"
    assert reading({"num_targets": 96, "num_stated": 9, "over_guess": margin}) == "silent"
    assert reading({"num_targets": 96, "num_stated": 0, "over_guess": None}) == "silent"
    assert reading({"num_targets": 0, "num_stated": 0, "over_guess": None}) == "no target"


def test_claims_decide_training_at_15_percent_of_the_gap() -> None:
    # From .80 the gap to 1.1 is .30, and 15 % of it .045.
    assert claims({"reward_first": 0.80, "reward_last": 0.8449})[0].holds is False
    assert claims({"reward_first": 0.80, "reward_last": 0.8451})[0].holds is True
    assert claims({"reward_first": 0.80})[0].holds is None


def test_accuracy_shares_split_the_change_exactly() -> None:
    sft = {"stated": {"mean": 0.4}, "accuracy_when_stated": {"mean": 0.5}}
    rl = {"stated": {"mean": 1.0}, "accuracy_when_stated": {"mean": 0.6}}
    # .4 * .5 = .20 to 1 * .6 = .60: (1 - .4)(.5 + .6) / 2 = .33 and (.6 - .5)(.4 + 1) / 2 = .07.
    assert accuracy_shares(sft, rl) == pytest.approx((0.33, 0.07))
    mute = {"stated": {"mean": 0.0}, "accuracy_when_stated": None}
    assert accuracy_shares(mute, rl) == pytest.approx((0.6, 0.0))
    assert accuracy_shares(rl, mute) == pytest.approx((-0.6, 0.0))


def vase(name: str, gain: float) -> EvaluatedVase:
    scores = {"sft": Score(total=0.5, parts={}), "rl": Score(total=0.5 + gain, parts={})}
    captions = {"sft": "", "rl": ""}
    return EvaluatedVase(id=name, record={}, reference="", captions=captions, scores=scores, values={}, clip="")


def test_choose_gives_best_typical_worst_and_no_vase_twice() -> None:
    chosen = choose([vase(f"v{k:02d}", gain) for k, gain in enumerate(np.linspace(-0.5, 0.5, 21))], tau=0.7)
    names = {kind: [example.id for example in examples] for kind, examples in chosen.items()}
    assert names["best"] == ["v20", "v19", "v18", "v17"]
    assert names["worst"] == ["v00", "v01", "v02", "v03"]
    assert set(names["typical"]) == {"v10", "v09", "v11", "v08"}  # v12 ties with v08 and comes later by id
    few = choose([vase("a", 0.3), vase("b", 0.2), vase("c", 0.1), vase("d", 0.0)], tau=0.7)
    assert [example.id for examples in few.values() for example in examples] == ["a", "b", "d"]
    assert [example.id for example in choose([vase("a", 0.1)], tau=0.7)["typical"]] == ["a"]


def test_highlight_marks_matched_words_and_cuts_long_captions() -> None:
    marked = highlight("An OWL, perhaps, on a skyphos", "Athenian skyphos with an owl.")
    assert [(passage.text, passage.matched) for passage in marked] == [
        ("An OWL,", True),
        ("perhaps, on a", False),
        ("skyphos", True),
    ]
    long = highlight("owl " * 5000, "owl")
    assert len(long[0].text.split()) == 150 and long[1].text == "… (20,000 characters)"
    assert highlight("", "owl") == ()


def test_covered_seconds_count_overlapping_workers_once() -> None:
    def span(step: int, phase: str, start: float, end: float) -> TimelineSpan:
        return TimelineSpan(step=step, phase=phase, worker="w", start_s=start, end_s=end)

    spans = [span(1, "learn", 3, 5), span(1, "rollout", 0, 2), span(1, "rollout", 1, 3), span(2, "rollout", 9, 10)]
    assert covered_seconds(spans[1:3]) == 3.0
    assert covered_seconds([]) == 0.0
    assert phases_of(spans) == ["rollout", "learn"]
    assert seconds_by_phase(spans) == {"rollout": {1: 3.0, 2: 1.0}, "learn": {1: 2.0}}


def test_words_write_numbers_as_people_read_them() -> None:
    assert (number(-0.0123), number(-0.0001), number(0.5)) == ("−0.012", "0.000", "0.500")
    assert (signed(0.0791), signed(-0.012), signed(-0.0001)) == ("+0.079", "−0.012", "0.000")
    assert [duration(s) for s in (4.26, 59.4, 59.6, 723, 7500)] == [
        "4.3 s",
        "59 s",
        "1 min 0 s",
        "12 min 3 s",
        "2 h 5 min",
    ]
    assert points({"mean": 0.012, "low": -0.031, "high": 0.052}) == "+1 point [−3, +5]"
    assert points({"mean": 0.41, "low": 0.32, "high": 0.5}) == "+41 points [+32, +50]"
