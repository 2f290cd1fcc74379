"""Tests the predictions of `launch plan` against our own measurements, and the tables of docs/planning.md."""

import pytest

from launch.plan_errors import HELD_OUT, Comparison, comparisons
from launch.plan_page import PAGE, written

LIMITS = {"cpu": 0.25, "h200": 0.15}
"""Largest relative error of a prediction, by the device in the file's name."""


@pytest.mark.parametrize("each", comparisons(), ids=lambda each: f"{each.file}-{each.quantity}")
def test_predictions_are_near_the_measurements(each: Comparison):
    assert abs(each.error) <= next(limit for device, limit in LIMITS.items() if device in each.file)


def test_comparisons_contain_measurements_that_were_not_fitted():
    assert {each.file for each in comparisons() if each.is_held_out} == set(HELD_OUT)


def test_page_has_the_tables_that_the_code_computes():
    page = PAGE.read_text(encoding="utf-8")
    assert written(page) == page, "run python -m launch.plan_page"
