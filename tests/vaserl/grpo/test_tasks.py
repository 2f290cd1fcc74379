"""Tests which tasks a step draws."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaserl.errors import UserError
from vaserl.grpo.tasks import draw_items


@given(st.integers(1, 20), st.integers(1, 9), st.integers(0, 3))
def test_draw_items_draws_every_item_once_before_any_twice(num_items, num_per_step, seed):
    items = list(range(num_items))
    num_steps = 3 * num_items // num_per_step + 2
    stream = [
        item
        for step in range(1, num_steps)
        for item in draw_items(items, num_per_step=num_per_step, seed=seed, step=step)
    ]
    for start in range(0, len(stream) - num_items + 1, num_items):
        assert sorted(stream[start : start + num_items]) == items


def test_draw_items_is_a_function_of_seed_and_step():
    items = list(range(50))
    assert draw_items(items, num_per_step=8, seed=1, step=5) == draw_items(items, num_per_step=8, seed=1, step=5)
    assert draw_items(items, num_per_step=8, seed=1, step=5) != draw_items(items, num_per_step=8, seed=2, step=5)


def test_draw_items_refuses_an_empty_data_set():
    with pytest.raises(UserError, match="data set is empty"):
        draw_items([], num_per_step=2, seed=0, step=1)
