"""Tests the learning-rate schedule against numbers by hand."""

import pytest

from vaserl.policy.optimizer import learning_rate


def test_learning_rate_by_hand():
    def at(step: int, cosine: bool) -> float:
        return learning_rate(step, peak=1.0, warmup_steps=4, num_steps=12, cosine=cosine)

    assert [at(s, True) for s in (1, 4)] == [0.25, 1.0]
    assert at(8, True) == pytest.approx(0.5)  # half of the eight steps after warm-up
    assert at(12, True) == pytest.approx(0.02)
    assert at(8, False) == 1.0
