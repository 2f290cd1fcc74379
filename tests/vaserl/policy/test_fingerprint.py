"""The gate on published weights, on numbers by hand."""

import math

import pytest

from vaserl.errors import ParityError
from vaserl.policy.fingerprint import FingerprintGate, mean_gap, probe_ids
from vaserl.types import UNVOUCHED, Fingerprint


def said(*logprobs: float) -> Fingerprint:
    return Fingerprint(token_ids=tuple(range(len(logprobs) + 1)), logprobs=logprobs)


def test_the_gap_is_the_worst_engines_mean():
    gate = FingerprintGate(0.5)
    assert gate.check(1, said(-1.0, -2.0), [(-1.0, -2.0), (-1.2, -1.6)]) == pytest.approx(0.3)


def test_an_engine_beyond_the_limit_is_named_with_both_numbers():
    words = r"engine 1 does not serve v7 .* is -1\.400000, the learner's -1\.500000, .* 3\.00e-01 .* limit is 2\.50e-01"
    with pytest.raises(ParityError, match=words):
        FingerprintGate(0.25).check(7, said(-1.0, -2.0), [(-1.0, -2.0), (-1.2, -1.6)])


def test_nan_does_not_pass():
    with pytest.raises(ParityError):
        FingerprintGate(0.25).check(1, said(-1.0), [(math.nan,)])


def test_an_engine_that_has_not_moved_to_the_bit_is_stale_even_within_the_limit():
    gate = FingerprintGate(0.25)
    gate.check(1, said(-1.0, -2.0), [(-1.1, -2.0)])
    with pytest.raises(ParityError, match=r"engine 0 says it serves v2, .* moved by 5\.00e-02: it kept old weights"):
        gate.check(2, said(-1.1, -2.0), [(-1.1, -2.0)])


def test_an_engine_may_stand_still_while_the_learner_does():
    gate = FingerprintGate(0.25)
    gate.check(1, said(-1.0, -2.0), [(-1.1, -2.0)])
    assert gate.check(2, said(-1.0, -2.0), [(-1.1, -2.0)]) == pytest.approx(0.05)
    assert gate.check(3, said(-1.02, -2.0), [(-1.1, -2.0)]) == pytest.approx(0.04)


def test_weights_nobody_vouches_for_pass_unchecked():
    assert math.isnan(FingerprintGate(1e-9).check(1, UNVOUCHED, [()]))


def test_answers_of_another_length_are_an_error():
    with pytest.raises(ValueError, match="shorter"):
        mean_gap((1.0, 2.0), (1.0,))


def test_a_tokenizer_that_knows_nothing_of_the_text_is_an_error():
    with pytest.raises(ValueError, match="makes 1 tokens"):
        probe_ids(lambda text: [0])
