"""Tests of Bradley–Terry: the two-system closed form, and a planted order."""

import numpy as np
import pytest

from vaserl.statistics.bradley_terry import Match, bradley_terry, log_strengths


def test_two_systems_have_the_closed_form():
    # s1 / s2 = wins / losses, each with 0.05 added: log(9.05 / 1.05), split around 0
    found = log_strengths(np.array([[0.0, 9.0], [1.0, 0.0]]))
    assert found == pytest.approx([np.log(9.05 / 1.05) / 2, -np.log(9.05 / 1.05) / 2])


def test_strengths_solve_the_likelihood_equations():
    wins = np.random.default_rng(0).integers(1, 30, (5, 5)).astype(float)
    np.fill_diagonal(wins, 0)
    s = np.exp(log_strengths(wins))
    games = wins + wins.T
    p = s[:, None] / (s[:, None] + s[None])
    prior = 0.05 * (games > 0)
    # at the maximum, each system's number of wins is the expected one
    assert (wins + prior).sum(axis=1) == pytest.approx(((games + 2 * prior) * p).sum(axis=1), rel=1e-6)


def _planted(num_items: int, strengths: dict[str, float], seed: int) -> list[Match]:
    rng = np.random.default_rng(seed)
    names = list(strengths)
    matches = []
    for item in range(num_items):
        for i, one in enumerate(names):
            for other in names[i + 1 :]:
                p = 1 / (1 + np.exp(strengths[other] - strengths[one]))
                matches.append(Match(item=f"o{item}", one=one, other=other, score=float(rng.random() < p)))
    return matches


def test_planted_order_is_recovered_at_128_objects():
    planted = {"c": 1.2, "a": 0.4, "d": -0.4, "b": -1.2}  # steps of 0.8: the neighbour wins 69 %
    found = [bradley_terry(_planted(128, planted, seed), num_resamples=100, seed=0) for seed in range(8)]
    assert all(list(ranking) == list(planted) for ranking in found)
    covered = np.mean([f[name].low <= planted[name] <= f[name].high for f in found for name in planted])
    assert covered >= 0.8  # of 32 intervals of 95 %, which aren't independent


def test_flips_are_half_wins_and_say_nothing():
    found = bradley_terry([Match(item="o", one="a", other="b", score=0.5)] * 3, num_resamples=10, seed=0)
    assert [interval.mean for interval in found.values()] == pytest.approx([0, 0])


def test_a_system_that_never_loses_has_a_finite_strength():
    found = bradley_terry([Match(item=str(k), one="a", other="b", score=1.0) for k in range(5)], seed=0)
    assert list(found) == ["a", "b"] and np.isfinite(found["a"].high)


def test_systems_that_were_never_compared_are_named():
    matches = [Match(item="o", one="a", other="b", score=1.0), Match(item="o", one="c", other="d", score=1.0)]
    with pytest.raises(ValueError, match="no comparison connects a, b with c, d"):
        bradley_terry(matches, seed=0)
    with pytest.raises(ValueError, match="no matches"):
        bradley_terry([], seed=0)
