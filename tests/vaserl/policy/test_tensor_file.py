"""Tests our reader and writer of tensor files against the safetensors package."""

import pytest
import safetensors.torch
import torch

from vaserl.policy.tensor_file import TensorFile, read_tensors

TENSORS = {
    "b": torch.arange(6, dtype=torch.bfloat16).reshape(2, 3),
    "a": torch.arange(3, dtype=torch.float32),
    "odd": torch.arange(5, dtype=torch.uint8),
    "scalar": torch.tensor(7, dtype=torch.int64),
    "none": torch.empty(0, 4),
}


def test_tensor_file_agrees_with_the_safetensors_package():
    written = safetensors.torch.load(TensorFile().fill(TENSORS).tobytes())
    read = read_tensors(safetensors.torch.save(TENSORS))
    for name, tensor in TENSORS.items():
        assert written[name].dtype == read[name].dtype == tensor.dtype
        assert torch.equal(written[name], tensor)
        assert torch.equal(read[name], tensor)


def test_tensor_file_follows_other_values_and_shapes():
    file = TensorFile()
    first = file.fill({"a": torch.zeros(3)}).tobytes()
    assert torch.equal(read_tensors(file.fill({"a": torch.ones(3)}))["a"], torch.ones(3))
    assert torch.equal(read_tensors(file.fill({"a": torch.ones(2, 2).t()}))["a"], torch.ones(2, 2))
    assert file.fill({"a": torch.zeros(3)}).tobytes() == first


@pytest.mark.parametrize("cut", [4, 40, -1])
def test_read_tensors_refuses_a_truncated_file(cut):
    with pytest.raises(ValueError, match="safetensors file"):
        read_tensors(TensorFile().fill(TENSORS)[:cut])
