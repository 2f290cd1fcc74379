"""The vision tower without its language model: computes the features of clips that a feature store keeps.

A frozen tower's output for a clip is constant. `FeatureRecipe` lists everything that it depends on and is part of a
stored entry's key, so features made by another tower, processor or precision have another key and are never used by
mistake.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vaserl.errors import UserError
from vaserl.policy.clips import ClipFeatures, ClipPixels
from vaserl.policy.model_folder import check_model_folder, name_in_model, stored_weights

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
_TOWER = "model.visual."


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRecipe:
    """Everything besides the clip that its features (the vision tower's output) depend on."""

    num_frames: int
    """Number of the clip's frames that are given to the tower, evenly spaced."""
    frames_per_patch: int
    """Number of consecutive frames that become one temporal patch."""
    processor: str
    """sha256 of the settings of the video processor, which turns frames into patches."""
    vision: str
    """sha256 of the tower's configuration and weights, and of the library that runs it."""
    dtype: str
    """Precision of the tower and of its features: "float32" or "bfloat16"."""

    def key(self, clip_hash: str, rotation: int) -> str:
        """Returns the key of a clip's features in a store: a sha256 over the clip's content hash, the index of the
        frame shown first and this recipe."""
        parts = [clip_hash, rotation, self.num_frames, self.frames_per_patch, self.processor, self.vision, self.dtype]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def feature_recipe(folder: Path, dtype: str, num_frames: int) -> FeatureRecipe:
    """Returns the recipe of the features that a model folder's vision tower makes. Reads the tower's weights once:
    about a second for 1.3 GB.

    Raises: UserError when the folder holds no Qwen2.5-VL with a vision tower.
    """
    import transformers
    from transformers import AutoConfig, AutoProcessor

    check_model_folder(folder)
    vision = AutoConfig.from_pretrained(folder).vision_config
    processor: Any = AutoProcessor.from_pretrained(folder)
    total = hashlib.sha256(_canonical(vision.to_dict()) + transformers.__version__.encode())
    for name, tensor in _vision_weights(folder):
        total.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
        total.update(tensor.contiguous().view(torch.uint8).numpy().data)
    return FeatureRecipe(
        num_frames=num_frames,
        frames_per_patch=vision.temporal_patch_size,
        processor=hashlib.sha256(_canonical(processor.video_processor.to_dict())).hexdigest(),
        vision=total.hexdigest(),
        dtype=dtype,
    )


class VisionTower:
    """The vision tower of a model folder, loaded without the language model."""

    def __init__(self, folder: Path, dtype: str, device: str):
        from transformers import AutoConfig
        from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionTransformerPretrainedModel as Tower

        check_model_folder(folder)
        config = AutoConfig.from_pretrained(folder).vision_config
        # only parameters change precision: the rotary frequencies stay float32, as in a model loaded whole
        tower: Any = Tower._from_config(config, attn_implementation="sdpa", dtype=DTYPES[dtype])
        tower.load_state_dict(dict(_vision_weights(folder)), strict=True)
        self._tower = tower.to(device).eval()

    @torch.no_grad()
    def encode(self, pixels: ClipPixels) -> ClipFeatures:
        """Returns one clip's features, on the CPU. Clips are never batched: a batch is rounded differently, and
        features must be the same whenever they are computed again."""
        patches = pixels.patches.to(self._tower.device, self._tower.dtype)
        output = self._tower(patches, grid_thw=torch.tensor([pixels.patch_grid], device=patches.device))
        return pixels.encoded(output.pooler_output.cpu())


def _vision_weights(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Yields (name within the tower, value) of each of the tower's weights, sorted by name.

    Raises: UserError when the folder has no such weight.
    """
    is_empty = True
    for name, tensor in stored_weights(folder, lambda stored: name_in_model(stored).startswith(_TOWER)):
        is_empty = False
        yield name_in_model(name).removeprefix(_TOWER), tensor
    if is_empty:
        raise UserError(f"model folder {folder} has no vision tower in its *.safetensors files")


def _canonical(values: dict[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, default=str).encode()
