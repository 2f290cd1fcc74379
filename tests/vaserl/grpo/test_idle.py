"""Tests the count of a run's steps that train nothing."""

import pytest

from vaserl.errors import UserError
from vaserl.grpo.idle import IdleSteps

EQUAL = {"skipped": 1.0, "zero_variance_share": 1.0, "truncated_share": 0.25, "reward/mean": 0.5, "reward/std": 0.0}
CUT = {"skipped": 1.0, "zero_variance_share": 0.0, "truncated_share": 1.0, "reward/mean": 0.2, "reward/std": 0.1}
MIXED = {**CUT, "zero_variance_share": 0.5, "truncated_share": 0.75}
LEARNT = {"skipped": 0.0, "zero_variance_share": 0.5, "truncated_share": 0.0, "loss": 0.1}
PULLED_BACK = {**EQUAL, "skipped": 0.0, "loss": 0.1}
"""A step without a reward signal and loss.beta > 0: the KL term is applied, so the step is not skipped."""
NOT_FINITE = {"zero_variance_share": 0.0, "skipped": 1.0, "nonfinite": 1.0, "grad_norm": float("inf")}
"""A step with a signal that the learner skipped for its gradient; another check counts these."""


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (EQUAL, "in every group the rewards were equal (reward mean 0.5, std 0)"),
        (CUT, "all completions were cut at rollout.max_new_tokens, and loss.mask_truncated leaves cut"),
        (MIXED, "share of cut completions 0.75, of groups with equal rewards 0.5"),
        (PULLED_BACK, "in every group the rewards were equal"),
    ],
)
def test_idle_steps_stops_a_run_at_the_limit_and_says_what_the_steps_looked_like(values, words: str):
    idle = IdleSteps(3)
    idle.observe(1, values)
    idle.observe(2, values)
    with pytest.raises(UserError, match=r"step 3: the last 3 steps trained nothing: .*max_skipped_steps = 3") as error:
        idle.observe(3, values)
    assert words in str(error.value)


def test_idle_steps_shows_the_range_of_the_rewards():
    idle = IdleSteps(2)
    idle.observe(1, EQUAL)
    with pytest.raises(UserError, match=r"reward mean 0\.25 to 0\.5, std 0"):
        idle.observe(2, {**EQUAL, "reward/mean": 0.25})


def test_idle_steps_counts_steps_in_a_row_only():
    idle = IdleSteps(2)
    for step in range(1, 20):
        idle.observe(step, LEARNT if step % 2 else EQUAL)
    idle.finish()
    assert (idle.num_idle, idle.num_steps) == (9, 19)


def test_idle_steps_zero_sets_no_limit_but_a_run_that_never_learnt_is_an_error():
    idle = IdleSteps(0)
    for step in range(1, 100):
        idle.observe(step, EQUAL)
    with pytest.raises(UserError, match="none of the run's 99 steps trained anything: in every group"):
        idle.finish()


def test_idle_steps_finish_fails_for_a_run_shorter_than_the_limit():
    idle = IdleSteps(20)
    idle.observe(1, CUT)
    with pytest.raises(UserError, match="none of the run's 1 steps trained anything: all completions were cut"):
        idle.finish()


def test_idle_steps_ignores_steps_that_were_skipped_for_their_gradient():
    idle = IdleSteps(1)
    idle.observe(1, NOT_FINITE)
    idle.finish()


def test_idle_steps_counts_the_steps_before_a_resume():
    idle = IdleSteps(3, earlier=[LEARNT, EQUAL, EQUAL])
    with pytest.raises(UserError, match="step 4: the last 3 steps"):
        idle.observe(4, EQUAL)
    # a learnt step before the resume counts as well
    resumed = IdleSteps(3, earlier=[LEARNT])
    resumed.observe(2, EQUAL)
    resumed.finish()
