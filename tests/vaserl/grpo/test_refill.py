"""Refills against fakes: how many are drawn, when it ends, and what is counted."""

from dataclasses import replace
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vaserl.grpo.test_loss import scored
from vaserl.grpo.advantage import credit
from vaserl.grpo.loss import assemble
from vaserl.grpo.refill import Drawn, draw_with_signal
from vaserl.grpo.tasks import draw

TASK = scored([0.0]).group.task


def draw_from(rounds: list[list[bool]], max_refills: int, mask: bool = False) -> tuple[Drawn, list[int]]:
    """Draws a step whose round k brings groups that teach where `rounds[k]` is True; also how many each round asked
    for."""
    asked = []

    def grade(step, tasks, refill):
        asked.append(len(tasks))
        lively = scored([0.0, 1.0, 1.0], truncated=(0, 1, 2) if mask else ())
        return [lively if rounds[refill][i] else scored([1.0, 1.0]) for i in range(len(tasks))]

    def learn_from(step, groups):
        credit_P_G = credit(groups)
        return credit_P_G, assemble(groups, credit_P_G, step, mask_truncated=mask)

    num_tasks = len(rounds[0])
    tasks = partial(lambda step, refill: [TASK] * num_tasks)
    return draw_with_signal(7, tasks, grade, learn_from, max_refills=max_refills), asked


def test_a_refill_draws_as_many_as_are_missing():
    drawn, asked = draw_from([[True, False, False, False], [True, False, True], [True]], max_refills=5)
    assert asked == [4, 3, 1]
    assert (drawn.num_refills, drawn.num_refilled) == (2, 4)
    assert (len(drawn.scored), len(drawn.batch.groups), drawn.batch.step) == (8, 4, 7)
    assert drawn.metrics == {"refills": 2, "refilled_groups": 4, "dropped_groups": 4, "learned_completions": 12}
    # the batch is of the groups in the order drawn, each with the credit that stands beside it
    assert [any(credit_G) for credit_G in drawn.credit_P_G] == [True, False, False, False, True, False, True, True]


@pytest.mark.parametrize(("max_refills", "expected"), [(0, [2]), (1, [2, 2]), (3, [2, 2, 2, 2])])
def test_refills_end_though_nothing_has_signal(max_refills: int, expected: list[int]):
    drawn, asked = draw_from([[False, False]] * 5, max_refills=max_refills)
    assert asked == expected
    assert drawn.batch.groups == ()
    assert drawn.metrics["dropped_groups"] == sum(expected)


def test_a_group_that_masking_empties_is_replaced():
    drawn, asked = draw_from([[True]] * 3, max_refills=2, mask=True)
    assert asked == [1, 1, 1]
    assert drawn.batch.groups == ()


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=6, max_size=6), st.integers(0, 5))
def test_laws_of_refills(rounds: list[list[bool]], max_refills: int):
    drawn, asked = draw_from(rounds, max_refills)
    assert len(asked) == 1 + drawn.num_refills <= 1 + max_refills
    assert sum(asked) == len(drawn.scored) == len(drawn.credit_P_G)
    assert len(drawn.batch.groups) == sum(any(credit_G) for credit_G in drawn.credit_P_G) <= 5
    # it ends early only when the batch is full
    assert drawn.num_refills == max_refills or len(drawn.batch.groups) == 5


def test_the_tasks_of_a_refill_are_a_function_of_seed_step_and_round():
    items = [replace(TASK, id=str(i)) for i in range(40)]
    of = partial(draw, items, num_per_step=10)
    first, refill = of(seed=1, step=2), of(seed=1, step=2, refill=1)
    assert of(seed=1, step=2, refill=0) == first
    assert of(seed=1, step=2, refill=1) == refill
    others = [of(seed=2, step=2, refill=1), of(seed=1, step=3, refill=1), of(seed=1, step=2, refill=2), first]
    assert all(other != refill for other in others)
    # a stream of its own: over the steps of an epoch, each item once
    assert sorted(int(t.id) for step in range(1, 5) for t in of(seed=1, step=step, refill=1)) == list(range(40))
