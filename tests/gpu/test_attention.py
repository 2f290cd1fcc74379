"""Tests attention over a packed row, one variable-length call, against a dense mask in float64, forward and
backward."""

import pytest
import torch

from tests.vaserl.policy.test_attention import dense_attention, dense_mask, spans_of
from vaserl.policy.attention import VariableLengthPlan, plan_attention

pytestmark = pytest.mark.gpu

RAGGED = [(200, [1, 0, 57, 130]), (64, [33]), (300, [128] * 8)]
"""Prefix length and branch lengths of three groups, with an empty branch, a branch of one token and a single branch."""


@pytest.mark.skipif(torch.cuda.device_count() < 1, reason="needs a GPU")
def test_variable_length_plan_in_bfloat16_is_dense_attention_up_to_rounding():
    spans, mask = spans_of(RAGGED), dense_mask(RAGGED)
    device = torch.device("cuda")
    generator = torch.Generator().manual_seed(0)
    shapes = [(1, 28, len(mask), 128), (1, 4, len(mask), 128), (1, 4, len(mask), 128)]  # the heads of the 7B model
    rounded = [torch.randn(shape, generator=generator).to(device, torch.bfloat16) for shape in shapes]
    ours = [tensor.clone().requires_grad_() for tensor in rounded]
    exact = [tensor.double().requires_grad_() for tensor in rounded]
    plan = plan_attention(spans, device, torch.bfloat16)
    assert isinstance(plan, VariableLengthPlan)
    answer, truth = plan(*ours, 128**-0.5), dense_attention(*exact, mask.to(device), 128**-0.5)
    credit = torch.randn(truth.shape, generator=generator).to(device)
    (answer.float() * credit).sum().backward()
    (truth * credit).sum().backward()
    assert relative(answer, truth) < 5e-3
    for mine, theirs in zip(ours, exact, strict=True):
        assert mine.grad is not None and theirs.grad is not None
        assert relative(mine.grad, theirs.grad) < 1e-2


def relative(one: torch.Tensor, other: torch.Tensor) -> float:
    """Returns |one - other| / |other| (norms). bfloat16 has 8 bits of mantissa, so one rounding is about 2e-3."""
    return float((one.double() - other.double()).norm() / other.double().norm())
