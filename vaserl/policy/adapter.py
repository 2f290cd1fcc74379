"""LoRA adapters in PEFT's format: adds an adapter to a model, merges one into a model, and makes or reads its files."""

import copy
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from vaserl.errors import UserError
from vaserl.policy.tensor_file import FileContent, TensorFile
from vaserl.policy.weights import write_files
from vaserl.settings import LANGUAGE_MODEL_LINEARS

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_TENSORS = "adapter_model.safetensors"


def add_lora(model: Any, *, rank: int, alpha: int, target_modules: str = LANGUAGE_MODEL_LINEARS) -> Any:
    """Adds a new LoRA adapter to `model`. The adapter's matrix B is initially 0, so the model's output does not change
    yet.

    Returns: the PEFT model that wraps `model`. The adapted layers of `model` itself are replaced in place.

    Raises: UserError when an adapted layer is tied to another one.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=target_modules, lora_dropout=0.0, task_type=None)
    peft_model = get_peft_model(model, config)
    embedding = model.get_input_embeddings()
    head = getattr(model.get_output_embeddings(), "base_layer", model.get_output_embeddings())
    is_adapted = any(hasattr(layer, "base_layer") for layer in (embedding, model.get_output_embeddings()))
    if is_adapted and getattr(embedding, "base_layer", embedding).weight is head.weight:
        raise UserError(
            f"learner.lora.target_modules = {target_modules!r} adapts the embedding or the output layer, but in this "
            "model both have one matrix (tie_word_embeddings), so neither can change alone; leave them out"
        )
    return peft_model


def adapter_tensors(peft_model: Any) -> dict[str, torch.Tensor]:
    """Returns the tensors of a PEFT model's adapter, not copied, by their names in the adapter's file."""
    from peft import get_peft_model_state_dict

    return get_peft_model_state_dict(peft_model, save_embedding_layers=False)


def add_frozen_copy(peft_model: Any, name: str) -> None:
    """Adds a second adapter with the values of the PEFT model's own adapter, which is not trained and not active."""
    config = copy.copy(peft_model.peft_config["default"])
    peft_model.add_adapter(name, config)
    parameters = dict(peft_model.named_parameters())
    for own, parameter in parameters.items():
        if ".default." in own:
            twin = parameters[own.replace(".default.", f".{name}.")]
            twin.data.copy_(parameter.data)
            twin.requires_grad_(False)
            parameter.requires_grad_(True)


@contextmanager
def active_adapter(peft_model: Any, name: str) -> Iterator[None]:
    """Lets the PEFT model compute with another of its adapters inside the `with` block.

    PEFT's own `set_adapter` also makes that adapter trainable and the others not, which would change the parameters
    under DeepSpeed.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = [layer for layer in peft_model.modules() if isinstance(layer, BaseTunerLayer)]
    before = [layer._active_adapter for layer in layers]
    for layer in layers:
        layer._active_adapter = name
    try:
        yield
    finally:
        for layer, own in zip(layers, before, strict=True):
            layer._active_adapter = own


class AdapterWriter:
    """Serialiser of a PEFT model's adapter. Makes, in memory, the files that PEFT would save; all calls of `files` use
    the same buffer."""

    def __init__(self, peft_model: Any):
        self._peft_model = peft_model
        config = copy.copy(peft_model.peft_config["default"])
        config.inference_mode = True
        with tempfile.TemporaryDirectory() as scratch:
            config.save_pretrained(scratch)
            self._config = (Path(scratch) / ADAPTER_CONFIG).read_bytes()
        self._tensors = TensorFile()

    def files(self) -> dict[str, FileContent]:
        """Returns the adapter's files as a dict from file name to content. The next call overwrites the returned
        content."""
        return {ADAPTER_CONFIG: self._config, ADAPTER_TENSORS: self._tensors.fill(adapter_tensors(self._peft_model))}


def adapter_files(peft_model: Any) -> dict[str, FileContent]:
    """Returns the files that PEFT would save in the adapter's folder, as a dict from file name to content."""
    return AdapterWriter(peft_model).files()


def merge_adapter(model: Any, files: Mapping[str, FileContent]) -> Any:
    """Merges a LoRA adapter into the weights of `model`. Returns: an ordinary Hugging Face model.

    files: file name to content of the adapter's folder.
    """
    from peft import PeftModel

    with tempfile.TemporaryDirectory() as scratch:
        return PeftModel.from_pretrained(model, str(write_files(files, Path(scratch)))).merge_and_unload()


def read_adapter(folder: Path) -> dict[str, FileContent]:
    """Returns the files of an adapter's folder as a dict from file name to content.

    Raises: UserError when the folder does not contain both the adapter's config and its tensors.
    """
    names = (ADAPTER_CONFIG, ADAPTER_TENSORS)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise UserError(f"adapter folder {folder} does not contain {' and '.join(missing)}")
    return {name: (folder / name).read_bytes() for name in names}
