"""Tests the vision tower against the whole model, and the key under which its features are stored."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.conftest import make_clip
from vaserl.errors import UserError
from vaserl.policy.groups import samples_group
from vaserl.policy.layout import shared_prefix_layout
from vaserl.policy.pixel_cache import rotated
from vaserl.policy.policy import Policy, load_model
from vaserl.policy.prompter import Prompter
from vaserl.policy.vision_tower import DTYPES, FeatureRecipe, VisionTower, feature_recipe
from vaserl.types import PromptSamples, Sample


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_vision_tower_equals_the_whole_models_bit_for_bit(tiny_model: Path, dtype: str):
    pixels = Prompter(tiny_model).pixels(make_clip(3, height=84, width=112))
    with torch.no_grad():
        whole = Policy(load_model(tiny_model, DTYPES[dtype])).video_features([pixels])
    encoded = VisionTower(tiny_model, dtype, "cpu").encode(pixels)
    assert encoded.features.dtype == DTYPES[dtype]
    assert torch.equal(encoded.features, whole)
    assert encoded.features.shape == (pixels.grid.num_tokens, 128)
    assert (encoded.grid, encoded.patch_grid) == (pixels.grid, pixels.patch_grid)
    assert encoded.seconds_per_patch == 2 / 4.0


def test_begun_later_reorders_the_features_of_a_turned_clip(tiny_model: Path):
    prompter, tower = Prompter(tiny_model), VisionTower(tiny_model, "float32", "cpu")
    clip = make_clip(5)
    for phase in (0, 1):
        first = tower.encode(prompter.pixels(rotated(clip, phase)))
        for num_patches in (1, 2, 3):
            later = tower.encode(prompter.pixels(rotated(clip, phase + 2 * num_patches)))
            assert (first.begun_later(num_patches).features - later.features).abs().max() <= 1e-6
            assert (first.features - later.features).abs().max() > 1e-2  # they do differ


def test_policy_logprobs_from_features_are_those_from_pixels(tiny_model: Path):
    prompter, model = Prompter(tiny_model), load_model(tiny_model)
    tower = VisionTower(tiny_model, "float32", "cpu")
    pixels = [prompter.pixels(make_clip(seed)) for seed in (1, 2)]
    features = [tower.encode(clip) for clip in pixels]
    samples = tuple(Sample(token_ids=ids, logprobs=(), advantage=0.0) for ids in ((20, 30, 40), (50,)))
    prompt_ids = prompter.token_ids("Describe the vase.", pixels[0].grid)
    handed = PromptSamples(clip="", prompt_ids=prompt_ids, samples=samples)
    group = samples_group(handed, pixels[0].grid, prompter.video_token_id)
    layout = shared_prefix_layout([group, group])
    model.model.visual.requires_grad_(False)
    policy = Policy(model)
    calls = []
    model.model.visual.register_forward_hook(lambda *_: calls.append(1))

    from_pixels, _ = policy(pixels, layout, 0.9)
    assert len(calls) == 1
    from_features, _ = policy(features, layout, 0.9)
    assert len(calls) == 1
    assert (from_pixels - from_features).abs().max() <= 1e-6
    mixed, _ = policy([features[0], pixels[1]], layout, 0.9)
    assert (from_pixels - mixed).abs().max() <= 1e-6
    swapped, _ = policy([features[1], features[0]], layout, 0.9)
    assert (from_pixels - swapped).abs().max() > 1e-3

    model.model.visual.requires_grad_(True)
    with pytest.raises(ValueError, match="vision tower is trained"):
        policy(features, layout, 0.9)


@pytest.fixture(scope="module")
def recipe(tiny_model: Path) -> FeatureRecipe:
    return feature_recipe(tiny_model, "float32", 8)


def change_weight(folder: Path, name: str) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors[name].view(torch.int32).flatten()[0] ^= 1
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def change_json(folder: Path, file: str, old: str, new: str) -> None:
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))


CHANGES = {
    "one bit of the tower": (lambda f: change_weight(f, "visual.blocks.0.attn.proj.weight"), True),
    "the tower's windows": (lambda f: change_json(f, "config.json", '"window_size": 112', '"window_size": 56'), True),
    "the processor": (lambda f: change_json(f, "processor_config.json", "0.48145466", "0.5"), True),
    "one bit of the language model": (lambda f: change_weight(f, "lm_head.weight"), False),
    "nothing": (lambda f: None, False),
}


@pytest.mark.parametrize("name", CHANGES)
def test_feature_recipe_key_changes_with_what_features_depend_on(tiny_model, recipe, tmp_path, name):
    change, is_another = CHANGES[name]
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    change(folder)
    assert (feature_recipe(folder, "float32", 8).key("clip", 0) != recipe.key("clip", 0)) == is_another


def test_feature_recipe_key_depends_on_every_field(recipe: FeatureRecipe):
    others = [
        replace(recipe, **{name: value})
        for name, value in {
            "num_frames": 4,
            "frames_per_patch": 1,
            "processor": "0",
            "vision": "0",
            "dtype": "bfloat16",
        }.items()
    ]
    assert len(others) == len(FeatureRecipe.__dataclass_fields__)
    keys = [recipe.key("clip", 0), recipe.key("clip", 1), recipe.key("other", 0), *[o.key("clip", 0) for o in others]]
    assert len(set(keys)) == len(keys)
    assert all(len(key) == 64 and int(key, 16) for key in keys)


def test_feature_recipe_refuses_a_folder_without_a_tower(tmp_path: Path, tiny_model: Path):
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    save_file({n: t for n, t in tensors.items() if "visual." not in n}, folder / "model.safetensors")
    with pytest.raises(UserError, match="has no vision tower"):
        feature_recipe(folder, "float32", 8)


def test_feature_recipe_of_a_sharded_folder_is_the_same(tmp_path: Path, tiny_model: Path, recipe: FeatureRecipe):
    """Uses shards with the weight names of later transformers releases."""
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    for part in range(2):
        names = sorted(tensors)[part::2]
        renamed = {f"model.{name}" if name.startswith("visual.") else name: tensors[name] for name in names}
        save_file(renamed, folder / f"model-{part}.safetensors", metadata={"format": "pt"})
    assert json.loads((folder / "config.json").read_text())["model_type"] == "qwen2_5_vl"
    assert feature_recipe(folder, "float32", 8) == recipe
