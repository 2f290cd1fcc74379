"""Tests of tallies, gates and certification with planted judges, whose true rates are known."""

import numpy as np
import pytest

from tests.fakes.planted_judges import PlantedJudge, biased, mesh_pairs, noisy, uniform, verdicts_of
from vaserl.judge.certification import (
    JudgedPair,
    KnownPair,
    certify,
    false_certification,
    judged_pairs,
)
from vaserl.judge.gap_curve import gap_curve
from vaserl.judge.gates import anchor_gate, base_gate, clear_gap_gate, completeness_gate, failed_gates, parse_gate
from vaserl.judge.settings import GateLimits
from vaserl.judge.tally import VerdictTally, tally

LIMITS = GateLimits()


def test_biased_judge_has_flip_rate_1_and_no_verdicts():
    found = tally(list(verdicts_of(biased(), mesh_pairs(50)).values()))
    assert found == VerdictTally(wins=0, losses=0, flips=50, unparsed=0)
    assert found.flip_rate and found.flip_rate.mean == 1.0
    assert found.win_over_consistent is None and found.p_value == 1.0
    assert not clear_gap_gate(found, LIMITS).is_passed


def test_noisy_judge_converges_to_its_rate_inside_the_interval():
    """At a true rate of 0.8, 95 % of the intervals contain it; of 40 runs at least 33 do with probability 0.999."""
    inside = []
    for seed in range(40):
        found = tally(list(verdicts_of(noisy(0.8, seed), mesh_pairs(128)).values()))
        rate = found.win_over_consistent
        assert rate is not None
        inside.append(rate.low <= 0.8 <= rate.high)
    assert sum(inside) >= 33
    many = tally(list(verdicts_of(noisy(0.8), mesh_pairs(2_000)).values())).win_over_all
    assert many is not None and many.mean == pytest.approx(0.8, abs=0.03)


def test_fair_judge_has_rate_one_half_and_passes_base_against_base():
    found = tally(list(verdicts_of(noisy(0.5), mesh_pairs(400)).values()))
    assert found.win_with_ties is not None
    assert found.win_with_ties.low <= 0.5 <= found.win_with_ties.high
    assert base_gate(found, LIMITS).is_passed


def test_the_three_rates_have_their_denominators():
    found = VerdictTally(wins=5, losses=1, flips=2, unparsed=3)
    rates = (found.win_over_all, found.win_over_consistent, found.win_with_ties)
    assert [rate.mean for rate in rates if rate] == pytest.approx([5 / 8, 5 / 6, 6 / 8])
    assert found.p_value == pytest.approx(2 * (1 + 6) / 64)


def test_base_gate_finds_a_preference_that_flips_hide():
    # 0.55 with flips as halves, but 10 of 10 consistent verdicts for one side
    hidden = VerdictTally(wins=10, losses=0, flips=90, unparsed=0)
    assert hidden.win_with_ties and hidden.win_with_ties.mean == pytest.approx(0.55)
    assert not base_gate(hidden, LIMITS).is_passed
    assert base_gate(VerdictTally(wins=6, losses=4, flips=90, unparsed=0), LIMITS).is_passed
    assert not base_gate(VerdictTally(wins=0, losses=0, flips=0, unparsed=9), LIMITS).is_passed


def test_gates_fail_at_their_limits():
    mumbling = PlantedJudge(lambda pair: "a" if int(pair[1:]) % 50 else "I think 1")
    verdicts = list(verdicts_of(mumbling, mesh_pairs(100)).values())
    assert tally(verdicts).unparsed == 2
    gates = [
        parse_gate(verdicts, LIMITS),  # 196 of 200
        completeness_gate(99, 100),
        clear_gap_gate(VerdictTally(wins=84, losses=0, flips=16, unparsed=0), LIMITS),
    ]
    assert [gate.value for gate in gates] == pytest.approx([0.98, 0.99, 0.84])
    assert failed_gates(gates) == gates
    just = VerdictTally(wins=85, losses=15, flips=0, unparsed=0)
    assert not failed_gates([completeness_gate(100, 100), clear_gap_gate(just, LIMITS)])


def test_anchor_gate_finds_drift():
    pairs = mesh_pairs(20)
    before = verdicts_of(PlantedJudge(lambda _: "a"), pairs)
    drifted = verdicts_of(PlantedJudge(lambda pair: "b" if pair in ("p00003", "p00007") else "a"), pairs)
    assert anchor_gate(before, before, LIMITS).is_passed
    found = anchor_gate(before, drifted, LIMITS)
    assert (found.value, found.is_passed) == (pytest.approx(0.9), False)
    assert anchor_gate({}, {}, LIMITS).is_passed is False  # nothing was re-judged


def _known(num: int, gap=lambda k: 0.01) -> list[KnownPair]:
    """Pairs in which mesh a is the better one."""
    return [KnownPair(pair_id=f"p{k:05d}", distance_a=0.01, distance_b=0.01 + gap(k)) for k in range(num)]


def test_consistently_wrong_judge_is_exposed():
    """A judge that is wrong on a fifth of the pairs, in both orders and with full confidence, never flips: the flip
    rate shows nothing, the truth does."""
    judge = PlantedJudge(lambda pair: "b" if uniform(pair, 1) < 0.2 else "a", lambda _: 0.99)
    pairs = mesh_pairs(600)
    verdicts = verdicts_of(judge, pairs)
    assert tally(list(verdicts.values())).flips == 0
    found = judged_pairs(_known(600), verdicts)
    rates = false_certification(found)
    assert rates.wrong and rates.wrong.low <= 0.2 <= rates.wrong.high
    certificate = certify(found, 0.05, seed=0)
    assert certificate.threshold is None and "are wrong; the bound is" in certificate.reason


def test_second_family_that_errs_independently_lowers_the_error():
    one = verdicts_of(noisy(0.85, 1), mesh_pairs(2_000))
    other = verdicts_of(noisy(0.85, 2), mesh_pairs(2_000))
    known = _known(2_000)
    alone, both = false_certification(judged_pairs(known, one)), false_certification(judged_pairs(known, one, other))
    # wrong together .15² of .15² + .85²
    expected = 0.15**2 / (0.15**2 + 0.85**2)
    assert alone.wrong and both.wrong and both.coverage
    assert alone.wrong.mean == pytest.approx(0.15, abs=0.03)
    assert both.wrong.low <= expected <= both.wrong.high
    assert both.coverage.low <= 0.15**2 + 0.85**2 <= both.coverage.high


def _drawn(rng: np.random.Generator, num: int) -> list[JudgedPair]:
    """Pairs whose winner is right with probability 0.7 + 0.3 · confidence, and a tenth of which are flips."""
    confidence = rng.random(num)
    is_right = rng.random(num) < 0.7 + 0.3 * confidence
    has_winner = rng.random(num) < 0.9
    return [
        JudgedPair(
            pair_id=str(k),
            gap=0.0,
            winner="a" if has_winner[k] else None,
            is_right=bool(is_right[k] and has_winner[k]),
            confidence=float(confidence[k]) if has_winner[k] else None,
        )
        for k in range(num)
    ]


def _true_risk(threshold: float) -> float:
    """Mean of 0.3 · (1 - confidence) over confidences from the threshold to 1."""
    return 0.3 * (1 - threshold) / 2


def test_certificate_holds_with_its_stated_probability():
    """The guarantee by simulation: of 160 certifications, at most 5 % give a threshold whose true share of wrong
    verdicts is above the limit. Were 5 % the true rate, more than 16 failures would have probability 0.003."""
    rng = np.random.default_rng(0)
    certificates = [certify(_drawn(rng, 1_200), 0.08, seed=seed) for seed in range(160)]
    given = [c for c in certificates if c.threshold is not None]
    failures = sum(_true_risk(c.threshold or 0.0) > 0.08 for c in given)
    assert len(given) >= 80  # a certificate that is never given would hold trivially
    assert failures <= 16
    # the ideal threshold is 1 - 2 · 0.08 / 0.3 = 0.467, at a coverage of 0.9 · 0.533 = 0.48
    coverage = np.mean([c.on_test.coverage.mean for c in given if c.on_test and c.on_test.coverage])
    assert 0.2 <= coverage <= 0.48


def test_thresholds_proposed_and_tested_on_the_same_pairs_would_break_the_guarantee():
    """The reason for two halves: the lowest threshold whose share of wrong verdicts is at most the limit on the
    calibration pairs themselves fails far more often than in 5 % of the draws."""
    rng = np.random.default_rng(0)
    failures = 0
    for _ in range(50):
        pairs = _drawn(rng, 1_200)
        passing = [t for t in np.linspace(0, 0.95, 39) if (w := false_certification(pairs, t).wrong) and w.mean <= 0.08]
        failures += _true_risk(min(passing)) > 0.08
    assert failures > 15


def test_certificate_without_confidences_is_of_all_winners_or_none():
    right = judged_pairs(_known(300), verdicts_of(PlantedJudge(lambda _: "a"), mesh_pairs(300)))
    certificate = certify(right, 0.05, seed=0)
    assert certificate.threshold == 1.0 and certificate.on_test and certificate.on_test.num_certified == 150
    few = certify(right[:100], 0.05, seed=0)  # 50 test pairs; 59 are needed without any error
    assert few.threshold is None and "fewer than 59 verdicts" in few.reason


def test_gap_curve_of_a_judge_that_sees_large_gaps_only():
    known = _known(120, gap=lambda k: k / 1_000)
    judge = PlantedJudge(lambda pair: "a" if int(pair[1:]) >= 60 else "1")
    bins = gap_curve(judged_pairs(known, verdicts_of(judge, mesh_pairs(120))), num_bins=4)
    assert [b.num_pairs for b in bins] == [30] * 4
    assert [b.undecided.mean for b in bins] == [1, 1, 0, 0]
    assert bins[0].right is None and bins[3].right and bins[3].right.mean == 1.0
    assert (bins[2].low, bins[2].high) == pytest.approx((0.06, 0.089))
    assert gap_curve([]) == []
