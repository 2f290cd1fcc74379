"""Tests every variant of the loss against numbers by hand, and that it does not depend on how a step is cut.

`test_loss_against_trl` compares them with TRL."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from vaserl.grpo.loss import PolicyLoss, policy_loss
from vaserl.grpo.variants import VARIANTS, k3, sequence_mean, token_weights
from vaserl.settings import LossSettings

NAMES = sorted(VARIANTS)


def settings_of(variant: str, **changes) -> LossSettings:
    return LossSettings(**{"variant": variant} | ({"token_budget": 8} if variant == "dr_grpo" else {}) | changes)


def loss_of(
    log_ratios: list[float],
    advantage: float,
    settings: LossSettings,
    *,
    lengths: list[int] | None = None,
    reference_gap: float | None = None,
) -> tuple[PolicyLoss, list[float]]:
    """Returns the loss and gradient of a step of these completions. Each token's log-probability differs from the
    engine's, which is -2, by the given log-ratio."""
    engine = torch.full((len(log_ratios),), -2.0, dtype=torch.float64)
    logprobs = (engine + torch.tensor(log_ratios, dtype=torch.float64)).requires_grad_()
    reference = None if reference_gap is None else logprobs.detach() + reference_gap
    lengths = lengths or [len(log_ratios)]
    advantages = torch.full((len(lengths),), advantage, dtype=torch.float64)
    totals = {"num_tokens": len(log_ratios), "num_sequences": len(lengths)}
    result = policy_loss(logprobs, engine, advantages, reference, lengths, loss=settings, **totals)
    result.loss.backward()
    return result, logprobs.grad.tolist()


DOUBLE, HALF = math.log(2), -math.log(2)


def test_clipped_by_hand():
    dapo = LossSettings()
    assert (dapo.variant, dapo.clip_low, dapo.clip_high) == ("dapo", 0.2, 0.28)
    # ratio 2, A = 1: clipped at 1.28, no gradient
    result, gradient = loss_of([DOUBLE], 1.0, dapo)
    assert (result.loss.item(), gradient, result.sums["clipped"]) == (pytest.approx(-1.28), [0.0], 1.0)
    # ratio 2, A = -1: the pessimistic side is the unclipped one, so it still learns
    result, gradient = loss_of([DOUBLE], -1.0, dapo)
    assert (result.loss.item(), gradient, result.sums["clipped"]) == (pytest.approx(2), [pytest.approx(2)], 0.0)
    # ratio 1/2, A = -1: clipped at 0.8
    result, gradient = loss_of([HALF], -1.0, dapo)
    assert (result.loss.item(), gradient, result.sums["clipped"]) == (pytest.approx(0.8), [0.0], 1.0)
    # with one bound for both sides, ratio 2 is held at 1.2
    assert loss_of([DOUBLE], 1.0, settings_of("grpo"))[0].loss.item() == pytest.approx(-1.2)


def test_clipped_cap_of_a_bad_token_by_hand():
    capped = LossSettings(ratio_cap=3.0)
    # ratio 8, A = -1: 8 without the cap; 3 with it, and no gradient left
    assert loss_of([3 * DOUBLE], -1.0, LossSettings())[0].loss.item() == pytest.approx(8)
    result, gradient = loss_of([3 * DOUBLE], -1.0, capped)
    assert (result.loss.item(), gradient, result.sums["clipped"]) == (pytest.approx(3), [0.0], 1.0)
    # ratio 2 is below the cap, and with A > 0 the cap has no effect
    assert loss_of([DOUBLE], -1.0, capped)[0].loss.item() == pytest.approx(2)
    assert loss_of([3 * DOUBLE], 1.0, capped)[0].loss.item() == pytest.approx(-1.28)


@given(st.floats(-4, 4), st.floats(-3, 3).filter(lambda a: abs(a) > 1e-3), st.floats(1.5, 6))
def test_clipped_cap_is_the_dual_clip(log_ratio: float, advantage: float, cap: float):
    """Compares with Ye et al., equation 5: max(min(rho A, clip(rho) A), c A) where A < 0."""
    ratio = math.exp(log_ratio)
    expected = min(ratio * advantage, min(max(ratio, 0.8), 1.28) * advantage)
    if advantage < 0:
        expected = max(expected, cap * advantage)
    found, _ = loss_of([log_ratio], advantage, LossSettings(ratio_cap=cap))
    assert found.loss.item() == pytest.approx(-expected, rel=1e-9)


def test_capped_gradient_of_cispo_by_hand():
    """Checks -min(rho, 5) A log pi, where the ratio rho has no gradient. The cap is absolute, not 1 + 5."""
    cispo = settings_of("cispo")
    # ratio 2, log pi = -2 + log 2, A = -1
    result, gradient = loss_of([DOUBLE], -1.0, cispo)
    assert result.loss.item() == pytest.approx(2 * (-2 + DOUBLE))
    assert (gradient, result.sums["clipped"]) == ([pytest.approx(2)], 0.0)
    # ratio 8: the weight is 5, and the token still learns
    result, gradient = loss_of([3 * DOUBLE], 1.0, cispo)
    assert (gradient, result.sums["clipped"]) == ([pytest.approx(-5)], 1.0)
    # no lower bound
    assert loss_of([3 * HALF], 1.0, cispo)[1] == [pytest.approx(-1 / 8)]


def test_policy_loss_of_gspo_by_hand():
    gspo = settings_of("gspo", clip_low=0.2, clip_high=0.28)
    # log-ratios 0.3 and -0.1: their mean 0.1 is the completion's, e^0.1 = 1.105 is within the clip for both tokens,
    # though e^0.3 = 1.35 by itself would not be; d/dlogp_t = -A s / length
    result, gradient = loss_of([0.3, -0.1], 1.0, gspo)
    s = math.exp(0.1)
    assert result.loss.item() == pytest.approx(-s)
    assert gradient == pytest.approx([-s / 2, -s / 2])
    assert result.sums["ratio"] == pytest.approx(2 * s)
    # mean 0.3: both tokens are clipped, the one that did not move with the other
    result, gradient = loss_of([0.6, 0.0], 1.0, gspo)
    assert (result.loss.item(), gradient, result.sums["clipped"]) == (pytest.approx(-1.28), [0.0, 0.0], 2.0)


def test_token_weights_by_hand():
    """Uses completions of 3 tokens and 1 token in a step of 10 tokens and 4 completions, with a budget of 8 tokens."""
    weights = {
        normalisation: token_weights(normalisation, [3, 1], num_tokens=10, num_sequences=4, token_budget=8)
        for normalisation in ("token", "sequence", "constant")
    }
    assert weights == {
        "token": [1 / 10, 1 / 10],
        "sequence": [1 / 12, 1 / 4],
        "constant": [1 / 32, 1 / 32],
    }
    with pytest.raises(ValueError, match="token_budget"):
        token_weights("constant", [3, 1], num_tokens=10, num_sequences=4, token_budget=None)
    # on-policy with A = -1 a loss is the sum of its weights: a mean of 1 but for the constant, 4 tokens of 2 x 8
    sums = {name: loss_of([0.0] * 4, -1.0, settings_of(name), lengths=[3, 1])[0].loss.item() for name in NAMES}
    assert sums == {name: pytest.approx(1) for name in NAMES} | {
        "dr_grpo": pytest.approx(4 / 16),
        "cispo": pytest.approx(-2),  # its value is log pi
    }


def test_sequence_mean_accepts_empty_completions():
    values = torch.tensor([1.0, 3.0, 5.0])
    assert sequence_mean(values, [2, 0, 1]).tolist() == [2.0, 2.0, 5.0]
    assert sequence_mean(values[:0], []).tolist() == []


def test_k3_by_hand():
    # on-policy, log pi_ref - log pi = 0.5: k3 = e^0.5 - 0.5 - 1 = 0.148721; the loss is -A + beta k3
    result, gradient = loss_of([0.0], 1.0, LossSettings(beta=0.1), reference_gap=0.5)
    assert result.sums["kl"] == pytest.approx(0.1487213, abs=1e-6)
    assert result.loss.item() == pytest.approx(-1 + 0.01487213, abs=1e-6)
    # d/dlogp of ratio * k3 at ratio 1 is k3 + (1 - e^0.5) = -0.5
    assert gradient == [pytest.approx(-1 + 0.1 * -0.5, abs=1e-6)]
    assert "kl" not in loss_of([0.0], 1.0, LossSettings())[0].sums


def test_k3_estimates_the_divergence():
    """Checks that the mean of k3 over all tokens, each weighted with its probability, is exactly the KL divergence."""
    p, q = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64), torch.tensor([0.2, 0.2, 0.6], dtype=torch.float64)
    assert float((p * k3(p.log(), q.log())).sum()) == pytest.approx(float((p * (p / q).log()).sum()), abs=1e-12)


def test_policy_loss_importance_weights_by_hand():
    """Takes the ratio against the learner's own log-probabilities, so that it is 1. exp(learner - engine) then weights
    the policy term only."""
    learner = LossSettings(old_logprobs="learner", beta=0.1)
    assert (learner.importance_cap, learner.clip_low, learner.ratio_cap) == (2.0, None, None)
    # weights 8 -> 2, 1/8 and 1; A = 1, so each token's gradient is -w / 3; k3 is e^0.5 - 1.5, its gradient -0.5
    result, gradient = loss_of([3 * DOUBLE, 3 * HALF, 0.0], 1.0, learner, reference_gap=0.5)
    assert gradient == pytest.approx([(-w - 0.1 * 0.5) / 3 for w in (2, 1 / 8, 1)])
    assert result.loss.item() == pytest.approx(-(2 + 1 / 8 + 1) / 3 + 0.1 * 0.1487213, abs=1e-6)
    assert (result.sums["engine_truncated"], result.sums["ratio"], result.sums["clipped"]) == (1, 3, 0)


@pytest.mark.parametrize("old_logprobs", ["engine", "learner"])
def test_policy_loss_measures_the_engine_with_either_old_policy(old_logprobs: str):
    result, _ = loss_of([DOUBLE, HALF], 1.0, LossSettings(old_logprobs=old_logprobs))
    assert result.sums["engine_ratio"] == pytest.approx(2.5)
    assert result.sums["logprob_gap"] == pytest.approx(2 * DOUBLE)
    # k3 of both: (2 - log 2 - 1) + (1/2 + log 2 - 1) = 1/2
    assert result.sums["engine_kl"] == pytest.approx(0.5)
    assert result.sums["engine_missing"] == 0
    assert ("engine_truncated" in result.sums) == (old_logprobs == "learner")


@pytest.mark.parametrize("old_logprobs", ["engine", "learner"])
@pytest.mark.parametrize("variant", NAMES)
@pytest.mark.parametrize("missing", [math.nan, -math.inf])
def test_policy_loss_counts_a_token_without_engine_logprob_as_on_policy(
    variant: str, old_logprobs: str, missing: float
):
    loss = settings_of(variant, old_logprobs=old_logprobs)
    logprobs = torch.tensor([-1.0, -2.0], requires_grad=True)
    engine = torch.tensor([missing, -2.0])
    totals = {"num_tokens": 2, "num_sequences": 1}
    result = policy_loss(logprobs, engine, torch.tensor([1.0]), None, [2], loss=loss, **totals)
    result.loss.backward()
    expected = 1 / 8 if variant == "dr_grpo" else 1 / 2
    assert logprobs.grad.tolist() == pytest.approx([-expected, -expected])
    assert (result.sums["engine_missing"], result.sums["logprob_gap"], result.sums["engine_ratio"]) == (1, 0, 2)


@pytest.mark.parametrize("old_logprobs", ["engine", "learner"])
@pytest.mark.parametrize("log_ratio", [500.0, -500.0])
@pytest.mark.parametrize("variant", NAMES)
def test_policy_loss_does_not_overflow_on_an_extreme_ratio(variant: str, log_ratio: float, old_logprobs: str):
    loss = settings_of(variant, beta=0.1, old_logprobs=old_logprobs)
    result, gradient = loss_of([log_ratio, 0.0], -1.0, loss, reference_gap=-log_ratio)
    assert all(map(math.isfinite, [result.loss.item(), *gradient, *result.sums.values()]))
    assert result.sums["engine_ratio"] <= math.exp(20) + 1


@pytest.mark.parametrize("lengths", [[], [0], [0, 0]])
@pytest.mark.parametrize("variant", NAMES)
def test_policy_loss_of_a_step_without_tokens_is_zero(variant: str, lengths: list[int]):
    nothing = torch.zeros(0, requires_grad=True)
    loss = settings_of(variant, beta=0.1)
    totals = {"num_tokens": 0, "num_sequences": 0}
    result = policy_loss(nothing, nothing.detach(), torch.ones(len(lengths)), nothing, lengths, loss=loss, **totals)
    result.loss.backward()
    assert result.loss.item() == 0
    assert set(result.sums.values()) == {0.0}


@pytest.mark.parametrize("variant", NAMES)
def test_policy_loss_without_advantage_has_no_gradient(variant: str):
    assert loss_of([0.3, -0.2], 0.0, settings_of(variant))[1] == [0.0, 0.0]


@given(
    st.sampled_from(NAMES),
    st.sampled_from(["engine", "learner"]),
    st.lists(st.integers(0, 6), min_size=1, max_size=6),
    st.data(),
)
def test_policy_loss_does_not_depend_on_how_a_step_is_cut(variant, old_logprobs, lengths, data):
    """Checks that losses, gradients and metrics of the parts of a step, in any order, add up to those of the whole
    step."""
    total = sum(lengths)
    g = torch.Generator().manual_seed(total)
    logprobs, engine, ref = (torch.randn(total, generator=g, dtype=torch.float64) * 0.4 - 1 for _ in range(3))
    advantages = torch.randn(len(lengths), generator=g, dtype=torch.float64)
    loss = settings_of(variant, beta=0.1, old_logprobs=old_logprobs)
    totals = {"num_tokens": total, "num_sequences": sum(n > 0 for n in lengths)}
    starts = [sum(lengths[:i]) for i in range(len(lengths))]

    def part(members: list[int]):
        leaf = logprobs.clone().requires_grad_()
        at = torch.tensor([t for m in members for t in range(starts[m], starts[m] + lengths[m])], dtype=torch.long)
        result = policy_loss(
            leaf[at], engine[at], advantages[members], ref[at], [lengths[m] for m in members], loss=loss, **totals
        )
        result.loss.backward()
        return float(result.loss.detach()), leaf.grad, result.sums

    order = data.draw(st.permutations(range(len(lengths))))
    cut = data.draw(st.integers(0, len(lengths)))
    parts = [part(members) for members in (order[:cut], order[cut:]) if members]
    whole_loss, whole_gradient, whole_sums = part(list(range(len(lengths))))
    assert sum(p[0] for p in parts) == pytest.approx(whole_loss, abs=1e-12)
    assert torch.allclose(sum(p[1] for p in parts), whole_gradient, rtol=0, atol=1e-12)
    for name, value in whole_sums.items():
        assert sum(p[2][name] for p in parts) == pytest.approx(value, abs=1e-9)
