"""Tests the metrics of answers to questions, whose clusters are the vases."""

from math import log

import pytest

from vaserl.evaluation.questions import AnsweredQuestion, question_results


def answered(
    vase: int, dimension, answer: str, truth: str, right: bool | None = None, probability: float | None = None
):
    logprobs = () if probability is None else (log(probability),)
    return AnsweredQuestion(
        vase=vase, dimension=dimension, answer=answer, truth=truth, is_right=right, logprobs=logprobs
    )


def results(**systems):
    return question_results(systems, 3, baseline="base", num_resamples=50, seed=0)


def test_question_results_by_hand():
    good = [
        answered(0, "shape", "kylix", "kylix", True, 0.9),
        answered(0, "dating", "c. 500-450 BCE", "c. 525-475 BCE", False, 0.8),
        answered(1, "shape", "lekythoi", "lekythos", True, 0.6),
        answered(2, "shape", "", "pelike", False, 0.5),
    ]
    bad = [answered(a.vase, a.dimension, "", a.truth, False) for a in good]
    found = results(base=bad, tuned=good)
    shape, whole = found["systems"]["tuned"]["shape"], found["systems"]["tuned"]["all"]
    assert shape["exact"]["mean"] == pytest.approx(1 / 3) and shape["anls"]["mean"] == pytest.approx((1 + 7 / 8) / 3)
    assert found["systems"]["tuned"]["dating"]["date_iou"] is None, "one vase has no spread"
    assert (whole["right"]["num_values"], whole["right"]["num_clusters"], whole["right"]["mean"]) == (4, 3, 0.5)
    # exact of .9, and not of .6 and .5, which share no bin: |1 - .9| + .6 + .5, over 3
    assert shape["calibration_error"] == pytest.approx((0.1 + 0.6 + 0.5) / 3)
    assert found["systems"]["base"]["all"]["calibration_error"] is None, "without probabilities there is none"
    change = found["differences"]["tuned"]["right"]
    # per vase 1, 1 and 0: of the 4 sign flips of two ones, 2 reach 2
    assert (change["mean"], change["wins"], change["ties"], change["p"]) == (0.5, 2, 1, 0.5)


def test_question_results_without_the_rewards_parts_lack_right():
    found = results(base=[answered(n, "shape", "kylix", "kylix") for n in range(3)])
    assert set(found["systems"]["base"]["shape"]) == {"exact", "anls", "calibration_error"}
    assert found["differences"] == {}
