"""The GRPO loss of a micro-batch.

Group Relative Policy Optimization is from Shao et al., arXiv 2402.03300; its variants are in `vaserl.grpo.variants`.
The truncated importance weights, which correct for differences between engine and learner, are from Yao et al., "Your
efficient RL framework secretly brings you off-policy RL training" (2025).

Not implemented, on purpose: a value network, and several updates on one batch.

Axes: S completions of a micro-batch, N trained tokens of all these completions together.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from vaserl.grpo.variants import VARIANTS, bounded_exp, k3, sequence_mean, token_weights
from vaserl.settings import LossSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyLoss:
    """The loss of a micro-batch, and the sums from which its metrics are computed."""

    loss: torch.Tensor
    """The micro-batch's contribution to the step's loss: a scalar tensor with gradient."""
    sums: Mapping[str, float]
    """Sums over the micro-batch's tokens, by metric. The caller adds the sums of all micro-batches and divides them by
    the number of tokens of the step.

    Of the loss: "ratio", the importance ratio; "clipped", 1 for a token whose ratio the variant bounded; "kl", the
    estimate k3 of the KL divergence from the reference policy (absent without a reference policy).

    Of the difference between learner and engine before the update: "logprob_gap", |log pi - log pi_engine|;
    "engine_ratio", exp(log pi - log pi_engine); "engine_kl", k3 of KL(engine || learner); "engine_missing", 1 for a
    token without a finite logprob from the engine; "engine_truncated", 1 for a token whose importance weight was
    bounded (absent if the loss has no importance weights).
    """


def policy_loss(
    logprobs: torch.Tensor,
    engine_logprobs: torch.Tensor,
    advantages: torch.Tensor,
    reference_logprobs: torch.Tensor | None,
    lengths: Sequence[int],
    *,
    loss: LossSettings,
    num_tokens: int,
    num_sequences: int,
) -> PolicyLoss:
    """Returns the loss of a micro-batch, and the sums from which its metrics are computed.

    The loss is the sum over tokens of  weight [ w objective(rho, A) + beta rho k3 ].  `weight` and `objective` depend
    on the variant. w is an importance weight, rho the importance ratio, A the advantage, and k3 an estimate of the KL
    divergence from the reference policy.

    logprobs, engine_logprobs, reference_logprobs: [N]; advantages: [S]; lengths: [S] trained tokens of each completion.
    num_tokens, num_sequences: trained tokens and non-empty completions of the whole optimizer step, over all ranks and
    micro-batches.

    rho = exp(log pi - log pi_old). With `old_logprobs` "engine", pi_old is the engine's policy and w is 1.

    With `old_logprobs` "learner", pi_old is the learner's policy before the update. This forward pass computes it,
    because the weights do not change before the optimizer's step. w is then exp(log pi_old - log pi_engine), bounded by
    `importance_cap`; it has no gradient and multiplies the policy term only.

    k3 is weighted with the ratio, which makes its gradient that of the KL divergence off-policy as well (TRL's
    `use_bias_correction_kl`).

    Raises: ValueError for a variant that lacks its token budget.
    """
    variant = VARIANTS[loss.variant]
    current = logprobs.detach()
    is_missing = ~engine_logprobs.isfinite()
    # a missing logprob counts as on-policy, so that it can't make the step NaN
    sampled = torch.where(is_missing, current, engine_logprobs)
    engine_ratio = bounded_exp(current - sampled)

    def by_token(values_S: torch.Tensor) -> torch.Tensor:
        counts = torch.tensor(lengths, dtype=torch.long, device=values_S.device)
        return values_S.repeat_interleave(counts, output_size=len(logprobs))

    log_ratio = logprobs - (sampled if loss.old_logprobs == "engine" else current)
    ratio = bounded_exp(sequence_mean(log_ratio, lengths) if variant.sequence_ratio else log_ratio)
    per_token, was_clipped = variant.objective(logprobs, ratio, by_token(advantages), loss)
    sums = {
        "ratio": ratio.detach().sum(),
        "clipped": was_clipped.sum(),
        "logprob_gap": (current - sampled).abs().sum(),
        "engine_ratio": engine_ratio.sum(),
        "engine_kl": k3(sampled, current).sum(),
        "engine_missing": is_missing.sum(),
    }
    if loss.old_logprobs == "learner":
        cap = math.inf if loss.importance_cap is None else loss.importance_cap
        per_token = engine_ratio.clamp(max=cap) * per_token
        sums["engine_truncated"] = (engine_ratio > cap).sum()
    if reference_logprobs is not None:
        kl = k3(logprobs, reference_logprobs)
        per_token = per_token + loss.beta * ratio * kl
        sums["kl"] = kl.detach().sum()

    weights_S = token_weights(
        variant.normalisation,
        lengths,
        num_tokens=num_tokens,
        num_sequences=num_sequences,
        token_budget=loss.token_budget,
    )
    weights = by_token(torch.tensor(weights_S, dtype=logprobs.dtype, device=logprobs.device))
    values = torch.stack([value.to(logprobs.dtype) for value in sums.values()]).tolist()  # one device synchronisation
    return PolicyLoss(loss=(per_token * weights).sum(), sums=dict(zip(sums, values, strict=True)))
