"""Variants of the policy loss as small pure functions: importance ratio, objective and weight of each token.

    variant   ratio      objective   weight of a token                  published as
    grpo      token      clipped     1 / (completions · length)         Shao et al., arXiv 2402.03300
    dr_grpo   token      clipped     1 / (completions · token budget)   Liu et al., arXiv 2503.20783
    dapo      token      clipped     1 / tokens                         Yu et al., arXiv 2503.14476
    gspo      sequence   clipped     1 / (completions · length)         Zheng et al., arXiv 2507.18071
    cispo     token      capped      1 / tokens                         MiniMax-M1, arXiv 2506.13585

"length" is the number of tokens of the token's completion. "completions" and "tokens" are the numbers in the whole
optimizer step, over all ranks and micro-batches. The loss of a step is the sum over its tokens of weight times
objective, so it does not depend on how the step is divided into micro-batches.

Axes: S completions of a micro-batch, N trained tokens of all of them, one completion after the other.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from vaserl.settings import LossSettings

LOG_RATIO_LIMIT = 20.0
"""Largest absolute log-ratio: log-ratios are clamped to ± this value before exp, so that one extreme token can't make
the loss overflow."""

Objective = Callable[[torch.Tensor, torch.Tensor, torch.Tensor, LossSettings], tuple[torch.Tensor, torch.Tensor]]
"""Type of a function (logprobs [N], ratio [N], advantages [N], settings) that returns the loss of each token, [N], and
a mask of the tokens whose ratio was bounded, [N]."""

Normalisation = Literal["token", "sequence", "constant"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """A variant of the policy loss, chosen by the setting `loss.variant`."""

    sequence_ratio: bool
    """True: one importance ratio for each completion, the geometric mean of its tokens' ratios. False: one for each
    token."""
    objective: Objective
    """Function that returns the loss of each token before weighting, and a mask of the tokens whose ratio was
    bounded."""
    normalisation: Normalisation
    """Rule that determines the weight of each token in the step's loss; see `token_weights`."""


def clipped(
    logprobs: torch.Tensor, ratio: torch.Tensor, advantages: torch.Tensor, loss: LossSettings
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the clipped loss of each token, [N], and a mask of the tokens whose ratio rho was bounded, [N].

    The loss is -min(rho A, clip(rho, 1 - low, 1 + high) A). Where A < 0 this formula has no upper bound on rho, so
    `ratio_cap` bounds rho there. That is the dual clip of Ye et al., arXiv 1912.09729, where the cap is called c; TRL
    calls it `delta`.
    """
    low, high, cap = (math.inf if bound is None else bound for bound in (loss.clip_low, loss.clip_high, loss.ratio_cap))
    capped = ratio.clamp(max=cap)
    in_range = ratio.clamp(1 - low, 1 + high)
    objective = torch.minimum(capped * advantages, in_range * advantages)
    return -objective, objective.detach() != (ratio * advantages).detach()


def capped_gradient(
    logprobs: torch.Tensor, ratio: torch.Tensor, advantages: torch.Tensor, loss: LossSettings
) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the CISPO loss of each token, [N], and a mask of the tokens whose ratio rho was bounded, [N].

    The loss is -sg(min(rho, `ratio_cap`)) A log pi, where sg stops the gradient: every token keeps a gradient, whose
    weight is bounded. `ratio_cap` bounds rho itself, as TRL's `epsilon_high` does for this loss; in verl the bound is
    the distance of rho from 1.
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
    """Returns exp(log_ratio), with the log-ratio clamped to ±LOG_RATIO_LIMIT."""
    return log_ratio.clamp(-LOG_RATIO_LIMIT, LOG_RATIO_LIMIT).exp()


def sequence_mean(values: torch.Tensor, lengths: Sequence[int]) -> torch.Tensor:
    """Returns, for each token, the mean of `values` over the token's completion, [N].

    lengths: number of tokens of each completion, [S].
    """
    # not index_add: its order on a GPU, and with it the last bit of the sum, changes from run to run
    means = [(piece.sum() / max(len(piece), 1)).expand(len(piece)) for piece in values.split(list(lengths))]
    return torch.cat(means) if means else values


def k3(logprobs: torch.Tensor, other_logprobs: torch.Tensor) -> torch.Tensor:
    """Returns an estimate of KL(pi || other) for each token, [N]: exp(d) - d - 1 with d = log other - log pi.

    logprobs: log pi. other_logprobs: log other. The estimate is never negative, and unbiased on tokens that were
    sampled from pi: Schulman, "Approximating KL divergence" (2020).
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
    """Returns, for each completion, the weight of its tokens in the loss, [S].

    lengths: trained tokens of each completion, [S]. num_tokens: trained tokens of the whole optimizer step.
    num_sequences: completions of the whole optimizer step with at least one trained token. If both numbers are 0 the
    weights are still finite, so that the loss of a step without tokens is 0 and not NaN.

    Raises: ValueError for the normalisation "constant" without a token budget.
    """
    if normalisation == "token":
        return [1 / max(num_tokens, 1)] * len(lengths)
    if normalisation == "sequence":
        return [1 / (max(num_sequences, 1) * max(length, 1)) for length in lengths]
    if token_budget is None:
        raise ValueError('the normalisation "constant" needs loss.token_budget')
    return [1 / (max(num_sequences, 1) * token_budget)] * len(lengths)
