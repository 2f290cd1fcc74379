"""Lower bounds for the time of a computation on this device, from the rates of a large matrix product and a large copy.

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
    """Floating-point operations of one forward and backward pass of a learner."""

    linear: float
    """In the frozen weights of the language model."""
    attention: float
    """In attention, between each token and those that it attends to."""
    head: float
    """In the vocabulary projection, of trained tokens only."""

    @property
    def total(self) -> float:
        """All operations."""
        return self.linear + self.attention + self.head


def learner_work(config: Any, *, num_tokens: int, num_pairs: float, num_targets: int, checkpointing: bool) -> Work:
    """Returns the least work of a pass over a layout with an adapter on a frozen base.

    config: the language model's; num_pairs: pairs of a token and one that it attends to, see `visible_pairs`.
    """
    hidden = config.hidden_size
    weights = config.num_hidden_layers * num_layer_weights(config)
    passes = 3 if checkpointing else 2
    return Work(
        linear=2 * weights * num_tokens * passes,
        attention=4 * num_pairs * hidden * config.num_hidden_layers * (passes - 1 + 2.5),
        head=2 * hidden * config.vocab_size * num_targets * 3,
    )


def num_layer_weights(config: Any) -> int:
    """Returns the number of weights in the matrices of one layer of a language model."""
    hidden = config.hidden_size
    keys_and_values = 2 * config.num_key_value_heads * (hidden // config.num_attention_heads)
    return hidden * (2 * hidden + keys_and_values) + 3 * hidden * config.intermediate_size


def visible_pairs(spans: tuple[TokenSpan, ...]) -> float:
    """Returns the number of pairs of a token and one that it attends to, over the groups of a packed row."""
    pairs = 0.0
    for span in spans:
        prefix = span.prefix_end - span.start
        pairs += prefix * (prefix + 1) / 2
        for begin, end in span.branches:
            pairs += (end - begin) * prefix + (end - begin) * (end - begin + 1) / 2
    return pairs


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Returns the operations per second of a large square matrix product on random numbers, the best of five."""
    size = 8192 if device.type == "cuda" else 1536
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    torch.mm(a, b)
    return 2 * size**3 / min(seconds_of(lambda: torch.mm(a, b)) for _ in range(5))


def copy_bandwidth(device: torch.device) -> float:
    """Returns the bytes per second of a large copy, counting both reading and writing; the best of five."""
    source = torch.empty((2**32 if device.type == "cuda" else 2**28) // 4, dtype=torch.float32, device=device).zero_()
    target = torch.empty_like(source)
    return 2 * source.nbytes / min(seconds_of(lambda: target.copy_(source)) for _ in range(5))
