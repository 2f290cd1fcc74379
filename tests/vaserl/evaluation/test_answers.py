"""Tests the metrics of answers against numbers by hand."""

import math

import pytest

from vaserl.evaluation.answers import answer_confidence, answer_metrics, date_overlap


def test_answer_metrics_ignore_case_punctuation_and_the_question():
    found = answer_metrics("fabric", "The fabric of the vase is ATHENIAN.", "Athenian")
    assert found == {"exact": 1.0, "anls": 1.0}
    assert answer_metrics("fabric", "The of fabric the vase is ATHENIAN.", "Athenian")["exact"] == 1.0
    assert answer_metrics("shape", "neck-amphora", "Neck-Amphora.")["exact"] == 1.0


def test_answer_metrics_anls_by_hand():
    # "lekythoi" and "lekythos" differ in one of eight letters; "kylix" and "lekythos" in more than half
    assert answer_metrics("shape", "lekythoi", "lekythos") == {"exact": 0.0, "anls": pytest.approx(7 / 8)}
    assert answer_metrics("shape", "kylix", "lekythos")["anls"] == 0.0
    # a sentence with a wrong value is not similar for its template
    assert (
        answer_metrics("shape", "The shape of the vase is kylix.", "The shape of the vase is lekythos.")["anls"] == 0.0
    )


def test_answer_metrics_of_silence_are_zero():
    assert answer_metrics("dating", "", "c. 525-475 BCE") == {"exact": 0.0, "anls": 0.0, "date_iou": 0.0}
    assert answer_metrics("shape", "", "") == {"exact": 0.0, "anls": 0.0}


def test_date_overlap_by_hand():
    assert date_overlap("c. 525-475 BCE", "The date of the vase is c. 525-475 BCE.") == 1.0
    assert date_overlap("c. 500-450 BCE", "c. 525-475 BCE") == pytest.approx(25 / 75)
    assert date_overlap("c. 400-350 BCE", "c. 525-475 BCE") == 0.0
    assert date_overlap("no date", "c. 525-475 BCE") == 0.0


def test_answer_confidence_is_the_product_of_the_tokens():
    assert answer_confidence((math.log(0.5), math.log(0.4))) == pytest.approx(0.2)
    assert answer_confidence(()) is None
    assert answer_confidence((math.nan,)) is None
    assert answer_confidence((1e-9,)) == 1.0
