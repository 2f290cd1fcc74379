"""Advantages and the assembled batch, by hand and by law; the losses are in test_losses."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vaserl.grpo.advantage import advantages, credit, has_signal
from vaserl.grpo.loss import assemble
from vaserl.types import DIMENSIONS, Completion, Group, Score, ScoredGroup, Task


def test_advantages_by_hand():
    # rewards 1, 2, 3: mean 2, unbiased std 1, so -1, 0, 1 over 1.0001
    assert advantages([1.0, 2.0, 3.0]) == pytest.approx((-1 / 1.0001, 0.0, 1 / 1.0001))
    assert advantages([1.0, 2.0, 3.0], normalise=False) == pytest.approx((-1.0, 0.0, 1.0))


def test_a_group_without_variance_has_no_advantage():
    # 0.1 + 0.2 and 0.3 differ in the last bit: that is rounding, not signal
    assert advantages([0.1 + 0.2, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3]) == (0.0,) * 8
    assert advantages([0.7]) == (0.0,)
    assert not has_signal([0.5])
    assert has_signal([0.5, 0.5 + 2e-6])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_rewards_must_be_finite(bad: float):
    with pytest.raises(ValueError, match="finite"):
        advantages([0.1, bad])


@given(st.lists(st.floats(-1, 1, width=32), min_size=2, max_size=12), st.floats(-5, 5), st.floats(0.5, 4))
def test_advantages_do_not_move_with_the_level_and_keep_their_order(rewards, level, scale):
    base = advantages(rewards)
    assert sum(base) == pytest.approx(0, abs=1e-6)
    if max(rewards) - min(rewards) > 1e-3:
        shifted = advantages([r + level for r in rewards])
        assert shifted == pytest.approx(base, abs=1e-6)
        ranked = sorted(range(len(rewards)), key=lambda i: rewards[i])
        assert all(base[a] <= base[b] + 1e-12 for a, b in itertools.pairwise(ranked))


def scored(rewards: list[float], truncated: tuple[int, ...] = ()) -> ScoredGroup:
    task = Task(id="t", clip="c", prompt="p", dimensions=DIMENSIONS, record={}, reference="")
    completions = tuple(
        Completion(
            text="",
            token_ids=(1, 2),
            logprobs=(-1.0, -2.0),
            finish_reason="length" if member in truncated else "stop",
            weights_version=1,
        )
        for member in range(len(rewards))
    )
    scores = tuple(Score(total=reward, parts={}) for reward in rewards)
    return ScoredGroup(group=Group(task=task, prompt_ids=(9,), completions=completions), scores=scores)


def test_assemble_leaves_out_groups_without_signal():
    groups = [scored([1.0, 1.0]), scored([0.0, 1.0])]
    batch = assemble(groups, credit(groups), step=4)
    assert (batch.step, len(batch.groups), batch.num_loss_tokens) == (4, 1, 4)
    assert [s.advantage for s in batch.groups[0].samples] == pytest.approx([-0.70700678, 0.70700678], abs=1e-7)
    assert len(assemble(groups[:1], [(0.0, 0.0)], step=1, keep_without_signal=True).groups) == 1


def test_truncated_completions_can_be_masked_but_count_in_the_baseline():
    group = scored([0.0, 1.0, 2.0], truncated=(2,))
    found = credit([group], normalise=False)
    assert found == [(-1.0, 0.0, 1.0)]  # the mean is that of all three
    kept = assemble([group], found, step=1)
    assert (kept.num_sequences, kept.num_loss_tokens) == (3, 6)
    masked = assemble([group], found, step=1, mask_truncated=True)
    assert [s.advantage for s in masked.groups[0].samples] == [-1.0, 0.0]
    assert (masked.num_sequences, masked.num_loss_tokens) == (2, 4)  # they leave both denominators


def test_a_group_with_nothing_but_masked_completions_is_left_out():
    gone = scored([0.0, 1.0], truncated=(0, 1))
    for keep in (False, True):
        batch = assemble([gone], credit([gone]), step=1, mask_truncated=True, keep_without_signal=keep)
        assert (batch.groups, batch.num_loss_tokens, batch.num_sequences) == ((), 0, 0)
    # of this one a completion stays, but its advantage is 0: it teaches nothing
    dull = scored([1.0, 0.0, 2.0], truncated=(1, 2))
    assert assemble([dull], credit([dull]), step=1, mask_truncated=True).groups == ()
