"""A small open_clip model with random weights, in open_clip's folder format."""

import json
from pathlib import Path

import open_clip
import safetensors.torch
import torch

_CONFIG = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 8},
    "text_cfg": {"context_length": 40, "vocab_size": 49408, "width": 8, "heads": 1, "layers": 1},
}


def save_random_clip(folder: Path, resize_mode: str = "shortest") -> None:
    """Writes a model to `folder`, which `open_clip.path` can be.

    resize_mode: how its preprocessing makes a photograph square: "shortest" crops, as most CLIP models' does.
    """
    torch.manual_seed(0)
    folder.mkdir(parents=True)
    safetensors.torch.save_file(open_clip.CLIP(**_CONFIG).state_dict(), folder / "open_clip_model.safetensors")
    config = {"model_cfg": _CONFIG, "preprocess_cfg": {"interpolation": "bicubic", "resize_mode": resize_mode}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
