"""Tests of Cohen's kappa."""

from math import isnan

import pytest

from vaserl.statistics.kappa import cohens_kappa


def test_kappa_of_a_textbook_table():
    # both yes 20, one yes 5, other yes 10, both no 15: p = 35/50, q = (25*30 + 25*20) / 50² = 0.5, kappa = 0.4
    one = ["y"] * 25 + ["n"] * 25
    other = ["y"] * 20 + ["n"] * 5 + ["y"] * 10 + ["n"] * 15
    assert cohens_kappa(one, other) == pytest.approx(0.4)


def test_kappa_of_equal_opposite_and_constant_ratings():
    assert cohens_kappa(["a", "b"], ["a", "b"]) == 1.0
    assert cohens_kappa(["a", "b"], ["b", "a"]) == -1.0
    assert isnan(cohens_kappa(["a", "a"], ["a", "a"]))


def test_kappa_refuses_lists_of_different_lengths():
    with pytest.raises(ValueError, match="2 and 1"):
        cohens_kappa(["a", "b"], ["a"])
