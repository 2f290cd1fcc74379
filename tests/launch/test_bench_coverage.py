"""Tests the coverage of the evaluation's intervals and the size of its tests, on simulated benchmarks."""

import json
from pathlib import Path

import numpy as np

from launch.bench.coverage import measure_coverage, simulate


def test_measure_coverage_of_a_thousand_benchmarks():
    measured = measure_coverage(1000, 96, 7, seed=0)
    assert 0.93 <= measured["paired"]["mean"] <= 0.97
    assert measured["size"]["low"] <= 0.05 <= measured["size"]["high"]
    assert measured["naive"]["high"] < 0.90, "questions of one vase are not independent"
    assert measured["power"]["low"] > 2 * measured["size"]["high"]


def test_page_has_the_numbers_of_the_stored_measurement():
    docs = Path(__file__).parents[2] / "docs"
    page, stored = ((docs / name).read_text() for name in ("evaluation.md", "benchmarks/coverage_cpu.json"))
    for share in (json.loads(stored)[name] for name in ("paired", "bootstrap", "naive", "size", "power")):
        assert f"{share['mean']:.1%} [{share['low']:.1%}, {share['high']:.1%}]" in page


def test_simulate_has_the_true_means_and_correlated_answers():
    answers = simulate(400, 96, 7, (0.55, 0.30), np.random.default_rng(1))
    # Φ(level / √(1 + 1² + .7²)), by tables of the normal distribution
    assert np.abs(answers.mean(axis=(1, 2, 3)) - [0.6363, 0.5754]).max() < 0.005
    first, second = answers[0, :, :, 0].ravel(), answers[0, :, :, 1].ravel()
    assert np.corrcoef(first, second)[0, 1] > 0.3
