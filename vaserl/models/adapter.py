"""LoRA adapters: where they attach, and how they travel as bytes."""

import hashlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vaserl.errors import UserError
from vaserl.types import Weights

LANGUAGE_MODEL_LINEARS = r".*language_model.*\.(q_proj|k_proj|v_proj|o_proj|gate_proj|up_proj|down_proj)"
"""All linear layers of the language model. Vision layers are left out: the engine can't serve adapters on them."""


def add_lora(model: Any, *, rank: int, alpha: int, target_modules: str = LANGUAGE_MODEL_LINEARS) -> Any:
    """Wraps `model` with a fresh LoRA adapter (B = 0, so the policy starts as the base).

    Returns: the PEFT model; the layers of `model` itself are replaced in place.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=target_modules, lora_dropout=0.0, task_type=None)
    return get_peft_model(model, config)


def adapter_files(peft_model: Any, state: Mapping[str, Any] | None = None) -> dict[str, bytes]:
    """The folder PEFT would save, as file name to bytes; `state` replaces the model's own when ZeRO has split it."""
    with tempfile.TemporaryDirectory() as scratch:
        peft_model.save_pretrained(scratch, state_dict=state, save_embedding_layers=False)
        names = ("adapter_config.json", "adapter_model.safetensors")
        return {name: (Path(scratch) / name).read_bytes() for name in names}


def make_weights(version: int, files: Mapping[str, bytes]) -> Weights:
    """Weights with their digest."""
    return Weights(version=version, files=dict(files), digest=digest(files))


def digest(files: Mapping[str, bytes]) -> str:
    """sha256, hex, over the sorted file names and contents."""
    total = hashlib.sha256()
    for name in sorted(files):
        total.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return total.hexdigest()


def write_weights(weights: Weights, folder: Path) -> Path:
    """Writes the files into `folder`/v<version> and returns it.

    Raises: ValueError when the bytes are not those the digest was taken of.
    """
    if digest(weights.files) != weights.digest:
        raise ValueError(f"weights v{weights.version} were damaged on the way: digest does not match")
    target = folder / f"v{weights.version:05d}"
    target.mkdir(parents=True, exist_ok=True)
    for name, content in weights.files.items():
        (target / name).write_bytes(content)
    return target


def merge_adapter(model: Any, files: Mapping[str, bytes]) -> Any:
    """`model` with the adapter's W0 + s B A written into its weights. Returns: an ordinary Hugging Face model."""
    from peft import PeftModel

    with tempfile.TemporaryDirectory() as scratch:
        for name, content in files.items():
            (Path(scratch) / name).write_bytes(content)
        return PeftModel.from_pretrained(model, scratch).merge_and_unload()


def read_adapter(folder: Path) -> dict[str, bytes]:
    """The files of an adapter folder.

    Raises: UserError when it is not one.
    """
    names = ("adapter_config.json", "adapter_model.safetensors")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise UserError(f"adapter folder {folder} lacks {' and '.join(missing)}")
    return {name: (folder / name).read_bytes() for name in names}
