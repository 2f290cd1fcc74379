"""Tests which checkpoints are kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaserl.runs.checkpoint.retention import Retention, steps_to_delete


def unvalidated(*steps: int) -> dict[int, dict[str, float]]:
    return {step: {} for step in steps}


def test_keep_last_keeps_the_newest():
    assert steps_to_delete(Retention(keep_last=2), unvalidated(1, 2, 3, 10)) == [1, 2]
    assert steps_to_delete(Retention(keep_last=2), unvalidated(1)) == []
    assert steps_to_delete(Retention(keep_last=1), {}) == []


def test_keep_every_keeps_multiples():
    assert steps_to_delete(Retention(keep_last=1, keep_every=5), unvalidated(4, 5, 9, 10, 11)) == [4, 9]


def test_best_is_the_largest_and_the_earliest_of_equals():
    metrics = {1: {"caption": 0.2}, 2: {"caption": 0.4, "length": 9.0}, 3: {"caption": 0.4}, 4: {}, 5: {"length": 9.5}}
    assert steps_to_delete(Retention(keep_last=1, best_metric="caption"), metrics) == [1, 3, 4]
    assert steps_to_delete(Retention(keep_last=1, best_metric="length"), metrics) == [1, 2, 3, 4]
    assert steps_to_delete(Retention(keep_last=1, best_metric="other"), metrics) == [1, 2, 3, 4]
    assert steps_to_delete(Retention(keep_last=1), metrics) == [1, 2, 3, 4]


def test_pinned_steps_stay():
    assert steps_to_delete(Retention(keep_last=1, pinned=frozenset({2, 99})), unvalidated(1, 2, 3)) == [1]


def test_keep_last_of_zero_is_refused():
    with pytest.raises(ValueError, match="keep_last must be at least 1"):
        Retention(keep_last=0)


@given(steps=st.sets(st.integers(1, 60), min_size=1), keep_last=st.integers(1, 5), keep_every=st.integers(0, 7))
def test_newest_steps_are_never_deleted(steps: set[int], keep_last: int, keep_every: int):
    deleted = steps_to_delete(Retention(keep_last=keep_last, keep_every=keep_every), unvalidated(*steps))
    left = sorted(steps - set(deleted))
    assert left[-keep_last:] == sorted(steps)[-keep_last:]
    assert all(step % keep_every for step in deleted if keep_every)
