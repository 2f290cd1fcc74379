"""Advantages by hand, the loss by hand, and the loss against TRL's own."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vaserl.grpo import advantages, assemble, credit, has_signal, policy_loss
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


def scored(rewards: list[float]) -> ScoredGroup:
    task = Task(id="t", clip="c", prompt="p", dimensions=DIMENSIONS, record={}, reference="")
    completions = tuple(
        Completion(text="", token_ids=(1, 2), logprobs=(-1.0, -2.0), finish_reason="stop", weights_version=1)
        for _ in rewards
    )
    scores = tuple(Score(total=reward, parts={}) for reward in rewards)
    return ScoredGroup(group=Group(task=task, prompt_ids=(9,), completions=completions), scores=scores)


def test_assemble_leaves_out_groups_without_signal():
    groups = [scored([1.0, 1.0]), scored([0.0, 1.0])]
    batch = assemble(groups, credit(groups), step=4)
    assert (batch.step, len(batch.groups), batch.num_loss_tokens) == (4, 1, 4)
    assert [s.advantage for s in batch.groups[0].samples] == pytest.approx([-0.70700678, 0.70700678], abs=1e-7)
    assert len(assemble(groups[:1], [(0.0, 0.0)], step=1, keep_without_signal=True).groups) == 1


def loss_of(log_ratio: float, advantage: float, reference_gap: float | None = None, **changes):
    old = torch.tensor([-2.0])
    logp = (old + log_ratio).requires_grad_()
    reference = None if reference_gap is None else logp.detach() + reference_gap
    settings = {"num_loss_tokens": 1, "clip_low": 0.2, "clip_high": 0.28, "beta": 0.0} | changes
    result = policy_loss(logp, old, torch.tensor([advantage]), reference, **settings)
    result.loss.backward()
    return result, float(logp.grad)


def test_clip_by_hand():
    # ratio 2, A = 1: clipped at 1.28, no gradient
    result, gradient = loss_of(math.log(2), 1.0)
    assert (result.loss.item(), gradient, result.clipped_sum) == (pytest.approx(-1.28), 0.0, 1.0)
    # ratio 2, A = -1: the pessimistic side is the unclipped one, so it still learns
    result, gradient = loss_of(math.log(2), -1.0)
    assert (result.loss.item(), gradient, result.clipped_sum) == (pytest.approx(2.0), pytest.approx(2.0), 0.0)
    # ratio 1/2, A = -1: clipped at 0.8
    result, gradient = loss_of(-math.log(2), -1.0)
    assert (result.loss.item(), gradient, result.clipped_sum) == (pytest.approx(0.8), 0.0, 1.0)


def test_k3_by_hand():
    # on-policy, log pi_ref - log pi = 0.5: k3 = e^0.5 - 0.5 - 1 = 0.148721; the loss is -A + beta k3
    result, gradient = loss_of(0.0, 1.0, reference_gap=0.5, beta=0.1)
    assert result.kl_sum == pytest.approx(0.1487213, abs=1e-6)
    assert result.loss.item() == pytest.approx(-1 + 0.01487213, abs=1e-6)
    # d/dlogp of ratio * k3 at ratio 1 is k3 + (1 - e^0.5) = -0.5
    assert gradient == pytest.approx(-1 + 0.1 * -0.5, abs=1e-6)


def test_an_absurd_ratio_overflows_nothing():
    result, gradient = loss_of(500.0, -1.0)
    assert math.isfinite(result.loss.item())
    assert math.isfinite(gradient)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=5), st.data())
def test_the_loss_does_not_depend_on_how_a_step_is_cut(lengths, data):
    total = sum(lengths)
    g = torch.Generator().manual_seed(total)
    logp, old, credit, ref = (torch.randn(total, generator=g, dtype=torch.float64) * 0.3 for _ in range(4))
    common = {"num_loss_tokens": total, "clip_low": 0.2, "clip_high": 0.28, "beta": 0.1}
    whole = policy_loss(logp, old, credit, ref, **common).loss
    cut = data.draw(st.integers(0, total))
    parts = [
        policy_loss(*(t[s] for t in (logp, old, credit, ref)), **common).loss for s in (slice(cut), slice(cut, total))
    ]
    assert float(sum(parts)) == pytest.approx(float(whole), abs=1e-12)
