"""Attention over a packed row of prefix groups, without padding: a token attends to its own group only.

Each group is a prefix and the branches that continue it. The prefix attends causally to itself; a branch attends to
the whole prefix and causally to itself. A dense mask over the row would spend most of its arithmetic on pairs that are
masked out (for 3,092 prompt tokens and 8 x 256 answer tokens 26 million pairs instead of 12). So attention is computed
by one variable-length flash call on a GPU in half precision, and elsewhere by two plain calls for each group.

Axes: S tokens of the row, H query heads, K key heads (a divisor of H), D head size.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F

ATTENTION_NAME = "shared_prefix"
"""Name under which this implementation is registered in transformers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSpan:
    """Token indices of one group (a prefix and the branches that continue it) in a packed row."""

    start: int
    """Index of the group's first token."""
    prefix_end: int
    """Index one past the prefix's last token."""
    branch_ends: tuple[int, ...]
    """Index one past each branch's last token; a branch begins where the one before it ends."""

    @property
    def branches(self) -> tuple[tuple[int, int], ...]:
        """Indices (first token, one past the last) of each branch that is not empty."""
        begins = (self.prefix_end, *self.branch_ends[:-1])
        return tuple((begin, end) for begin, end in zip(begins, self.branch_ends, strict=True) if end > begin)

    @property
    def end(self) -> int:
        """Index one past the group's last token."""
        return self.branch_ends[-1] if self.branch_ends else self.prefix_end


class AttentionPlan(Protocol):
    """A function that computes attention over one row; it is prepared once and called by every layer."""

    def __call__(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None
    ) -> torch.Tensor:
        """Returns the attention output, [1, S, H, D], of S tokens with H heads of size D.

        query: [1, H, S, D]; key and value: [1, K, S, D] with K key heads.
        """
        ...


def plan_attention(spans: Sequence[TokenSpan], device: torch.device, dtype: torch.dtype) -> AttentionPlan:
    """Returns the fastest exact attention for this device: flash kernels exist for half precision on a GPU only."""
    if device.type == "cuda" and dtype in (torch.bfloat16, torch.float16):
        return VariableLengthPlan(spans, device)
    return GroupwisePlan(spans, device)


class GroupwisePlan:
    """Attention by two calls for each group: its prefix with a causal mask, then its branches with a mask of the
    group."""

    def __init__(self, spans: Sequence[TokenSpan], device: torch.device):
        self._groups = [(span, branch_mask(span).to(device)) for span in spans]

    def __call__(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None
    ) -> torch.Tensor:
        repeats = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(repeats, dim=1), value.repeat_interleave(repeats, dim=1)
        pieces = []
        for span, mask in self._groups:
            prefix = slice(span.start, span.prefix_end)
            own = (query[:, :, prefix], key[:, :, prefix], value[:, :, prefix])
            pieces.append(F.scaled_dot_product_attention(*own, is_causal=True, scale=scale))
            if span.end > span.prefix_end:
                group = slice(span.start, span.end)
                seen = (query[:, :, span.prefix_end : span.end], key[:, :, group], value[:, :, group])
                pieces.append(F.scaled_dot_product_attention(*seen, attn_mask=mask, scale=scale))
        return torch.cat(pieces, dim=2).transpose(1, 2)


class VariableLengthPlan:
    """Attention by one flash call, in which every prefix and every branch is a sequence of queries. The keys of a
    branch are those of its prefix, then its own. The kernel aligns the causal mask to the end of the keys, so a
    branch's last query attends to all its keys."""

    def __init__(self, spans: Sequence[TokenSpan], device: torch.device):
        query_lengths, key_ranges = [], []
        for span in spans:
            query_lengths.append(span.prefix_end - span.start)
            key_ranges.append([(span.start, span.prefix_end)])
            for begin, end in span.branches:
                query_lengths.append(end - begin)
                key_ranges.append([(span.start, span.prefix_end), (begin, end)])
        key_lengths = [sum(end - begin for begin, end in ranges) for ranges in key_ranges]
        pieces = [torch.arange(begin, end) for ranges in key_ranges for begin, end in ranges]
        self._keys = torch.cat(pieces).to(device)
        self._cumulative_queries = _cumulative(query_lengths, device)
        self._cumulative_keys = _cumulative(key_lengths, device)
        self._longest = max(query_lengths), max(key_lengths)

    def __call__(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None
    ) -> torch.Tensor:
        from torch.nn.attention.varlen import varlen_attn

        key_of_branches, value_of_branches = (
            gather_rows(tensor[0].transpose(0, 1), self._keys) for tensor in (key, value)
        )
        output: Any = varlen_attn(
            query[0].transpose(0, 1).contiguous(),
            key_of_branches,
            value_of_branches,
            self._cumulative_queries,
            self._cumulative_keys,
            *self._longest,
            scale=scale,
            **_CAUSAL,
        )
        return output[None]


class _GatherRows(torch.autograd.Function):
    """Row selection whose gradient is summed in float32: a prefix is gathered once for each branch, and a sum of the
    branches' bfloat16 gradients in bfloat16 would lose precision with each addend."""

    @staticmethod
    def forward(ctx: Any, rows: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(index)
        ctx.num_rows = rows.shape[0]
        return rows.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (index,) = ctx.saved_tensors
        gradient = gradients[0]
        total = torch.zeros((ctx.num_rows, *gradient.shape[1:]), dtype=torch.float32, device=gradient.device)
        return total.index_add_(0, index, gradient.float()).to(gradient.dtype), None


def gather_rows(rows: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Returns `rows[index]`; the gradients of a row that is selected several times are summed in float32.

    rows: [R, …]; index: [N]. Returns: [N, …].
    """
    return _GatherRows.apply(rows, index)  # pyright: ignore[reportReturnType]


def branch_mask(span: TokenSpan) -> torch.Tensor:
    """Returns the attention mask of a group's branches, [branch tokens, group tokens] bool: True where a branch's token
    attends to a token of the group."""
    num_prefix = span.prefix_end - span.start
    mask = torch.zeros((span.end - span.prefix_end, span.end - span.start), dtype=torch.bool)
    mask[:, :num_prefix] = True
    for begin, end in span.branches:
        rows = slice(begin - span.prefix_end, end - span.prefix_end)
        columns = slice(begin - span.start, end - span.start)
        mask[rows, columns] = torch.ones((end - begin, end - begin), dtype=torch.bool).tril()
    return mask


def install_attention(model: Any) -> None:
    """Makes the language model of a Qwen2.5-VL use the `attention_plan` given to its forward pass, or ordinary causal
    attention when there is none."""
    from transformers import AttentionInterface

    AttentionInterface.register(ATTENTION_NAME, _attend)
    model.set_attn_implementation({"text_config": ATTENTION_NAME, "vision_config": "sdpa"})


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    attention_plan: AttentionPlan | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    if attention_plan is not None:
        return _by_plan(attention_plan, query, key, value, scaling), None  # pyright: ignore[reportCallIssue]
    return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)


@torch.compiler.disable
def _by_plan(
    plan: AttentionPlan, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None
) -> torch.Tensor:
    """Runs the plan outside of compiled layers: rows differ in the number of groups and branches, and after a few
    recompilations torch would stop compiling the layer."""
    return plan(query, key, value, scale)


def _cumulative(lengths: Sequence[int], device: torch.device) -> torch.Tensor:
    return F.pad(torch.tensor(lengths, dtype=torch.int32).cumsum(0, dtype=torch.int32), (1, 0)).to(device)


def _causal_arguments() -> dict[str, Any]:
    """Returns the arguments of `varlen_attn` for causal attention with fewer key heads than query heads; their names
    differ between torch versions."""
    from torch.nn.attention import varlen

    known = inspect.signature(varlen.varlen_attn).parameters
    causal: dict[str, Any] = {"window_size": (-1, 0)} if "window_size" in known else {"is_causal": True}
    return causal | ({"enable_gqa": True} if "enable_gqa" in known else {})


_CAUSAL = _causal_arguments()
