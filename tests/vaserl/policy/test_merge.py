"""Merged weights against PEFT's own merge, and the tensor file against the safetensors package."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from vaserl.errors import UserError
from vaserl.policy.adapter import ADAPTER_CONFIG, adapter_files, add_lora, merge_adapter
from vaserl.policy.merge import LoraFactors, PristineBase, merge_matrix, read_factors
from vaserl.policy.model_folder import name_in_model
from vaserl.policy.policy import load_model
from vaserl.policy.tensor_file import TensorFile, read_tensors
from vaserl.policy.weights import check_digest, make_weights


@pytest.fixture(scope="module")
def files(tiny_model: Path):
    peft = add_lora(load_model(tiny_model), rank=4, alpha=12)
    for index, (name, parameter) in enumerate(peft.named_parameters()):
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2, generator=torch.Generator().manual_seed(index))
    return adapter_files(peft)


def test_every_merged_matrix_is_pefts_to_the_bit(tiny_model: Path, files):
    factors = read_factors(files)
    assert len(factors) == 2 * 7
    base = PristineBase(tiny_model, frozenset(factors), device="cpu", pin_memory=False)
    merged = {name_in_model(name): tensor for name, tensor in base.merged(factors, torch.float32)}
    original = load_model(tiny_model).state_dict()
    expected = merge_adapter(load_model(tiny_model), files).state_dict()
    assert set(factors) < set(merged)
    for name, tensor in merged.items():
        assert torch.equal(tensor, expected[name]), name
        assert torch.equal(tensor, original[name]) == (name not in factors), name
    # the neighbours that an engine fuses with an adapted matrix are there, with their biases
    assert "model.language_model.layers.1.self_attn.k_proj.bias" in merged


def test_merging_rounds_once():
    """W0 = 1, delta = 2^-8 + 2^-17: the sum lies just above the middle between 1 and 1 + 2^-7, bfloat16's next number.
    Were delta rounded first, to 2^-8, the sum would be the middle itself and fall to 1."""
    factors = LoraFactors(a=torch.tensor([[1.0]]), b=torch.tensor([[2.0**-8 + 2.0**-17]]), scale=1.0)
    assert merge_matrix(torch.ones(1, 1, dtype=torch.bfloat16), factors, torch.bfloat16).item() == 1 + 2.0**-7


def test_an_adapter_of_other_matrices_is_refused(tiny_model: Path, files):
    factors = read_factors(files)
    first = min(factors)
    base = PristineBase(tiny_model, frozenset([first]), device="cpu", pin_memory=False)
    with pytest.raises(ValueError, match="other matrices"):
        list(base.merged(factors, torch.float32))
    with pytest.raises(UserError, match=r"holds no weight model\.nowhere\.weight"):
        PristineBase(tiny_model, frozenset(["model.nowhere.weight"]), device="cpu", pin_memory=False)


@pytest.mark.parametrize("change", [{"use_dora": True}, {"bias": "all"}, {"alpha_pattern": {"q_proj": 3}}])
def test_more_than_plain_lora_is_refused(files, change):
    config = json.dumps({**json.loads(bytes(files[ADAPTER_CONFIG])), **change}).encode()
    with pytest.raises(UserError, match=r"can't be merged; set rollout\.publish"):
        read_factors({**files, ADAPTER_CONFIG: config})


def test_rank_stabilised_scale(files):
    config = json.dumps({**json.loads(bytes(files[ADAPTER_CONFIG])), "use_rslora": True}).encode()
    assert {f.scale for f in read_factors({**files, ADAPTER_CONFIG: config}).values()} == {12 / 4**0.5}
    assert {f.scale for f in read_factors(files).values()} == {3.0}


TENSORS = {
    "b": torch.arange(6, dtype=torch.bfloat16).reshape(2, 3),
    "a": torch.arange(3, dtype=torch.float32),
    "odd": torch.arange(5, dtype=torch.uint8),
    "scalar": torch.tensor(7, dtype=torch.int64),
    "none": torch.empty(0, 4),
}


def test_the_file_is_what_the_package_reads_and_the_other_way_round():
    written = safetensors.torch.load(TensorFile().fill(TENSORS).tobytes())
    read = read_tensors(safetensors.torch.save(TENSORS))
    for name, tensor in TENSORS.items():
        assert written[name].dtype == read[name].dtype == tensor.dtype
        assert torch.equal(written[name], tensor)
        assert torch.equal(read[name], tensor)


def test_a_file_is_filled_anew_and_follows_other_shapes():
    file = TensorFile()
    first = file.fill({"a": torch.zeros(3)}).tobytes()
    assert torch.equal(read_tensors(file.fill({"a": torch.ones(3)}))["a"], torch.ones(3))
    assert torch.equal(read_tensors(file.fill({"a": torch.ones(2, 2).t()}))["a"], torch.ones(2, 2))
    assert file.fill({"a": torch.zeros(3)}).tobytes() == first


@pytest.mark.parametrize("cut", [4, 40, -1])
def test_a_file_that_ends_early_is_refused(cut):
    with pytest.raises(ValueError, match="safetensors file"):
        read_tensors(TensorFile().fill(TENSORS)[:cut])


def test_the_digest_tells_names_contents_and_chunks_apart(files):
    weights = make_weights(1, files)
    check_digest(weights)
    check_digest(dataclasses.replace(weights, files={name: bytes(content) for name, content in files.items()}))
    long = np.zeros(9 << 20, np.uint8)
    digests = {make_weights(1, {"a": long}).digest, make_weights(1, {"b": long}).digest}
    for place in (0, (4 << 20) - 1, 4 << 20, len(long) - 1):
        changed = long.copy()
        changed[place] = 1
        digests.add(make_weights(1, {"a": changed}).digest)
        with pytest.raises(ValueError, match="digest does not match"):
            check_digest(dataclasses.replace(make_weights(1, {"a": long}), files={"a": changed}))
    digests.add(make_weights(1, {"a": long[:-1]}).digest)
    assert len(digests) == 7
