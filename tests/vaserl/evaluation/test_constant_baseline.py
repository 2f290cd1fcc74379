"""The reward of the constant answer, by hand."""

import pytest

from vaserl.evaluation.constant_baseline import ConstantBaseline, score_constant_caption
from vaserl.evaluation.constant_caption import constant_caption
from vaserl.rewards import load_scorer
from vaserl.types import DIMENSIONS, Group, ScoredGroup, Task

RECORDS = [
    {"Fabric": "ATHENIAN", "Technique": "BLACK-FIGURE", "Shape Name": "LEKYTHOS", "Date": "-525 to -475"},
    {"Fabric": "ATHENIAN", "Technique": "RED-FIGURE", "Shape Name": "LEKYTHOS", "Date": "-525 to -475"},
    {"Fabric": "CORINTHIAN", "Technique": "BLACK-FIGURE", "Shape Name": "KYLIX", "Attributed To": "LYDOS"},
]


TASKS = [
    Task(id=str(i), clip="", prompt="", dimensions=DIMENSIONS, record=record, reference="")
    for i, record in enumerate(RECORDS)
]


def scored(*indices: int) -> list[ScoredGroup]:
    """Returns the scored groups of a step with these tasks."""
    return [ScoredGroup(group=Group(task=TASKS[i], prompt_ids=(), completions=()), scores=()) for i in indices]


class Counted:
    """A pool that records the tasks it scores."""

    def __init__(self, name: str):
        self.scorer, self.scored = load_scorer([name]), []

    def score(self, groups):
        self.scored += [group.task.id for group in groups]
        return self.scorer.score_all(groups)


def test_constant_baseline_scores_each_task_once():
    pool = Counted("vaserl.rewards:vase_caption")
    baseline = ConstantBaseline(constant_caption(RECORDS), pool)
    # without references there is no bonus: the first is right in all four dimensions, the third only in technique, 0.2
    # of the 0.65 that fabric, technique, shape and attribution weigh
    assert baseline(scored(0, 2)) == {"reward/constant_baseline": pytest.approx((1 + 0.2 / 0.65) / 2)}
    # the second lacks the technique: 0.5 of 0.7
    assert baseline(scored(1, 0, 0)) == {"reward/constant_baseline": pytest.approx((0.5 / 0.7 + 1 + 1) / 3)}
    assert pool.scored == ["0", "2", "1"]


def test_constant_baseline_ends_without_stopping_the_run(capsys):
    pool = Counted("tests.fakes.rewards_for_tests:even_tokens")
    baseline = ConstantBaseline(constant_caption(RECORDS), pool)
    assert [baseline(scored(0)), baseline(scored(1))] == [{}, {}]
    assert pool.scored == ["0"]
    assert (
        "no reward/constant_baseline: reward tests.fakes.rewards_for_tests:even_tokens failed"
        in capsys.readouterr().err
    )


def test_score_constant_caption_by_hand():
    earned = score_constant_caption(constant_caption(RECORDS), TASKS, load_scorer(["vaserl.rewards:vase_caption"]))
    assert earned["fabric"] == pytest.approx(2 / 3)
    assert earned["technique"] == pytest.approx(2 / 3)
    assert earned["dating"] == 1.0  # of the two records that have a date
    assert earned["attribution"] == 0.0
    assert 0 < earned["reward"] < 1
