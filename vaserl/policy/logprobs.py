"""Computes log-probabilities of given tokens from hidden states, in chunks: the logits of all tokens never exist at
once."""

from collections.abc import Callable

import torch
from torch.utils.checkpoint import checkpoint

CHUNK_TOKENS = 512


def token_logprobs(
    hidden: torch.Tensor,
    target_ids: torch.Tensor,
    project: Callable[[torch.Tensor], torch.Tensor],
    temperature: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Computes the log-probability of each target token and the entropy of the distribution that predicts it.

    hidden: [N, H] hidden states, of size H, that predict the N targets.
    target_ids: [N] ids of the target tokens.
    project: the vocabulary head, which maps hidden states to logits.
    temperature: the sampling temperature, by which logits are divided.
    Returns: logprobs [N] and entropy [N] in nats, float32; no gradient flows through the entropy.

    When gradients are enabled, each chunk's logits are recomputed in the backward pass instead of kept in memory.
    """

    def chunk(hidden_chunk: torch.Tensor, ids: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = project(hidden_chunk).float() / temperature
        logp = torch.log_softmax(logits, dim=-1)
        with torch.no_grad():
            entropy = -(logp.exp() * logp).sum(-1)
        return logp.gather(-1, ids[:, None])[:, 0], entropy

    pieces = []
    for start in range(0, max(len(target_ids), 1), CHUNK_TOKENS):
        piece = hidden[start : start + CHUNK_TOKENS], target_ids[start : start + CHUNK_TOKENS]
        if torch.is_grad_enabled() and len(target_ids) > CHUNK_TOKENS:
            pieces.append(checkpoint(chunk, *piece, use_reentrant=False))
        else:
            pieces.append(chunk(*piece))
    return torch.cat([logp for logp, _ in pieces]), torch.cat([entropy for _, entropy in pieces])
