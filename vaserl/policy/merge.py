"""A LoRA adapter written into the weights it was trained on: W0 + s·B·A, always from the pristine W0.

Sums onto an already merged matrix would drift; from a pristine copy the hundredth version is, to the bit, what it
would have been as the first.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from vaserl.errors import UserError
from vaserl.policy.tensor_file import Content, read_tensors

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_TENSORS = "adapter_model.safetensors"
_PEFT_PREFIX = "base_model.model."


@dataclass(frozen=True, slots=True, kw_only=True)
class Factors:
    """The adapter of one matrix."""

    a: torch.Tensor
    """[r, in] the factor that reads."""
    b: torch.Tensor
    """[out, r] the factor that writes."""
    scale: float
    """s = alpha / r."""


def read_factors(files: Mapping[str, Content], device: torch.device | str = "cpu") -> dict[str, Factors]:
    """The factors in a PEFT folder's files, by the name of the weight they belong to in the Hugging Face model.

    Raises: UserError when the adapter is more than plain LoRA on linear layers, and so can't be merged by the formula.
    """
    config = json.loads(bytes(files[ADAPTER_CONFIG]))
    beyond = [name for name in ("use_dora", "rank_pattern", "alpha_pattern", "modules_to_save") if config.get(name)]
    beyond += [name for name in ("fan_in_fan_out", "lora_bias") if config.get(name)]
    if beyond or config.get("bias", "none") != "none":
        raise UserError(f"an adapter with {', '.join(beyond) or 'bias'} can't be merged; set rollout.publish = adapter")
    tensors = read_tensors(files[ADAPTER_TENSORS], device)
    root = 0.5 if config.get("use_rslora") else 1.0
    factors = {}
    for name, a in tensors.items():
        if name.endswith(".lora_A.weight"):
            module = name.removesuffix(".lora_A.weight")
            scale = config["lora_alpha"] / a.shape[0] ** root
            weight = f"{module.removeprefix(_PEFT_PREFIX)}.weight"
            factors[weight] = Factors(a=a, b=tensors[f"{module}.lora_B.weight"], scale=scale)
    if 2 * len(factors) != len(tensors):
        raise UserError(f"{ADAPTER_TENSORS} holds more than pairs of lora_A and lora_B and can't be merged")
    return factors


def merge(base: torch.Tensor, factors: Factors, dtype: torch.dtype) -> torch.Tensor:
    """W0 + s·B·A in float32, rounded once to `dtype`. base: [out, in], on any device; the result is on the factors'."""
    delta = (factors.b.float() @ factors.a.float()) * factors.scale
    return (base.to(delta.device, non_blocking=True).float() + delta).to(dtype)


class PristineBase:
    """Copies of the layers that an adapter changes, as the model's folder holds them.

    Whole layers, with the neighbours that an engine fuses into one matrix (q, k, v; gate, up) and their biases: an
    engine that repacks what it loads can only take all of a fused matrix at once.
    """

    def __init__(self, folder: Path, adapted: frozenset[str], *, device: torch.device | str, pin_memory: bool):
        """adapted: names of weights in the Hugging Face model. device: where the copies are kept.

        Raises: UserError when `folder` has no weight of one of these names.
        """
        from safetensors import safe_open

        self.adapted = adapted
        self._tensors: dict[str, torch.Tensor] = {}
        self._stored_name: dict[str, str] = {}
        layers = {_layer(name) for name in adapted}
        for file in sorted(folder.glob("*.safetensors")):
            with safe_open(file, framework="pt") as opened:
                for stored_name in opened.keys():  # noqa: SIM118 - not a dict
                    name = model_name(stored_name)
                    if _layer(name) in layers:
                        tensor = opened.get_tensor(stored_name)
                        self._tensors[name] = tensor.pin_memory() if pin_memory else tensor.to(device)
                        self._stored_name[name] = stored_name
        if missing := sorted(adapted - set(self._tensors)):
            raise UserError(
                f"{folder} holds no weight {missing[0]}, which the adapter changes ({len(missing)} missing)"
            )

    def merged(self, factors: Mapping[str, Factors], dtype: torch.dtype) -> Iterator[tuple[str, torch.Tensor]]:
        """All kept weights under the names that the folder gives them: adapted ones merged, the others as they are.

        Raises: ValueError when the factors are of other matrices than were kept.
        """
        if set(factors) != self.adapted:
            raise ValueError("this adapter changes other matrices than the first one published")
        for name, tensor in self._tensors.items():
            found = factors.get(name)
            yield self._stored_name[name], tensor if found is None else merge(tensor, found, dtype)


def model_name(stored_name: str) -> str:
    """The name that a weight of a Qwen2.5-VL folder has in the model: folders keep the names of its first release."""
    if stored_name.startswith(("model.language_model.", "model.visual.", "lm_head.")):
        return stored_name
    if stored_name.startswith("visual."):
        return f"model.{stored_name}"
    return stored_name.replace("model.", "model.language_model.", 1)


def _layer(weight: str) -> str:
    """The block of layers a weight is in: `….layers.0.self_attn.q_proj.weight` -> `….layers.0.self_attn`."""
    return weight.rsplit(".", 2)[0]
