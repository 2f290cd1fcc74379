"""How fast a computation could be at best on this device: its operations over the rate of a large matrix product.

Operations: 2 for each weight and token forward, as many again for the gradient of the input, none for the gradient of
a frozen weight; attention 4 for each pair of tokens, head dimension and layer forward, 2.5 times that backward (flash
attention recomputes the scores).
"""

from dataclasses import dataclass
from typing import Any

import torch

from launch.bench.timing import seconds_of
from vaserl.policy.attention import TokenSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Floating-point operations of a learner's pass."""

    linear: float
    """Through the frozen weights of the language model, forward and backward."""
    attention: float
    """Between pairs of tokens that may see each other."""
    head: float
    """Through the vocabulary projection, trained tokens only."""

    @property
    def total(self) -> float:
        return self.linear + self.attention + self.head


def learner_work(config: Any, *, num_tokens: int, num_pairs: float, num_targets: int, checkpointing: bool) -> Work:
    """The least that a pass over a layout costs with an adapter on a frozen base.

    config: the language model's; num_pairs: pairs of a token and one it may see.
    """
    hidden, heads = config.hidden_size, config.num_attention_heads
    head_dim = hidden // heads
    keys = 2 * config.num_key_value_heads * head_dim
    weights = config.num_hidden_layers * (hidden * (2 * hidden + keys) + 3 * hidden * config.intermediate_size)
    passes = 3 if checkpointing else 2
    return Work(
        linear=2 * weights * num_tokens * passes,
        attention=4 * num_pairs * hidden * config.num_hidden_layers * (passes - 1 + 2.5),
        head=2 * hidden * config.vocab_size * num_targets * 3,
    )


def visible_pairs(spans: tuple[TokenSpan, ...]) -> float:
    """Pairs of a token and one it may see, over the groups of a packed row."""
    pairs = 0.0
    for span in spans:
        prefix = span.prefix_end - span.start
        pairs += prefix * (prefix + 1) / 2
        for begin, end in span.branches:
            pairs += (end - begin) * prefix + (end - begin) * (end - begin + 1) / 2
    return pairs


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Operations a second of a large square matrix product on random numbers, the best of five."""
    size = 8192 if device.type == "cuda" else 1536
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    torch.mm(a, b)
    return 2 * size**3 / min(seconds_of(lambda: torch.mm(a, b)) for _ in range(5))
