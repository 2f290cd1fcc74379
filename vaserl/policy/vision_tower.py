"""The vision tower alone, without its language model: what turns a clip into the features that a store can keep.

A frozen tower's output is a constant of the run. `FeatureRecipe` names everything it depends on, so that features
made by another tower, processor or precision are never taken for this one's.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from vaserl.errors import UserError
from vaserl.policy.policy import ClipFeatures, ClipPixels, check_model_folder

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureRecipe:
    """What a clip's features depend on besides the clip."""

    num_frames: int
    """Frames of the clip that the tower sees, evenly spaced."""
    frames_per_patch: int
    """Frames that become one temporal patch."""
    processor: str
    """sha256 of the video processor's settings."""
    vision: str
    """sha256 of the tower's configuration and weights, and of the library that runs it."""
    dtype: str
    """Precision of tower and features: "float32" or "bfloat16"."""

    def key(self, clip_hash: str, rotation: int) -> str:
        """sha256, hex, of the clip's content, its first frame and this recipe: the name of the features."""
        parts = [clip_hash, rotation, self.num_frames, self.frames_per_patch, self.processor, self.vision, self.dtype]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def feature_recipe(folder: Path, dtype: str, num_frames: int) -> FeatureRecipe:
    """The recipe of a model folder; reads the tower's weights once, about a second for 1.3 GB.

    Raises: UserError when the folder holds no Qwen2.5-VL with a vision tower.
    """
    import transformers
    from transformers import AutoConfig, AutoProcessor

    check_model_folder(folder)
    vision = AutoConfig.from_pretrained(folder).vision_config
    processor: Any = AutoProcessor.from_pretrained(folder)
    total = hashlib.sha256(_canonical(vision.to_dict()) + transformers.__version__.encode())
    for name, tensor in _vision_tensors(folder):
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
    """A model folder's vision tower, loaded without the rest."""

    def __init__(self, folder: Path, dtype: str, device: str):
        from transformers import AutoConfig
        from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import Qwen2_5_VisionTransformerPretrainedModel as Tower

        check_model_folder(folder)
        config = AutoConfig.from_pretrained(folder).vision_config
        # only parameters change precision: the rotary frequencies stay float32, as in a model loaded whole
        tower: Any = Tower._from_config(config, attn_implementation="sdpa", dtype=DTYPES[dtype])
        tower.load_state_dict(dict(_vision_tensors(folder)), strict=True)
        self._tower = tower.to(device).eval()

    @torch.no_grad()
    def encode(self, pixels: ClipPixels) -> ClipFeatures:
        """One clip's features, on the CPU. Always one clip at a time: a batch would round differently, and features
        must be the same whenever they are made again."""
        patches = pixels.patches.to(self._tower.device, self._tower.dtype)
        output = self._tower(patches, grid_thw=torch.tensor([pixels.patch_grid], device=patches.device))
        return ClipFeatures(
            features=output.pooler_output.cpu(),
            patch_grid=pixels.patch_grid,
            seconds_per_patch=pixels.seconds_per_patch,
            grid=pixels.grid,
        )


def _vision_tensors(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
    """Name within the tower and value of each of its weights, sorted by name.

    Raises: UserError when there is none.
    """
    from safetensors import safe_open

    where: dict[str, tuple[Path, str]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as opened:
            for name in opened.keys():  # noqa: SIM118 - not a dict
                before, found, own = name.partition("visual.")
                if found and before in ("", "model."):
                    where[own] = (file, name)
    if not where:
        raise UserError(f"model folder {folder} has no vision tower in its *.safetensors files")
    for own, (file, name) in sorted(where.items()):
        with safe_open(file, framework="pt") as opened:
            yield own, opened.get_tensor(name)


def _canonical(values: dict[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, default=str).encode()
