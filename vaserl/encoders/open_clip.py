"""Loads open_clip models from local files."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import safetensors
import torch
from PIL import Image

from vaserl.errors import UserError
from vaserl.settings import OpenClipSettings

Preprocess = Callable[[Image.Image], torch.Tensor]
Tokenizer = Callable[[list[str]], torch.Tensor]

_BATCH_SIZE = 256


def load_open_clip(settings: OpenClipSettings) -> tuple[Any, Preprocess, Tokenizer]:
    """Returns an open_clip model in evaluation mode, its image preprocessing and its tokenizer.

    Raises: UserError when the folder or file is missing or open_clip can't load it.
    """
    path = settings.path
    assert path is not None, "the settings are checked before the run"
    if path.is_dir():
        _check_folder(path)
        name, weights = f"local-dir:{path}", None
    elif path.is_file():
        if settings.name not in open_clip.list_models():
            raise UserError(
                f"open_clip.name {settings.name!r}: open_clip has no such model; see open_clip.list_models()"
            )
        name, weights = settings.name, str(path)
    else:
        raise UserError(f"open_clip.path {path}: no such file or folder")
    try:
        loaded: Any = open_clip.create_model_from_pretrained(name, pretrained=weights)
    except (RuntimeError, ValueError, OSError, safetensors.SafetensorError) as error:
        raise UserError(f"open_clip.path {path}: open_clip can't load it as {name}: {error}") from error
    model, preprocess = loaded
    return model.eval(), preprocess, _local_tokenizer(path, name)


def _local_tokenizer(path: Path, name: str) -> Tokenizer:
    """Returns the tokenizer of a model, without downloading it.

    Raises: UserError when the model's tokenizer, such as SigLIP's, is a file of its own and isn't on this machine.
    """
    config = json.loads((path / "open_clip_config.json").read_text())["model_cfg"] if path.is_dir() else None
    text = (config or open_clip.get_model_config(name) or {}).get("text_cfg", {})
    options: Any = {"local_files_only": True} if text.get("hf_tokenizer_name") else {}
    try:
        return open_clip.get_tokenizer(name, **options)
    except (OSError, ValueError) as error:
        raise UserError(
            f"open_clip.path {path}: the tokenizer of {name}, {text.get('hf_tokenizer_name')}, is not on this machine; "
            "give a folder in open_clip's format that contains the tokenizer's files too"
        ) from error


def _check_folder(folder: Path) -> None:
    config = folder / "open_clip_config.json"
    try:
        json.loads(config.read_text())["model_cfg"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"open_clip.path {folder}: {config.name} is missing or has no model_cfg ({error})") from error


def open_clip_text_encoder(folder: Path) -> Callable[[Sequence[str]], np.ndarray]:
    """Returns a function that encodes N texts as unnormalised embeddings of E numbers each, float32 [N, E].

    Raises: UserError when the folder is not an open_clip model.
    """
    if not (folder / "open_clip_config.json").is_file():
        raise UserError(f"clip_model {folder} is not an open_clip folder: it has no open_clip_config.json")
    name = f"local-dir:{folder}"
    model: Any = open_clip.create_model_from_pretrained(name)[0]  # pyright: ignore[reportIndexIssue]
    tokenizer = open_clip.get_tokenizer(name)

    @torch.no_grad()
    def encode(texts: Sequence[str]) -> np.ndarray:
        batches = [tokenizer(list(texts[i : i + _BATCH_SIZE])) for i in range(0, len(texts), _BATCH_SIZE)]
        return torch.cat([model.encode_text(batch) for batch in batches]).float().numpy()

    return encode
