"""Tests Holm's correction, power, agreement and calibration against numbers by hand and published examples."""

import numpy as np
import pytest
from scipy import optimize, stats

from vaserl.statistics.agreement import krippendorff_alpha
from vaserl.statistics.calibration import expected_calibration_error
from vaserl.statistics.multiplicity import holm
from vaserl.statistics.power import detectable_share_difference

NAN = np.nan


def test_holm_by_hand():
    # sorted .01 .03 .04: .01 · 3, .03 · 2, and .04 · 1 is raised to the .06 before it
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


@pytest.mark.parametrize("discordant", [0.1, 0.3, 0.5])
def test_detectable_share_difference_solves_its_equation(discordant: float):
    q = stats.norm.ppf(0.975) + stats.norm.ppf(0.8)
    expected = optimize.brentq(lambda x: x * x - q * q * (discordant - x * x) / 96, 0, 1)
    assert detectable_share_difference(96, discordant) == pytest.approx(expected)


def test_detectable_share_difference_is_at_most_the_discordant_share():
    assert detectable_share_difference(4, 0.1) == 0.1


def test_krippendorff_alpha_of_the_published_example():
    # Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section D: interval scale .849
    ratings = [
        [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
        [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
        [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
        [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
    ]
    assert krippendorff_alpha(np.array(ratings)) == pytest.approx(0.849, abs=5e-4)


def test_krippendorff_alpha_at_its_bounds():
    assert krippendorff_alpha(np.array([[1, 2, 3], [1, 2, 3]])) == 1.0
    assert np.isnan(krippendorff_alpha(np.array([[2, 2], [2, 2]])))
    with pytest.raises(ValueError, match="two raters"):
        krippendorff_alpha(np.array([[1, NAN], [NAN, 2]]))


def test_expected_calibration_error_by_hand():
    # bin [.8, .9): .81 right, .85 wrong: |1 - 1.66| = .66; bin [.2, .3): .2 right: |1 - .2| = .8; over 3 answers
    assert expected_calibration_error([0.81, 0.85, 0.2], [True, False, True]) == pytest.approx((0.66 + 0.8) / 3)
    assert expected_calibration_error([1.0, 0.0], [True, False]) == 0.0


def test_expected_calibration_error_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match="between 0 and 1"):
        expected_calibration_error([1.2], [True])
    with pytest.raises(ValueError, match="at least one"):
        expected_calibration_error([], [])
