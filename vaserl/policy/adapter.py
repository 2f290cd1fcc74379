"""LoRA adapters: where they attach, and how they travel as bytes."""

import copy
import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from vaserl.errors import UserError
from vaserl.policy.merge import ADAPTER_CONFIG, ADAPTER_TENSORS
from vaserl.policy.tensor_file import Content, TensorFile, raw
from vaserl.settings import LANGUAGE_MODEL_LINEARS
from vaserl.types import UNVOUCHED, Fingerprint, Weights

FINGERPRINT = "fingerprint.json"
DIGEST_CHUNK = 4 << 20


def add_lora(model: Any, *, rank: int, alpha: int, target_modules: str = LANGUAGE_MODEL_LINEARS) -> Any:
    """Wraps `model` with a fresh LoRA adapter (B = 0, so the policy starts as the base).

    Returns: the PEFT model; the layers of `model` itself are replaced in place.
    """
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=target_modules, lora_dropout=0.0, task_type=None)
    return get_peft_model(model, config)


class AdapterWriter:
    """Writes a PEFT model's adapter as the folder PEFT would have saved, again and again, without touching a disk."""

    def __init__(self, peft_model: Any):
        self._peft_model = peft_model
        config = copy.copy(peft_model.peft_config["default"])
        config.inference_mode = True
        with tempfile.TemporaryDirectory() as scratch:
            config.save_pretrained(scratch)
            self._config = (Path(scratch) / ADAPTER_CONFIG).read_bytes()
        self._tensors = TensorFile()

    def files(self) -> dict[str, Content]:
        """File name to content, as of now. The next call overwrites what this one returned."""
        from peft import get_peft_model_state_dict

        state = get_peft_model_state_dict(self._peft_model, save_embedding_layers=False)
        return {ADAPTER_CONFIG: self._config, ADAPTER_TENSORS: self._tensors.fill(state)}


def adapter_files(peft_model: Any) -> dict[str, Content]:
    """The folder PEFT would save, as file name to content."""
    return AdapterWriter(peft_model).files()


def make_weights(version: int, files: Mapping[str, Content], fingerprint: Fingerprint = UNVOUCHED) -> Weights:
    """Weights with their digest."""
    return Weights(version=version, files=dict(files), digest=digest(files), fingerprint=fingerprint)


def digest(files: Mapping[str, Content]) -> str:
    """sha256, hex, over the sorted file names, each followed by the sha256 of every DIGEST_CHUNK bytes of its content.

    The chunks are hashed side by side: one thread alone takes a tenth of a second and more for a 7B model's adapter.
    """
    chunks = [
        (name, view[start : start + DIGEST_CHUNK])
        for name in sorted(files)
        for view in [raw(files[name])]
        for start in range(0, max(len(view), 1), DIGEST_CHUNK)
    ]
    total = hashlib.sha256()
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as threads:
        each = (threads.map if len(chunks) > len(files) else map)(_sha256, (chunk for _, chunk in chunks))
        for (name, chunk), part in zip(chunks, each, strict=True):
            total.update(f"{name}\0{len(chunk)}\0".encode() + part)
    return total.hexdigest()


def check_digest(weights: Weights) -> None:
    """Raises: ValueError when the bytes are not those the digest was taken of."""
    if digest(weights.files) != weights.digest:
        raise ValueError(f"weights v{weights.version} were damaged on the way: digest does not match")


def write_weights(weights: Weights, folder: Path) -> Path:
    """Writes the files, and the fingerprint where there is one, into `folder`/v<version> and returns it.

    Raises: ValueError when the bytes are not those the digest was taken of.
    """
    check_digest(weights)
    target = write_files(weights.files, folder / f"v{weights.version:05d}")
    if weights.fingerprint != UNVOUCHED:
        (target / FINGERPRINT).write_text(json.dumps(dataclasses.asdict(weights.fingerprint)) + "\n")
    return target


def write_files(files: Mapping[str, Content], folder: Path) -> Path:
    """Writes each file into `folder`, which is made, and returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(raw(content))
    return folder


def merge_adapter(model: Any, files: Mapping[str, Content]) -> Any:
    """`model` with the adapter's W0 + s B A written into its weights. Returns: an ordinary Hugging Face model."""
    from peft import PeftModel

    with tempfile.TemporaryDirectory() as scratch:
        return PeftModel.from_pretrained(model, str(write_files(files, Path(scratch)))).merge_and_unload()


def read_adapter(folder: Path) -> dict[str, Content]:
    """The files of an adapter folder.

    Raises: UserError when it is not one.
    """
    names = (ADAPTER_CONFIG, ADAPTER_TENSORS)
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise UserError(f"adapter folder {folder} lacks {' and '.join(missing)}")
    return {name: (folder / name).read_bytes() for name in names}


def read_fingerprint(folder: Path) -> Fingerprint:
    """The fingerprint that `write_weights` left in `folder`; UNVOUCHED when the weights come from elsewhere."""
    if not (folder / FINGERPRINT).is_file():
        return UNVOUCHED
    found = json.loads((folder / FINGERPRINT).read_text())
    return Fingerprint(token_ids=tuple(found["token_ids"]), logprobs=tuple(found["logprobs"]))


def _sha256(content: memoryview) -> bytes:
    return hashlib.sha256(content).digest()
