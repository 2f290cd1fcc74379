"""Attention over a packed row of prefix groups, without padding: a token attends to its own group only.

Each prefix group consists of a prefix (a prompt) and the branches (its completions) that continue the prefix. The
prefix attends causally to itself. A branch attends to the whole prefix and causally to itself.

A dense mask over the row would spend most of its arithmetic on masked pairs of tokens: for a prompt of 3,092 tokens and
8 completions of 256 tokens, the mask has 26 million pairs, of which 11 million are needed. So attention is computed by
one call of the variable-length flash kernel if the row is on a GPU and in half precision. Otherwise it is computed by
two calls of PyTorch's `scaled_dot_product_attention` for each group.

Axes: S tokens in the row, H query heads, K key heads (K divides H), D values in a head.
"""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
import torch.nn.functional as F

ATTENTION_NAME = "shared_prefix"
"""Name under which this attention implementation is registered in transformers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenSpan:
    """Place of one prefix group (a prompt and its completions) in a packed row, as token indices."""

    start: int
    """Index of the group's first token, where its prefix (the prompt) begins."""
    prefix_end: int
    """Index one past the prefix's last token."""
    branch_ends: tuple[int, ...]
    """Index one past the last token of each branch (completion). A branch begins where the branch before it ends; the
    first begins at `prefix_end`."""

    @property
    def branches(self) -> tuple[tuple[int, int], ...]:
        """(index of the first token, index one past the last token) of each branch that is not empty."""
        begins = (self.prefix_end, *self.branch_ends[:-1])
        return tuple((begin, end) for begin, end in zip(begins, self.branch_ends, strict=True) if end > begin)

    @property
    def end(self) -> int:
        """Index one past the group's last token."""
        return self.branch_ends[-1] if self.branch_ends else self.prefix_end


class AttentionPlan(Protocol):
    """Function that computes attention over one packed row of tokens. It is made once for a row, and every layer of the
    model calls it."""

    def __call__(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float | None
    ) -> torch.Tensor:
        """Returns the attention output, [1, S, H, D], of S tokens with H heads of size D.

        query: [1, H, S, D]; key and value: [1, K, S, D] with K key heads, where K divides H.
        scale: factor of the attention scores; None means 1/√D.
        """
        ...


def plan_attention(spans: Sequence[TokenSpan], device: torch.device, dtype: torch.dtype) -> AttentionPlan:
    """Returns the fastest exact attention: a flash kernel on a GPU in half precision, otherwise two calls for each
    group.

    spans: place of each prefix group in the packed row.
    """
    if device.type == "cuda" and dtype in (torch.bfloat16, torch.float16):
        return VariableLengthPlan(spans, device)
    return GroupwisePlan(spans, device)


class GroupwisePlan:
    """Attention by two calls for each prefix group. The first call computes the prefix, with a causal mask. The second
    computes all branches of the group, with the mask that `branch_mask` returns."""

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
    """Attention of a whole row by one flash call for sequences of different lengths. Every prefix and every branch is a
    sequence of queries. A branch's keys are its prefix's keys followed by its own. The kernel aligns the causal mask to
    the end of the keys, so a branch's last query attends to all of the branch's keys."""

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
    """Selection of rows by index whose gradient is summed in float32. A prefix's rows are selected once for each
    branch, and summing the branches' gradients in bfloat16 would lose precision with each addend."""

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
    """Returns `rows[index]`. The gradients of a row that is selected several times are summed in float32.

    rows: [R, …]; index: [N] indices of rows. Returns: [N, …].
    """
    return _GatherRows.apply(rows, index)  # pyright: ignore[reportReturnType]


def branch_mask(span: TokenSpan) -> torch.Tensor:
    """Returns the attention mask of a prefix group's branches: bool, [tokens of all branches, tokens of the group]. It
    is True where the branches' token (row) attends to the group's token (column)."""
    num_prefix = span.prefix_end - span.start
    mask = torch.zeros((span.end - span.prefix_end, span.end - span.start), dtype=torch.bool)
    mask[:, :num_prefix] = True
    for begin, end in span.branches:
        rows = slice(begin - span.prefix_end, end - span.prefix_end)
        columns = slice(begin - span.start, end - span.start)
        mask[rows, columns] = torch.ones((end - begin, end - begin), dtype=torch.bool).tril()
    return mask


def install_attention(model: Any) -> None:
    """Replaces the attention of a Qwen2.5-VL's language model by a function that calls the `attention_plan` passed to
    the model's forward pass. If no plan is passed, attention is ordinary causal attention."""
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
    """Calls the plan outside of compiled layers. Rows differ in their numbers of groups and branches, so torch would
    recompile the layer for each, and after a few recompilations it would stop compiling the layer."""
    return plan(query, key, value, scale)


def _cumulative(lengths: Sequence[int], device: torch.device) -> torch.Tensor:
    return F.pad(torch.tensor(lengths, dtype=torch.int32).cumsum(0, dtype=torch.int32), (1, 0)).to(device)


def _causal_arguments() -> dict[str, Any]:
    """Returns the keyword arguments that make `varlen_attn` causal and allow fewer key heads than query heads. The
    names of these arguments differ between torch versions."""
    from torch.nn.attention import varlen

    known = inspect.signature(varlen.varlen_attn).parameters
    causal: dict[str, Any] = {"window_size": (-1, 0)} if "window_size" in known else {"is_causal": True}
    return causal | ({"enable_gqa": True} if "enable_gqa" in known else {})


_CAUSAL = _causal_arguments()
