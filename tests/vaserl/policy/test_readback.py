"""Tests the comparison of served weights with published ones, with numbers by hand and random matrices."""

import pytest
import torch

from vaserl.policy.merge import LoraFactors, merge_matrix
from vaserl.policy.readback import (
    NUM_COMPARED_COLUMNS,
    ExpectedColumns,
    as_matrix,
    is_served,
    merged_columns,
    published_columns,
    sampled_columns,
)

DTYPES = [torch.float32, torch.bfloat16]


def exactly(*values: float) -> ExpectedColumns:
    return ExpectedColumns(exact=torch.tensor([values], dtype=torch.float64))


def test_is_served_accepts_the_rounded_value_only():
    """Between 1 and 2, bfloat16 numbers are 1/128 apart: 1 + 1/256 lies halfway, 1 + 3/512 is nearer to 1 + 1/128."""
    served = torch.tensor([[1.0, 1 + 1 / 128]], dtype=torch.bfloat16)
    assert is_served(served, exactly(1 + 1 / 512, 1 + 3 / 512))
    assert is_served(served, exactly(1 + 1 / 256, 1 + 1 / 256))
    assert not is_served(served, exactly(1 + 3 / 512, 1 + 3 / 512))
    assert not is_served(served, exactly(1.0, 1.0))


def test_is_served_refuses_nan_and_another_shape():
    assert not is_served(torch.tensor([[float("nan")]]), exactly(1.0))
    assert not is_served(torch.tensor([[1.0]]), exactly(1.0, 1.0))
    assert not is_served(torch.tensor([[1.0]]), exactly(float("nan")))


@pytest.mark.parametrize("value", [0.0, 1.0, 3e-39, 1e-12, 1e30], ids=str)
@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_is_served_accepts_copies_of_any_size(value: float, dtype: torch.dtype):
    served = torch.tensor([[value, -value]]).to(dtype)
    assert is_served(served, ExpectedColumns(exact=served.double()))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("rate", [1e-5, 1e-7], ids=str)
def test_merged_columns_tell_versions_apart(dtype: torch.dtype, rate: float):
    """Adam moves each entry of A and B by about the learning rate in a step. No version is refused that was merged
    correctly, and each version differs from each earlier one."""
    random = torch.Generator().manual_seed(0)
    base = (torch.randn(256, 128, generator=random) * 0.02).to(dtype)
    a0 = (torch.rand(8, 128, generator=random) * 2 - 1) / 128**0.5
    signs_a, signs_b = (torch.randn(shape, generator=random).sign() for shape in ((8, 128), (256, 8)))

    def merged(version: int) -> torch.Tensor:
        return merge_matrix(base, factors(version), dtype)

    def factors(version: int) -> LoraFactors:
        return LoraFactors(a=a0 + version * rate * signs_a, b=version * rate * signs_b, scale=2.0)

    for version in range(1, 12):
        columns, now = sampled_columns(128, version), factors(version)
        expected = merged_columns(base[:, columns], now.a[:, columns], now.b, now.scale)
        assert is_served(merged(version)[:, columns], expected)
        for earlier in range(version):
            served = merged(earlier)[:, columns]
            # in bfloat16 a step of 1e-7 may leave all compared entries as they are
            assert not is_served(served, expected) or torch.equal(served, merged(version)[:, columns])
            assert not is_served(served, expected) or (dtype, rate) == (torch.bfloat16, 1e-7)


def test_sampled_columns_change_with_the_version_and_take_narrow_matrices_whole():
    assert sampled_columns(NUM_COMPARED_COLUMNS, 1) == list(range(NUM_COMPARED_COLUMNS))
    drawn = {tuple(sampled_columns(1000, version)) for version in range(50)}
    assert len(drawn) == 50
    assert all(len(set(columns)) == NUM_COMPARED_COLUMNS and list(columns) == sorted(columns) for columns in drawn)
    assert sampled_columns(1000, 7) == sampled_columns(1000, 7)


def test_published_columns_of_vectors_and_kernels():
    tensors = {"norm": torch.arange(4.0), "conv": torch.arange(12.0).reshape(2, 3, 2)}
    assert as_matrix(tensors["conv"]).shape == (2, 6)
    columns = published_columns(tensors, 3)
    assert columns["norm"].tolist() == [[0.0], [1.0], [2.0], [3.0]]
    assert torch.equal(columns["conv"], torch.arange(12.0).reshape(2, 6))
