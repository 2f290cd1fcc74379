"""Merges a LoRA adapter (factors A and B, scale s) into the base weights W0: the merged weights are W0 + s·B·A.

Each version of the adapter is merged into an unchanged copy of W0, because adding to an already merged matrix would
accumulate rounding errors. So the merged weights of a version are the same, to the bit, however many versions came
before.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from vaserl.errors import UserError
from vaserl.policy.adapter import ADAPTER_CONFIG, ADAPTER_TENSORS
from vaserl.policy.model_folder import name_in_model, stored_weights
from vaserl.policy.readback import ExpectedColumns, merged_columns, sampled_columns
from vaserl.policy.tensor_file import FileContent, read_tensors

_PEFT_PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraFactors:
    """The LoRA adapter of one weight matrix: its factors A and B and its scale."""

    a: torch.Tensor
    """[r, in] the factor A, which multiplies the layer's input; r is the adapter's rank."""
    b: torch.Tensor
    """[out, r] the factor B, which multiplies the product of A and the input."""
    scale: float
    """The scale s in the merged weights W0 + s·B·A: alpha / r, or alpha / √r for rsLoRA, where r is the adapter's
    rank."""


def read_factors(files: Mapping[str, FileContent], device: torch.device | str = "cpu") -> dict[str, LoraFactors]:
    """Returns a dict from the name of a weight in the Hugging Face model to the LoRA factors that change this weight.

    files: file name to content of the adapter's folder, as PEFT saves it.
    Raises: UserError when the adapter is more than plain LoRA on linear layers, which can't be merged as W0 + s·B·A.
    """
    config = json.loads(bytes(files[ADAPTER_CONFIG]))
    beyond = [name for name in ("use_dora", "rank_pattern", "alpha_pattern", "modules_to_save") if config.get(name)]
    beyond += [name for name in ("fan_in_fan_out", "lora_bias") if config.get(name)]
    if beyond or config.get("bias", "none") != "none":
        raise UserError(
            f"an adapter that uses {', '.join(beyond) or 'bias'} can't be merged; set rollout.publish = adapter"
        )
    tensors = read_tensors(files[ADAPTER_TENSORS], device)
    root = 0.5 if config.get("use_rslora") else 1.0
    factors = {}
    for name, a in tensors.items():
        if name.endswith(".lora_A.weight"):
            module = name.removesuffix(".lora_A.weight")
            scale = config["lora_alpha"] / a.shape[0] ** root
            weight = f"{module.removeprefix(_PEFT_PREFIX)}.weight"
            factors[weight] = LoraFactors(a=a, b=tensors[f"{module}.lora_B.weight"], scale=scale)
    if 2 * len(factors) != len(tensors):
        raise UserError(f"{ADAPTER_TENSORS} can't be merged: it contains tensors other than pairs of lora_A and lora_B")
    return factors


def merge_matrix(base: torch.Tensor, factors: LoraFactors, dtype: torch.dtype) -> torch.Tensor:
    """Returns the merged matrix W0 + s·B·A, computed in float32 and rounded once to `dtype`, on the factors' device.

    base: the weight matrix W0, [out, in], on any device.
    """
    delta = (factors.b.float() @ factors.a.float()) * factors.scale
    return (base.to(delta.device, non_blocking=True).float() + delta).to(dtype)


@torch.no_grad()
def merge_in_place(model: torch.nn.Module, files: Mapping[str, FileContent]) -> None:
    """Merges an adapter into the weights of `model`, each computed in float32 and rounded once. Needs memory for one
    matrix only.

    files: file name to content of the adapter's folder.
    Raises: UserError when the adapter changes a weight that the model does not have, or is not plain LoRA.
    """
    parameters = dict(model.named_parameters())
    for name, factors in read_factors(files).items():
        if name not in parameters:
            raise UserError(f"the model has no {name}, a weight that the adapter changes")
        parameters[name].copy_(merge_matrix(parameters[name], factors, parameters[name].dtype))


class PristineBase:
    """Copies of the layers that an adapter changes, with the unchanged values from the model's folder.

    Whole layers are copied: the matrix that the adapter changes, its bias, and the matrices that an engine fuses with
    it into one (q, k, v; gate, up). An engine that repacks weights at loading accepts only whole fused matrices.
    """

    def __init__(self, folder: Path, adapted: frozenset[str], *, device: torch.device | str, pin_memory: bool):
        """adapted: names, in the Hugging Face model, of the weights that the adapter changes.
        pin_memory: True to keep the copies in page-locked CPU memory, False to keep them on `device`.

        Raises: UserError when a weight in `adapted` is not in `folder`.
        """
        self.adapted = adapted
        self._tensors: dict[str, torch.Tensor] = {}
        self._stored_name: dict[str, str] = {}
        layers = {_layer(name) for name in adapted}
        for stored_name, tensor in stored_weights(folder, lambda stored: _layer(name_in_model(stored)) in layers):
            name = name_in_model(stored_name)
            self._tensors[name] = tensor.pin_memory() if pin_memory else tensor.to(device)
            self._stored_name[name] = stored_name
        if missing := sorted(adapted - set(self._tensors)):
            raise UserError(
                f"model folder {folder} does not contain {missing[0]}, a weight that the adapter changes "
                f"({len(missing)} such weights are missing)"
            )

    def merged(self, factors: Mapping[str, LoraFactors], dtype: torch.dtype) -> Iterator[tuple[str, torch.Tensor]]:
        """Yields (name in the model's folder, value) of every copied weight: the merged value if the adapter changes
        the weight, otherwise the value in the folder.

        Raises: ValueError when the weights in `factors` are not exactly those in `adapted`.
        """
        if set(factors) != self.adapted:
            raise ValueError("this adapter changes other matrices than the first adapter sent to the engines")
        for name, tensor in self._tensors.items():
            found = factors.get(name)
            yield self._stored_name[name], tensor if found is None else merge_matrix(tensor, found, dtype)

    def expected(self, factors: Mapping[str, LoraFactors], version: int) -> Iterator[tuple[str, ExpectedColumns]]:
        """Yields (name in the model, expected columns) of each weight that the adapter changes, for the comparison with
        the weights that an engine serves (see `vaserl.policy.readback`)."""
        for name, found in factors.items():
            base = self._tensors[name]
            columns = sampled_columns(base.shape[1], version)
            chosen = base[:, columns].to(found.a.device, non_blocking=True)
            yield name, merged_columns(chosen, found.a[:, columns], found.b, found.scale)


def _layer(weight: str) -> str:
    """Returns the name of the block that contains a weight: `….layers.0.self_attn.q_proj.weight` ->
    `….layers.0.self_attn`."""
    return weight.rsplit(".", 2)[0]
