"""Tests the draws of a step: how many tasks a refill draws, when the refills end, and the counts in the metrics."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.scored_by_hand import scored
from tests.fakes.settings import train_settings
from vaserl.grpo.draw import Draw
from vaserl.grpo.grpo import Grpo
from vaserl.types import Publication, Update

TASK = scored([0.0]).group.task
TASKS = [replace(TASK, id=str(index)) for index in range(40)]


class NoRewards:
    """Fake rewards of a run without a baseline; they must not be called."""

    def score(self, groups):
        raise AssertionError("nothing to score")


def draw_all(rounds: list[list[bool]], max_refills: int, **loss: bool) -> tuple[Draw, list[int]]:
    """Draws a step in which round k returns groups whose rewards differ where `rounds[k]` is True. Returns: the last
    draw, and the number of tasks in each round."""
    settings = train_settings(tasks_per_step=len(rounds[0]), max_refills=max_refills, loss=loss)
    grpo, sizes = Grpo(settings=settings, tasks=TASKS), []
    draw = grpo.draw(7)
    while draw.tasks:
        sizes.append(len(draw.tasks))
        lively = scored([0.0, 1.0, 1.0], truncated=(0, 1, 2) if loss else ())
        signals = rounds[draw.refill]
        draw = grpo.refill(draw, [lively if signals[i] else scored([1.0, 1.0]) for i in range(len(draw.tasks))])
    return draw, sizes


def test_grpo_refill_draws_as_many_tasks_as_are_missing():
    draw, sizes = draw_all([[True, False, False, False], [True, False, True], [True]], max_refills=5)
    assert sizes == [4, 3, 1]
    assert (len(draw.scored), len(draw.batch.groups), draw.batch.step) == (8, 4, 7)
    counts = {"refills": 2, "refilled_groups": 4, "dropped_groups": 4, "learned_completions": 12}
    assert draw.metrics(num_tasks=4) == counts
    # the advantages stand in the order of the groups drawn
    signals = [any(advantages_G) for advantages_G in draw.advantages_P_G]
    assert signals == [True, False, False, False, True, False, True, True]


@pytest.mark.parametrize(("max_refills", "expected"), [(0, [2]), (1, [2, 2]), (3, [2, 2, 2, 2])])
def test_grpo_refill_ends_though_no_group_has_signal(max_refills: int, expected: list[int]):
    draw, sizes = draw_all([[False, False]] * 5, max_refills=max_refills)
    assert sizes == expected
    assert draw.batch.groups == ()
    assert draw.metrics(num_tasks=2)["dropped_groups"] == sum(expected)


def test_grpo_refill_replaces_a_group_that_masking_empties():
    draw, sizes = draw_all([[True]] * 3, max_refills=2, mask_truncated=True)
    assert sizes == [1, 1, 1]
    assert draw.batch.groups == ()


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=6, max_size=6), st.integers(0, 5))
def test_grpo_refill_obeys_its_laws(rounds: list[list[bool]], max_refills: int):
    draw, sizes = draw_all(rounds, max_refills)
    assert len(sizes) == 1 + draw.refill <= 1 + max_refills
    assert sum(sizes) == len(draw.scored) == len(draw.advantages_P_G)
    assert len(draw.batch.groups) == sum(any(advantages_G) for advantages_G in draw.advantages_P_G) <= 5
    # it ends early only when the batch is full
    assert draw.refill == max_refills or len(draw.batch.groups) == 5


@pytest.mark.parametrize(("max_refills", "num_groups"), [(0, 1), (1, 0)])
def test_grpo_refill_keeps_a_group_for_its_kl_term_unless_a_refill_replaced_it(max_refills: int, num_groups: int):
    settings = train_settings(max_refills=max_refills, loss={"beta": 0.1})
    grpo = Grpo(settings=settings, tasks=TASKS)
    draw = grpo.draw(1)
    while draw.tasks:
        draw = grpo.refill(draw, [scored([1.0, 1.0])])
    assert len(draw.batch.groups) == num_groups


def test_grpo_refill_applies_the_length_penalty_once():
    # both tokens of each completion are soft: the penalty is 2/2 of 0.6
    settings = train_settings(
        tasks_per_step=2,
        max_refills=1,
        rollout={"max_new_tokens": 2},
        overlong={"num_tokens": 2, "penalty": 0.6},
    )
    grpo = Grpo(settings=settings, tasks=TASKS)
    draw = grpo.refill(grpo.draw(1), [scored([0.0, 1.0]), scored([1.0, 1.0])])
    draw = grpo.refill(draw, [scored([0.5, 1.0])])
    totals = [[score.total for score in group.scores] for group in draw.scored]
    assert totals == [pytest.approx(group) for group in ([-0.6, 0.4], [0.4, 0.4], [-0.1, 0.4])]


def test_grpo_tasks_are_a_function_of_seed_step_and_refill():
    def ids(seed: int, step: int, refill: int) -> list[str]:
        grpo = Grpo(settings=train_settings(seed=seed, tasks_per_step=10), tasks=TASKS)
        return [task.id for task in grpo.tasks_of(step, refill)]

    first, refill = ids(1, 2, 0), ids(1, 2, 1)
    assert ids(1, 2, 1) == refill
    assert all(other != refill for other in (ids(2, 2, 1), ids(1, 3, 1), ids(1, 2, 2), first))
    # refills have a random stream of their own: over the steps of an epoch, each task once
    assert sorted(int(name) for step in range(1, 5) for name in ids(1, step, 1)) == list(range(40))


def test_grpo_metrics_end_with_the_counts():
    grpo = Grpo(settings=train_settings(), tasks=TASKS)
    draw = grpo.refill(grpo.draw(1), [scored([0.0, 1.0])])
    update = Update(step=1, metrics={"loss": 0.5})
    published = Publication(version=1, fingerprint_gap=0.25, seconds={})
    values = grpo.metrics(draw, update, published, NoRewards())
    assert (values["reward/mean"], values["publish/fingerprint_gap"], values["loss"]) == (0.5, 0.25, 0.5)
    assert list(values)[-4:] == ["refills", "refilled_groups", "dropped_groups", "learned_completions"]


QUESTIONS = [replace(TASK, id=f"q{index}", dimensions=()) for index in range(7)]


@given(st.integers(1, 12), st.floats(0, 1), st.integers(1, 30), st.integers(0, 2))
def test_grpo_draws_the_share_of_questions_in_each_step(num_tasks: int, share: float, step: int, refill: int):
    asked = round(share * num_tasks)
    if share and not asked:
        with pytest.raises(ValueError, match="no question would be asked"):
            train_settings(tasks_per_step=num_tasks, questions={"share": share})
        return
    settings = train_settings(tasks_per_step=num_tasks, questions={"share": share})
    drawn = Grpo(settings=settings, tasks=TASKS, questions=QUESTIONS).tasks_of(step, refill)
    kinds = [task.is_question for task in drawn]
    assert (len(kinds), sum(kinds)) == (num_tasks, asked)
    for first in range(num_tasks + 1):  # a refill takes the first tasks: their share is right to less than one task
        assert abs(sum(kinds[:first]) - first * asked / num_tasks) < 1
    plain = Grpo(settings=train_settings(tasks_per_step=num_tasks), tasks=TASKS).tasks_of(step, refill)
    if not asked:
        assert drawn == plain, "a run without questions draws what it drew before there were any"


def test_grpo_draws_every_question_before_any_twice():
    settings = train_settings(tasks_per_step=4, questions={"share": 0.25})
    grpo = Grpo(settings=settings, tasks=TASKS, questions=QUESTIONS)
    asked = [task.id for step in range(1, 8) for task in grpo.tasks_of(step, 0) if task.is_question]
    assert sorted(asked) == sorted(task.id for task in QUESTIONS)


def test_grpo_metrics_tell_captions_from_questions():
    settings = train_settings(tasks_per_step=2, questions={"share": 0.5})
    caption, question = scored([0.0, 1.0]), scored([1.0, 1.0])
    question = replace(question, group=replace(question.group, task=QUESTIONS[0]))
    parts = [replace(score, parts={"answer": 0.25}) for score in question.scores]
    grpo = Grpo(settings=settings, tasks=TASKS, questions=QUESTIONS)
    draw = grpo.refill(grpo.draw(1), [caption, replace(question, scores=tuple(parts))])
    published = Publication(version=1, fingerprint_gap=0.0, seconds={})
    found = grpo.metrics(draw, Update(step=1, metrics={}), published, NoRewards())
    names = ("reward/mean", "reward/captions", "reward/questions", "reward/question/answer")
    assert [found[name] for name in names] == [0.75, 0.5, 1.0, 0.25]
    assert "reward/answer" not in found
