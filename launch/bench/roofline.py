"""Lower bounds for the time of a computation on this device, from the rates of a large matrix product and a large copy.

A weight matrix needs 2 operations per weight and token in the forward pass, another 2 for the gradient of the input,
and none for the gradient of a frozen weight. Attention needs 4 operations per pair of tokens, hidden dimension and
layer in the forward pass, and 2.5 times as many in the backward pass (flash attention recomputes the scores).
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
    """Operations in the frozen weight matrices of the language model's layers."""
    attention: float
    """Operations of attention between each token and the tokens that it attends to."""
    head: float
    """Operations of the projection to the vocabulary, for trained tokens only."""

    @property
    def total(self) -> float:
        """Number of all operations: `linear`, `attention` and `head`."""
        return self.linear + self.attention + self.head


def learner_work(config: Any, *, num_tokens: int, num_pairs: float, num_targets: int, checkpointing: bool) -> Work:
    """Returns the minimum number of operations of a forward and backward pass, with an adapter on a frozen base model.

    `config` is the config of the language model; `num_pairs` is the number of pairs of a token and a token
    that it attends to, from `visible_pairs`; `num_targets` is the number of trained tokens.
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
    """Returns the number of pairs of a token and a token that it attends to, in a row of the shared-prefix layout.

    Each span is one group of the row: a shared prefix and its branches.
    """
    pairs = 0.0
    for span in spans:
        prefix = span.prefix_end - span.start
        pairs += prefix * (prefix + 1) / 2
        for begin, end in span.branches:
            pairs += (end - begin) * prefix + (end - begin) * (end - begin + 1) / 2
    return pairs


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """Returns the operations per second of a large square matrix product, in the fastest of five runs."""
    size = 8192 if device.type == "cuda" else 1536
    a, b = (torch.randn(size, size, device=device, dtype=dtype) for _ in range(2))
    torch.mm(a, b)
    return 2 * size**3 / min(seconds_of(lambda: torch.mm(a, b)) for _ in range(5))


def copy_bandwidth(device: torch.device) -> float:
    """Returns the bytes per second, read and written, of a large copy in the fastest of five runs."""
    source = torch.empty((2**32 if device.type == "cuda" else 2**28) // 4, dtype=torch.float32, device=device).zero_()
    target = torch.empty_like(source)
    return 2 * source.nbytes / min(seconds_of(lambda: target.copy_(source)) for _ in range(5))
