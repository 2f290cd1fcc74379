"""Tests attention over a packed row, computed by plan, against an independently written dense mask, in float64."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from vaserl.policy.attention import GroupwisePlan, TokenSpan, VariableLengthPlan, gather_rows, plan_attention

CPU = torch.device("cpu")

groups = st.tuples(st.integers(1, 5), st.lists(st.integers(0, 4), min_size=1, max_size=4))


def spans_of(groups: list[tuple[int, list[int]]]) -> list[TokenSpan]:
    spans, at = [], 0
    for num_prefix, lengths in groups:
        ends, end = [], at + num_prefix
        for length in lengths:
            end += length
            ends.append(end)
        spans.append(TokenSpan(start=at, prefix_end=at + num_prefix, branch_ends=tuple(ends)))
        at = end
    return spans


def dense_mask(groups: list[tuple[int, list[int]]]) -> torch.Tensor:
    """Returns the mask, token by token: a query attends to a key that is not later, of the same group, and of the
    prefix or of the same branch."""
    owner = []
    for number, (num_prefix, lengths) in enumerate(groups):
        owner += [(number, -1)] * num_prefix
        for branch, length in enumerate(lengths):
            owner += [(number, branch)] * length
    size = len(owner)
    mask = torch.zeros(size, size, dtype=torch.bool)
    for query in range(size):
        for key in range(query + 1):
            same_group = owner[query][0] == owner[key][0]
            mask[query, key] = same_group and owner[key][1] in (-1, owner[query][1])
    return mask


def dense_attention(query, key, value, mask, scale):
    repeats = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
    weights = (query @ key.transpose(-1, -2) * scale).masked_fill(~mask, -torch.inf).softmax(-1)
    return (weights @ value).transpose(1, 2)


def tensors(size: int, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(1, 4, size, 8), (1, 2, size, 8), (1, 2, size, 8)]
    return [torch.randn(s, generator=generator, dtype=torch.float64).requires_grad_() for s in shapes]


@given(st.lists(groups, min_size=1, max_size=3), st.integers(0, 2**16))
def test_groupwise_plan_is_dense_attention_with_its_gradients(drawn, seed):
    spans, mask = spans_of(drawn), dense_mask(drawn)
    inputs = tensors(len(mask), seed)
    ours, theirs = GroupwisePlan(spans, CPU)(*inputs, 0.3), dense_attention(*inputs, mask, 0.3)
    assert torch.allclose(ours, theirs, atol=1e-12)
    weight = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for mine, other in zip(
        torch.autograd.grad((ours * weight).sum(), inputs),
        torch.autograd.grad((theirs * weight).sum(), inputs),
        strict=True,
    ):
        assert torch.allclose(mine, other, atol=1e-12)


def test_plan_attention_is_groupwise_without_a_gpu():
    spans = spans_of([(3, [2, 1])])
    assert isinstance(plan_attention(spans, CPU, torch.bfloat16), GroupwisePlan)


def test_gather_rows_sums_gradients_in_float32():
    # 1 + 256 x 2^-9: in bfloat16 every single addend would be rounded away
    rows = torch.zeros(1, 1, dtype=torch.bfloat16, requires_grad=True)
    index = torch.zeros(257, dtype=torch.long)
    weight = torch.full((257, 1), 2.0**-9, dtype=torch.bfloat16)
    weight[0] = 1.0
    (gradient,) = torch.autograd.grad((gather_rows(rows, index) * weight).sum(), rows)
    assert gradient.item() == 1.5


@given(st.lists(groups, min_size=1, max_size=3))
def test_variable_length_plan_attends_to_the_keys_of_the_dense_mask(drawn):
    spans, mask = spans_of(drawn), dense_mask(drawn)
    plan = VariableLengthPlan(spans, CPU)
    queries, keys, rows = plan._cumulative_queries.tolist(), plan._cumulative_keys.tolist(), plan._keys.tolist()
    seen = torch.zeros_like(mask)
    for number in range(len(queries) - 1):
        own = rows[keys[number] : keys[number + 1]]
        num_queries = queries[number + 1] - queries[number]
        for offset in range(num_queries):
            # causal, aligned to the end of the keys
            seen[queries[number] + offset, own[: len(own) - num_queries + offset + 1]] = True
    assert torch.equal(seen, mask)


def test_token_span_lists_branches_that_have_a_token():
    span = TokenSpan(start=2, prefix_end=5, branch_ends=(5, 7, 7, 8))
    assert span.branches == ((5, 7), (7, 8))
    assert span.end == 8
