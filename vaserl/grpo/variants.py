"""Policy losses as small pure functions: which ratio, which objective for each token, and what each token weighs.

    variant   ratio      objective   a token weighs                     published as
    grpo      token      clipped     1 / (completions · its length)     Shao et al., arXiv 2402.03300
    dr_grpo   token      clipped     1 / (completions · token budget)   Liu et al., arXiv 2503.20783
    dapo      token      clipped     1 / tokens                         Yu et al., arXiv 2503.14476
    gspo      sequence   clipped     1 / (completions · its length)     Zheng et al., arXiv 2507.18071
    cispo     token      capped      1 / tokens                         MiniMax-M1, arXiv 2506.13585

Completions and tokens are those of the whole optimizer step, over all ranks and micro-batches: the loss of a step is
the sum over its tokens of weight times objective, and so does not depend on how the step is cut up.

Axes: S completions of a micro-batch, N their trained tokens, one completion after the other.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from vaserl.settings import LossSettings

LOG_RATIO_LIMIT = 20.0
"""Log-ratios are clamped to ± this before exp, so that one extreme token can't overflow a step."""

Objective = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, LossSettings], tuple[torch.Tensor, torch.Tensor]]
"""(logprobs, ratio, advantages, settings), the first three [N] -> loss of each token [N], and a mask [N] of the tokens
whose ratio was bounded."""

Normalisation = Literal["token", "sequence", "constant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A variant of the policy loss, as `loss.variant` names it."""

    sequence_ratio: bool
    """One ratio for each completion, the geometric mean of its tokens', instead of one for each token."""
    objective: Objective
    """The loss of each token before weighting."""
    normalisation: Normalisation
    """The weight of each token."""


def clipped(
    logprobs: torch.Tensor, ratio: torch.Tensor, advantages: torch.Tensor, loss: LossSettings
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns -min(rho A, clip(rho, 1 - low, 1 + high) A), with rho <= `ratio_cap` where A < 0, which the clip leaves
    unbounded.

    The cap is the dual clip of Ye et al., arXiv 1912.09729 (c), and TRL's `delta`: above 1 + high the two are equal.
    """
    low, high, cap = (math.inf if bound is None else bound for bound in (loss.clip_low, loss.clip_high, loss.ratio_cap))
    capped = ratio.clamp(max=cap)
    in_range = ratio.clamp(1 - low, 1 + high)
    objective = torch.minimum(capped * advantages, in_range * advantages)
    return -objective, objective.detach() != (ratio * advantages).detach()


def capped_gradient(
    logprobs: torch.Tensor, ratio: torch.Tensor, advantages: torch.Tensor, loss: LossSettings
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns -sg(min(rho, `ratio_cap`)) A log pi: every token keeps a gradient, of bounded weight.

    The cap is absolute, as TRL's `epsilon_high` is for this loss; verl counts its cap from 1.
    """
    weight = ratio.detach().clamp(max=math.inf if loss.ratio_cap is None else loss.ratio_cap)
    return -weight * advantages * logprobs, weight != ratio.detach()


VARIANTS = {
    "grpo": Variant(sequence_ratio=False, objective=clipped, normalisation="sequence"),
    "dr_grpo": Variant(sequence_ratio=False, objective=clipped, normalisation="constant"),
    "dapo": Variant(sequence_ratio=False, objective=clipped, normalisation="token"),
    "gspo": Variant(sequence_ratio=True, objective=clipped, normalisation="sequence"),
    "cispo": Variant(sequence_ratio=False, objective=capped_gradient, normalisation="token"),
}


def bounded_exp(log_ratio: torch.Tensor) -> torch.Tensor:
    """Returns exp of a log-ratio clamped to ±20."""
    return log_ratio.clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT).exp()


def sequence_mean(values: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
    """Returns [N] each token's value replaced by the mean over its completion. lengths: [S], with sum N."""
    # not index_add: its order on a GPU, and with it the last bit of the sum, changes from run to run
    means = [(piece.sum() / max(len(piece), 1)).expand(len(piece)) for piece in values.split(list(lengths))]
    return torch.cat(means) if means else values


def k3(logprobs: torch.Tensor, other_logprobs: torch.Tensor) -> torch.Tensor:
    """Returns [N] estimates of KL(pi || other) from tokens that pi sampled: exp(d) - d - 1 with d = log other - log pi.

    Unbiased and never negative: Schulman, "Approximating KL divergence" (2020).
    """
    d = (other_logprobs - logprobs).clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT)
    return d.exp() - d - 1


def token_weights(
    normalisation: Normalisation,
    lengths: Sequence[int],
    *,
    num_tokens: int,
    num_sequences: int,
    token_budget: int | None,
) -> list[float]:
    """Returns [S] the weight of each token of a completion in the loss. lengths: [S].

    num_tokens, num_sequences: trained tokens, and completions that have any, of the whole optimizer step. Where both
    are 0 the weights are still finite, so that the loss of a step without tokens is 0 and not NaN.

    Raises: ValueError for "constant" without a token budget.
    """
    if normalisation == "token":
        return [1 / max(num_tokens, 1)] * len(lengths)
    if normalisation == "sequence":
        return [1 / (max(num_sequences, 1) * max(length, 1)) for length in lengths]
    if token_budget is None:
        raise ValueError("the constant denominator needs loss.token_budget")
    return [1 / (max(num_sequences, 1) * token_budget)] * len(lengths)
