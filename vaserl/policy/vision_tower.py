"""The vision tower without its language model. It computes the clip features that a feature store saves on disk.

The output of a frozen tower for a clip never changes. `FeatureRecipe` lists everything besides the clip that this
output depends on, and the key of a stored entry contains it. So features from another tower, processor or precision
have another key and are never used by mistake.
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
    """Everything, except the clip itself, that the clip's features (the vision tower's output) depend on."""

    num_frames: int
    """Number of frames of the clip, evenly spaced, that the vision tower processes."""
    frames_per_patch: int
    """Number of consecutive frames that become one temporal patch."""
    processor: str
    """sha256 of the settings of the video processor, which turns frames into patches."""
    vision: str
    """sha256 over the vision tower's configuration, its weights, and the version of transformers, which runs the
    tower."""
    dtype: str
    """Precision of the vision tower and of its features: "float32" or "bfloat16"."""

    def key(self, clip_hash: str, rotation: int) -> str:
        """Returns the key of a clip's features in a feature store: a sha256 over the clip's content hash, the index of
        the frame shown first (`rotation`) and this recipe."""
        parts = [clip_hash, rotation, self.num_frames, self.frames_per_patch, self.processor, self.vision, self.dtype]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def feature_recipe(folder: Path, dtype: str, num_frames: int) -> FeatureRecipe:
    """Returns the recipe of the features that the vision tower in a model folder computes. Reads the tower's weights
    once, which takes about a second for 1.3 GB.

    Raises: UserError when the folder does not contain a Qwen2.5-VL with a vision tower.
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
    """The vision tower of the model in a folder, loaded without the language model."""

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
        """Computes one clip's features and returns them in CPU memory. Clips are never batched, because rounding
        depends on the batch and a clip's features must be the same whenever they are computed again."""
        patches = pixels.patches.to(self._tower.device, self._tower.dtype)
        output = self._tower(patches, grid_thw=torch.tensor([pixels.patch_grid], device=patches.device))
        return pixels.encoded(output.pooler_output.cpu())


def _vision_weights(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Yields (name within the vision tower, value) of each of the tower's weights, sorted by name.

    Raises: UserError when the folder contains no weights of a vision tower.
    """
    is_empty = True
    for name, tensor in stored_weights(folder, lambda stored: name_in_model(stored).startswith(_TOWER)):
        is_empty = False
        yield name_in_model(name).removeprefix(_TOWER), tensor
    if is_empty:
        raise UserError(f"model folder {folder} has no vision tower: its *.safetensors files contain no weights of one")


def _canonical(values: dict[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, default=str).encode()
