"""LoRA adapters in PEFT's format: adding one to a model, merging it, and the files of its folder as bytes in memory."""

import copy
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vaserl.errors import UserError
from vaserl.policy.tensor_file import FileContent, TensorFile
from vaserl.policy.weights import write_files
from vaserl.settings import LANGUAGE_MODEL_LINEARS

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_TENSORS = "adapter_model.safetensors"


def add_lora(model: Any, *, rank: int, alpha: int, target_modules: str = LANGUAGE_MODEL_LINEARS) -> Any:
    """Adds a new LoRA adapter to `model`. Its factor B is 0, so the policy at first equals the base model.

    Returns: the PEFT model; the layers of `model` itself are replaced in place.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=target_modules, lora_dropout=0.0, task_type=None)
    return get_peft_model(model, config)


class AdapterWriter:
    """Serialiser of a PEFT model's adapter: makes the files that PEFT would save, in a buffer that calls reuse."""

    def __init__(self, peft_model: Any):
        self._peft_model = peft_model
        config = copy.copy(peft_model.peft_config["default"])
        config.inference_mode = True
        with tempfile.TemporaryDirectory() as scratch:
            config.save_pretrained(scratch)
            self._config = (Path(scratch) / ADAPTER_CONFIG).read_bytes()
        self._tensors = TensorFile()

    def files(self) -> dict[str, FileContent]:
        """Returns the adapter's files, as file name to content. The next call overwrites this content."""
        from peft import get_peft_model_state_dict

        state = get_peft_model_state_dict(self._peft_model, save_embedding_layers=False)
        return {ADAPTER_CONFIG: self._config, ADAPTER_TENSORS: self._tensors.fill(state)}


def adapter_files(peft_model: Any) -> dict[str, FileContent]:
    """Returns the files of the adapter folder that PEFT would save, as file name to content."""
    return AdapterWriter(peft_model).files()


def merge_adapter(model: Any, files: Mapping[str, FileContent]) -> Any:
    """Adds the adapter's update s·B·A to the weights of `model`. Returns: an ordinary Hugging Face model."""
    from peft import PeftModel

    with tempfile.TemporaryDirectory() as scratch:
        return PeftModel.from_pretrained(model, str(write_files(files, Path(scratch)))).merge_and_unload()


def read_adapter(folder: Path) -> dict[str, FileContent]:
    """Returns the files of an adapter folder, as file name to content.

    Raises: UserError when a file is missing.
    """
    names = (ADAPTER_CONFIG, ADAPTER_TENSORS)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise UserError(f"adapter folder {folder} lacks {' and '.join(missing)}")
    return {name: (folder / name).read_bytes() for name in names}
