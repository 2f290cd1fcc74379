"""Tests the constant baseline of a step (the reward of one caption for all its vases) against numbers by hand."""

import pytest

from tests.fakes.constant_tasks import RECORDS, TASKS
from vaserl.evaluation.constant_caption import constant_caption
from vaserl.grpo.baseline import ConstantBaseline
from vaserl.rewards import load_scorer
from vaserl.types import Group, ScoredGroup


def scored(*indices: int) -> list[ScoredGroup]:
    """Returns the scored groups of a step on these tasks."""
    return [ScoredGroup(group=Group(task=TASKS[i], prompt_ids=(), completions=()), scores=()) for i in indices]


class Counted:
    """Fake rewards that record the tasks they score."""

    def __init__(self, name: str):
        self.scorer, self.tasks = load_scorer([name]), []

    def score(self, groups):
        self.tasks += [group.task.id for group in groups]
        return self.scorer.score_all(groups)


def test_constant_baseline_scores_each_task_once():
    rewards = Counted("vaserl.rewards:vase_caption")
    baseline = ConstantBaseline(constant_caption(RECORDS))
    # without references no bonus: the first is right in all four, the third in its technique's 0.2 of the 0.65 that
    # fabric, technique, shape and attribution weigh; its fabric is wrong and costs 0.25 of 0.2
    assert baseline.metrics(scored(0, 2), rewards) == {"reward/constant_baseline": pytest.approx((1 + 0.15 / 0.65) / 2)}
    # the second lacks the technique: 0.5 of 0.7
    assert baseline.metrics(scored(1, 0, 0), rewards) == {
        "reward/constant_baseline": pytest.approx((0.5 / 0.7 + 1 + 1) / 3)
    }
    assert rewards.tasks == ["0", "2", "1"]


def test_constant_baseline_ends_when_a_reward_needs_tokens(capsys):
    rewards = Counted("tests.fakes.rewards_for_tests:even_tokens")
    baseline = ConstantBaseline(constant_caption(RECORDS))
    assert [baseline.metrics(scored(0), rewards), baseline.metrics(scored(1), rewards)] == [{}, {}]
    assert rewards.tasks == ["0"]
    message = capsys.readouterr().err
    assert "warning: reward tests.fakes.rewards_for_tests:even_tokens failed" in message
    assert message.endswith("the run goes on without the metric reward/constant_baseline.\n")
