"""Tests that the loops go on after a step that was not applied, stop after several in a row, and name the cause."""

import math

import pytest
import torch

from tests.fakes.causal_parts import Engines, Learner, Recorder, Rewards, grpo_of
from vaserl.errors import NonFiniteError
from vaserl.grpo.checks import NonFiniteGuard
from vaserl.grpo.idle import IdleSteps
from vaserl.grpo.loop import train
from vaserl.grpo.loop_ahead import train_ahead
from vaserl.grpo.loss_fault import loss_fault
from vaserl.types import Update

FAULT = "an advantage is infinite"


class FaultyLearner(Learner):
    """A learner that can't apply the steps in `faulty`."""

    def __init__(self, faulty: set[int]):
        super().__init__()
        self._faulty = faulty

    def learn(self, batch, loss, temperature):
        if batch.step not in self._faulty:
            return super().learn(batch, loss, temperature)
        return Update(step=batch.step, metrics={"loss": math.nan, "skipped": 1.0, "nonfinite": 1.0}, nonfinite=FAULT)


@pytest.mark.parametrize("max_staleness", [None, 1])
def test_loop_records_the_steps_that_were_not_applied_and_stops_after_three_in_a_row(max_staleness, capsys):
    recorder, loop = Recorder(), train if max_staleness is None else train_ahead
    grpo = grpo_of(9, 0, max_staleness)
    with pytest.raises(
        NonFiniteError, match=r"the last 3 steps .*max_nonfinite_steps.*; in step 7, an advantage is inf"
    ):
        loop(grpo, Engines(), Rewards(), FaultyLearner({2, 3, 5, 6, 7}), recorder)
    recorded = [line[0] for line in recorder.lines if len(line) == 2]
    assert recorded == [1, 2, 3, 4, 5, 6, 7]  # also the last one, which is the evidence
    said = [line for line in capsys.readouterr().err.splitlines() if "was not applied" in line]
    assert [line.split()[1] for line in said] == ["2", "3", "5", "6", "7"]
    assert FAULT in said[0] and "1 in a row; the run stops at 3" in said[0]


def test_nonfinite_guard_counts_across_steps_without_a_batch():
    guard = NonFiniteGuard(2)
    faulty = Update(step=1, metrics={"skipped": 1.0}, nonfinite=FAULT)
    guard.check(faulty)
    guard.check(Update(step=2, metrics={"skipped": 0.0}))
    guard.check(faulty)
    guard.check(Update(step=4, metrics={"skipped": 1.0}))  # all rewards were equal: says nothing about the learner
    with pytest.raises(NonFiniteError):
        guard.check(faulty)


@pytest.mark.parametrize("max_staleness", [None, 1])
def test_run_of_which_no_step_was_applied_does_not_end_as_trained(max_staleness):
    loop = train if max_staleness is None else train_ahead
    with pytest.raises(
        NonFiniteError, match=r"none of the run's steps was applied; in step 2, an advantage is infinite"
    ):
        loop(grpo_of(2, 0, max_staleness), Engines(), Rewards(), FaultyLearner({1, 2}), Recorder())
    loop(grpo_of(3, 0, max_staleness), Engines(), Rewards(), FaultyLearner({2, 3}), Recorder())  # the first one was


@pytest.mark.parametrize(
    ("loss", "logprobs", "advantages", "words"),
    [
        (math.nan, [-1.0, -2.0], [0.5, -1e39], "an advantage of size 1e+39 is beyond float32"),
        (math.nan, [-1.0, math.nan], [0.5], "1 of 2 log-probabilities are NaN or infinite"),
        (
            math.inf,
            [-1.0, -2.0],
            [3e38],
            "every input is finite, but the sum overflows float32 (largest advantage 3e+38)",
        ),
    ],
)
def test_loss_fault_names_the_input(loss: float, logprobs: list[float], advantages: list[float], words: str):
    message = loss_fault(loss, {"log-probabilities": torch.tensor(logprobs)}, advantages)
    assert message.startswith(f"the loss is {loss}: ")
    assert words in message


def test_idle_run_does_not_count_steps_that_are_not_finite():
    """A resumed run reads its rows from metrics.jsonl, which has no loss that is NaN."""
    faulty = {"skipped": 1.0, "nonfinite": 1.0, "zero_variance_share": 0.0}
    idle = IdleSteps(1, [faulty])
    assert idle.num_idle == 0
