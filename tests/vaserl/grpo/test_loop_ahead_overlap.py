"""Tests that sampling and learning overlap in the overlapped loop, with threads that must meet."""

import threading

import pytest

from tests.fakes.causal_parts import Engines, Learner, Rewards, run

PATIENCE_S = 20.0
"""Seconds that a thread waits for the other one."""


class Meetings:
    """Named barriers: two threads that wait at the same name must be there at the same time, or both fail."""

    def __init__(self, patience_s: float = PATIENCE_S):
        self._patience_s, self._lock = patience_s, threading.Lock()
        self._barriers: dict[tuple, threading.Barrier] = {}

    def __call__(self, *pair: object) -> None:
        with self._lock:
            barrier = self._barriers.setdefault(pair, threading.Barrier(2))
        barrier.wait(self._patience_s)


def meeting_parts(meet: Meetings, num_steps: int):
    """Returns fake engines, rewards and learner that meet: step k + 1 is sampled only while step k is scored, and then
    only while it is learned."""

    class MeetingEngines(Engines):
        def write(self, task, step):
            if step > 1 and task.id.endswith(".1"):
                meet("score", step - 1)
                meet("learn", step - 1)
            return super().write(task, step)

    class MeetingRewards(Rewards):
        def score(self, groups):
            step = int(groups[0].task.id.split(".")[0])
            if step < num_steps:
                meet("score", step)
            return super().score(groups)

    class MeetingLearner(Learner):
        def learn(self, batch, loss, temperature):
            if batch.step < num_steps:
                meet("learn", batch.step)
            return super().learn(batch, loss, temperature)

    return {"engines": MeetingEngines(), "rewards": MeetingRewards(), "learner": MeetingLearner()}


@pytest.mark.parametrize("bound", [1, 2])
def test_train_ahead_samples_the_next_step_while_one_is_scored_and_learned(bound: int):
    lines, _ = run(bound, 4, **meeting_parts(Meetings(), 4))
    assert lines == run(bound, 4)[0]


def test_train_ahead_without_staleness_overlaps_nothing():
    with pytest.raises(threading.BrokenBarrierError):
        run(0, 4, **meeting_parts(Meetings(patience_s=0.2), 4))


def test_train_ahead_scores_a_batch_while_the_one_before_is_learned():
    is_scored = [threading.Event() for _ in range(5)]

    class Tell(Rewards):
        def score(self, groups):
            scored = super().score(groups)
            is_scored[int(groups[0].task.id.split(".")[0])].set()
            return scored

    class Listen(Learner):
        def learn(self, batch, loss, temperature):
            assert batch.step == 4 or is_scored[batch.step + 1].wait(PATIENCE_S), "the next batch was not scored"
            return super().learn(batch, loss, temperature)

    run(1, 4, rewards=Tell(), learner=Listen())


def test_train_ahead_does_not_wait_for_a_hanging_engine_after_a_failure():
    go_on, is_writing = threading.Event(), threading.Event()

    class Hanging(Engines):
        def write(self, task, step):
            if step == 2:
                is_writing.set()
                go_on.wait(PATIENCE_S)
            return super().write(task, step)

    class Failing(Learner):
        def learn(self, batch, loss, temperature):
            is_writing.wait(PATIENCE_S)
            raise OSError("learn broke")

    try:
        with pytest.raises(OSError, match="learn broke"):
            run(1, 3, engines=Hanging(), learner=Failing())
        assert not go_on.is_set()
    finally:
        go_on.set()
