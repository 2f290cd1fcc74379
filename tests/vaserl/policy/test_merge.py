"""Tests merged weights against PEFT's own merge."""

import json
from pathlib import Path

import pytest
import torch

from vaserl.errors import UserError
from vaserl.policy.adapter import ADAPTER_CONFIG, adapter_files, add_lora, merge_adapter
from vaserl.policy.merge import LoraFactors, PristineBase, merge_matrix, read_factors
from vaserl.policy.model_folder import name_in_model
from vaserl.policy.policy import load_model


@pytest.fixture(scope="module")
def files(tiny_model: Path):
    peft = add_lora(load_model(tiny_model), rank=4, alpha=12)
    for index, (name, parameter) in enumerate(peft.named_parameters()):
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2, generator=torch.Generator().manual_seed(index))
    return adapter_files(peft)


def test_pristine_base_merges_like_peft_to_the_bit(tiny_model: Path, files):
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
    # the neighbours that an engine fuses with an adapted matrix are included, with their biases
    assert "model.language_model.layers.1.self_attn.k_proj.bias" in merged


def test_merge_matrix_rounds_once():
    """Uses W0 = 1 and delta = 2^-8 + 2^-17: the sum is just above the midpoint of 1 and 1 + 2^-7, bfloat16's next
    number. If delta were rounded first, to 2^-8, the sum would be the midpoint and would round to 1."""
    factors = LoraFactors(a=torch.tensor([[1.0]]), b=torch.tensor([[2.0**-8 + 2.0**-17]]), scale=1.0)
    assert merge_matrix(torch.ones(1, 1, dtype=torch.bfloat16), factors, torch.bfloat16).item() == 1 + 2.0**-7


def test_pristine_base_refuses_other_matrices(tiny_model: Path, files):
    factors = read_factors(files)
    first = min(factors)
    base = PristineBase(tiny_model, frozenset([first]), device="cpu", pin_memory=False)
    with pytest.raises(ValueError, match="other matrices"):
        list(base.merged(factors, torch.float32))
    with pytest.raises(UserError, match=r"does not contain model\.nowhere\.weight"):
        PristineBase(tiny_model, frozenset(["model.nowhere.weight"]), device="cpu", pin_memory=False)


@pytest.mark.parametrize("change", [{"use_dora": True}, {"bias": "all"}, {"alpha_pattern": {"q_proj": 3}}])
def test_read_factors_refuses_more_than_plain_lora(files, change):
    config = json.dumps({**json.loads(bytes(files[ADAPTER_CONFIG])), **change}).encode()
    with pytest.raises(UserError, match=r"can't be merged; set rollout\.publish"):
        read_factors({**files, ADAPTER_CONFIG: config})


def test_read_factors_scales_rank_stabilised_lora(files):
    config = json.dumps({**json.loads(bytes(files[ADAPTER_CONFIG])), "use_rslora": True}).encode()
    assert {f.scale for f in read_factors({**files, ADAPTER_CONFIG: config}).values()} == {12 / 4**0.5}
    assert {f.scale for f in read_factors(files).values()} == {3.0}
