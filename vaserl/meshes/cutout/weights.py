"""Writes and reads the network's weights with their recipe; weights of another hash are refused."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save

from vaserl.errors import UserError
from vaserl.files import write_atomic
from vaserl.meshes.cutout.network import CutoutNet

CUTOUT_WEIGHTS = "cutout.safetensors"
CUTOUT_RECIPE = "cutout.json"
MAX_WEIGHTS_MB = 4.0
"""Largest file of weights, in millions of bytes."""


def load_cutout(folder: Path | None = None) -> CutoutNet:
    """Returns the network in evaluation mode, with the weights in `folder`; by default those beside this module.

    Raises: UserError when a file is missing or unreadable, or when the weights are not those of the recipe.
    """
    folder = Path(__file__).parent if folder is None else folder
    path, recipe_path = folder / CUTOUT_WEIGHTS, folder / CUTOUT_RECIPE
    for needed in (path, recipe_path):
        if not needed.is_file():
            raise UserError(
                f"{needed} is missing; install vaserl again, or train the weights with `python -m launch train-cutout`"
            )
    try:
        recipe = json.loads(recipe_path.read_text())
        expected = recipe["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{recipe_path} is not a recipe of weights; it must hold their sha256") from error
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise UserError(
            f"{path} has sha256 {found[:12]}…, but {recipe_path.name} beside it says {str(expected)[:12]}…; "
            "take both files from one training or from one installation"
        )
    network = CutoutNet(**recipe.get("shape", {}))
    network.load_state_dict({name: tensor.float() for name, tensor in load(content).items()}, strict=False)
    return network.eval().to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


def save_cutout(state: Mapping[str, torch.Tensor], folder: Path, recipe: Mapping[str, Any]) -> Path:
    """Writes weights in float16 and their recipe into `folder`; returns the path of the weights.

    state: the network's state. Counters of batch normalisation are left out.
    """
    kept = {name: tensor.half().cpu().contiguous() for name, tensor in state.items() if tensor.is_floating_point()}
    content = save(kept)
    if len(content) > MAX_WEIGHTS_MB * 1e6:
        raise ValueError(f"the weights take {len(content) / 1e6:.1f} MB, more than {MAX_WEIGHTS_MB}")
    folder.mkdir(parents=True, exist_ok=True)
    whole = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content), **recipe}
    write_atomic(folder / CUTOUT_WEIGHTS, content)
    write_atomic(folder / CUTOUT_RECIPE, (json.dumps(whole, indent=1) + "\n").encode())
    return folder / CUTOUT_WEIGHTS
