"""GRPO's arithmetic: the batch a step learns from, and the clipped, token-normalised policy loss.

Group Relative Policy Optimization: Shao et al., arXiv 2402.03300; separate clip bounds and the token-level mean:
DAPO, Yu et al., arXiv 2503.14476; the k3 estimator of KL: Schulman, "Approximating KL divergence" (2020).

Left out on purpose: a value network, per-sequence length normalisation, several updates on one batch.

Axes: G group member, N trained tokens of a micro-batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from vaserl.advantage import advantages, credit, has_signal
from vaserl.types import Batch, PromptSamples, Sample, ScoredGroup

__all__ = ["LOG_RATIO_LIMIT", "PolicyLoss", "advantages", "assemble", "credit", "has_signal", "policy_loss"]

LOG_RATIO_LIMIT = 20.0
"""Log-ratios are held within this before exp, so that one absurd token cannot overflow a step."""


def assemble(
    scored_P: Sequence[ScoredGroup],
    credit_P_G: Sequence[Sequence[float]],
    step: int,
    *,
    keep_without_signal: bool = False,
) -> Batch:
    """Collects what the learner learns from: every completion with its advantage.

    A group of equal rewards teaches nothing and would only dilute the mean over tokens, so it is left out (and
    counted, as `zero_variance_share`) unless `keep_without_signal`, which a KL term wants.
    """
    groups = []
    for scored, credit_G in zip(scored_P, credit_P_G, strict=True):
        if not (keep_without_signal or any(credit_G)):
            continue
        samples = tuple(
            Sample(token_ids=completion.token_ids, logprobs=completion.logprobs, advantage=advantage)
            for completion, advantage in zip(scored.group.completions, credit_G, strict=True)
        )
        groups.append(PromptSamples(clip=scored.group.task.clip, prompt_ids=scored.group.prompt_ids, samples=samples))
    return Batch(step=step, groups=tuple(groups))


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLoss:
    """The loss of a micro-batch and what it is made of; the sums are over its tokens, for the caller to add up."""

    loss: torch.Tensor
    """Scalar with gradient, already divided by the whole step's number of tokens."""
    kl_sum: float
    """Sum of the k3 estimates against the reference; 0 without one."""
    ratio_sum: float
    """Sum of the importance ratios; their mean is 1 on-policy."""
    clipped_sum: float
    """Tokens whose ratio was clipped where it mattered."""
    gap_sum: float
    """Sum of |log pi - log pi_old|: learner against sampler, rounding alone when the two agree."""


def policy_loss(
    logprobs: torch.Tensor,
    old_logprobs: torch.Tensor,
    token_advantages: torch.Tensor,
    reference_logprobs: torch.Tensor | None,
    *,
    num_loss_tokens: int,
    clip_low: float,
    clip_high: float,
    beta: float,
) -> PolicyLoss:
    """sum over tokens of [ -min(rho A, clip(rho, 1 - low, 1 + high) A) + beta k3 ] / num_loss_tokens.

    logprobs, old_logprobs, token_advantages, reference_logprobs: [N].
    num_loss_tokens: trained tokens of the whole optimizer step, over all ranks and micro-batches, so that the result
    does not depend on how the step was cut up.

    k3 = exp(d) - d - 1 with d = log pi_ref - log pi. It is weighted with the ratio, which makes its gradient that of
    the KL divergence off-policy as well (TRL's `use_bias_correction_kl`).
    """
    log_ratio = (logprobs - old_logprobs).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT)
    ratio = log_ratio.exp()
    clipped = ratio.clamp(1 - clip_low, 1 + clip_high)
    objective = torch.minimum(ratio * token_advantages, clipped * token_advantages)
    per_token = -objective
    kl_sum = 0.0
    if reference_logprobs is not None:
        delta = (reference_logprobs - logprobs).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT)
        k3 = delta.exp() - delta - 1
        per_token = per_token + beta * ratio * k3
        kl_sum = float(k3.detach().sum())
    with torch.no_grad():
        was_clipped = clipped * token_advantages < ratio * token_advantages
        return_sums = (float(ratio.sum()), float(was_clipped.sum()), float(log_ratio.abs().sum()))
    return PolicyLoss(
        loss=per_token.sum() / max(num_loss_tokens, 1),
        kl_sum=kl_sum,
        ratio_sum=return_sums[0],
        clipped_sum=return_sums[1],
        gap_sum=return_sums[2],
    )
