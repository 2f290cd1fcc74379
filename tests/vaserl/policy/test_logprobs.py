"""Tests log-probabilities computed in chunks against the plain formula, with gradients."""

import pytest
import torch

from vaserl.policy.logprobs import CHUNK_TOKENS, token_logprobs


@pytest.mark.parametrize("num_tokens", [0, 1, CHUNK_TOKENS, 2 * CHUNK_TOKENS + 3])
@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.3])
def test_token_logprobs_do_not_depend_on_chunks(num_tokens: int, temperature: float):
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(num_tokens, 8, generator=generator, requires_grad=True)
    head = torch.randn(8, 50, generator=generator, requires_grad=True)
    targets = torch.randint(0, 50, (num_tokens,), generator=generator)
    logprobs, entropy = token_logprobs(hidden, targets, lambda h: h @ head, temperature)
    distribution = torch.distributions.Categorical(logits=hidden @ head / temperature, validate_args=False)
    assert torch.allclose(logprobs, distribution.log_prob(targets), atol=1e-5)
    assert torch.allclose(entropy, distribution.entropy(), atol=1e-5)
    assert not entropy.requires_grad
    if num_tokens:
        ours = torch.autograd.grad(logprobs.sum(), [hidden, head])
        expected = torch.autograd.grad(distribution.log_prob(targets).sum(), [hidden, head])
        for a, b in zip(ours, expected, strict=True):
            assert torch.allclose(a, b, atol=1e-4)
