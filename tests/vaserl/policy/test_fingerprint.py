"""Tests the check of published weights by the log-probabilities of a probe text, with numbers by hand."""

import math

import pytest

from vaserl.errors import NonFiniteError, ParityError
from vaserl.policy.fingerprint import FingerprintGate, check_served, mean_gap, probe_ids
from vaserl.types import UNVOUCHED, Fingerprint


def fingerprint(*logprobs: float) -> Fingerprint:
    return Fingerprint(token_ids=tuple(range(len(logprobs) + 1)), logprobs=logprobs)


def test_fingerprint_gate_returns_the_worst_engines_mean_gap():
    gate = FingerprintGate(0.5)
    assert gate.check(1, fingerprint(-1.0, -2.0), [(-1.0, -2.0), (-1.2, -1.6)]) == pytest.approx(0.3)


def test_fingerprint_gate_names_an_engine_above_the_limit():
    words = r"engine 1 does not serve version 7 .* is -1\.400000, .* is -1\.500000.* 3\.00e-01; .* limit is 2\.50e-01"
    with pytest.raises(ParityError, match=words):
        FingerprintGate(0.25).check(7, fingerprint(-1.0, -2.0), [(-1.0, -2.0), (-1.2, -1.6)])


def test_fingerprint_gate_refuses_nan():
    with pytest.raises(ParityError):
        FingerprintGate(0.25).check(1, fingerprint(-1.0), [(math.nan,)])


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_fingerprint_gate_blames_no_engine_for_a_learner_with_nan(value: float):
    with pytest.raises(NonFiniteError, match=r"learner's .* NaN or infinite under version 1 .* model\.path"):
        FingerprintGate(0.25).check(1, fingerprint(-1.0, value), [(-1.0, value)])


def test_fingerprint_gate_refuses_an_unchanged_engine_within_the_limit():
    gate = FingerprintGate(0.25)
    gate.check(1, fingerprint(-1.0, -2.0), [(-1.1, -2.0)])
    with pytest.raises(
        ParityError, match=r"engine 0 still serves version 1 .* reports version 2: .* changed by 5\.00e-02"
    ):
        gate.check(2, fingerprint(-1.1, -2.0), [(-1.1, -2.0)])


def test_fingerprint_gate_passes_an_unchanged_engine_of_an_unchanged_learner():
    gate = FingerprintGate(0.25)
    gate.check(1, fingerprint(-1.0, -2.0), [(-1.1, -2.0)])
    assert gate.check(2, fingerprint(-1.0, -2.0), [(-1.1, -2.0)]) == pytest.approx(0.05)
    assert gate.check(3, fingerprint(-1.02, -2.0), [(-1.1, -2.0)]) == pytest.approx(0.04)


def test_fingerprint_gate_refuses_an_engine_that_drifts_away_by_small_steps():
    """Each step moves the learner by 0.01, below the 0.025 that one step must move for a verdict; three steps don't."""
    gate = FingerprintGate(0.25)
    for version in (1, 2, 3):
        gate.check(version, fingerprint(-1.0 - version / 100), [(-1.0,)])
    with pytest.raises(ParityError, match=r"still serves version 1 .* reports version 4: .* by 3\.00e-02 since"):
        gate.check(4, fingerprint(-1.04), [(-1.0,)])


def test_fingerprint_gate_refuses_an_engine_that_returns_to_an_earlier_version():
    gate = FingerprintGate(0.25)
    gate.check(1, fingerprint(-1.0), [(-1.01,)])
    gate.check(2, fingerprint(-1.1), [(-1.11,)])
    with pytest.raises(ParityError, match=r"engine 0 still serves version 1 .* reports version 3"):
        gate.check(3, fingerprint(-1.2), [(-1.01,)])


def test_check_served_names_engine_version_and_a_weight():
    check_served(0, 5, ())
    with pytest.raises(
        ParityError, match=r"engine 2 does not serve version 5 .*: 2 weight matrices .* among them q\.w"
    ):
        check_served(2, 5, ("q.w", "k.w"))


def test_fingerprint_gate_passes_unvouched_weights():
    assert math.isnan(FingerprintGate(1e-9).check(1, UNVOUCHED, [()]))


def test_mean_gap_refuses_other_lengths():
    with pytest.raises(ValueError, match="shorter"):
        mean_gap((1.0, 2.0), (1.0,))


def test_probe_ids_refuses_a_single_token():
    with pytest.raises(ValueError, match="into 1 tokens"):
        probe_ids(lambda text: [0])
