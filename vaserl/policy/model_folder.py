"""Checks a folder with a Qwen2.5-VL checkpoint in the Hugging Face format, and reads its weights one by one."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from vaserl.errors import UserError

MODEL_TYPE = "qwen2_5_vl"
"""Value of model_type in the config.json of a Qwen2.5-VL."""


def check_model_folder(folder: Path | str) -> None:
    """Raises UserError unless `folder` has the config.json of a Qwen2.5-VL."""
    path = Path(folder)
    if not path.is_dir():
        raise UserError(
            f"model folder {path} does not exist. Give a folder with a Qwen2.5-VL checkpoint in the Hugging Face "
            "format (model.path), or make the small one with `make quickstart`."
        )
    config = path / "config.json"
    has_weights = (path / "adapter_config.json").is_file() or (path / "model.safetensors").is_file()
    if has_weights and not config.is_file():
        raise UserError(
            f"model folder {path} contains weights that a run published, not a model. To continue them, keep that "
            f"run's model.path and set start.weights = {str(path)!r}; or make a model folder of them with "
            "`vaserl export`"
        )
    if not config.is_file():
        raise UserError(f"model folder {path} contains no Qwen2.5-VL: config.json is missing")
    family = _model_type(config)
    if family != MODEL_TYPE:
        raise UserError(
            f"model folder {path} contains a model of the family {family!r} (model_type in config.json); only "
            f"{MODEL_TYPE!r}, which is Qwen2.5-VL, can be trained and served. Another family needs its own rotary "
            "positions, prompts and vision features, names of weights, and the parity test of learner and engine: see "
            "docs/tasks.md, Not here yet"
        )


def _model_type(config: Path) -> str:
    try:
        return str(json.loads(config.read_text(encoding="utf-8")).get("model_type", ""))
    except (ValueError, AttributeError, RecursionError) as error:
        raise UserError(f"{config} is not the JSON object of a model: {error}") from error


def stored_weights(folder: Path, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, torch.Tensor]]:
    """Yields (name, value), sorted by name, of each weight for whose name `is_wanted` returns True. No other weight is
    read.

    Names are those in the folder's files. `name_in_model` converts them into the names in the loaded model.
    """
    from safetensors import safe_open

    where: dict[str, Path] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as opened:
            where |= dict.fromkeys(filter(is_wanted, opened.keys()), file)
    for name, file in sorted(where.items()):
        with safe_open(file, framework="pt") as opened:
            yield name, opened.get_tensor(name)


def stored_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Returns the shape of each weight in the folder's safetensors files, by its name there; reads no values."""
    from safetensors import safe_open

    shapes: dict[str, tuple[int, ...]] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as opened:
            names = opened.keys()  # the opened file is no mapping, so it can't be iterated
            shapes |= {name: tuple(opened.get_slice(name).get_shape()) for name in names}
    return shapes


def name_in_model(stored_name: str) -> str:
    """Returns the name that a weight in the files of a Qwen2.5-VL folder has in the model that transformers loads. The
    files use the names of the model's first release, which transformers has changed since."""
    if stored_name.startswith(("model.language_model.", "model.visual.", "lm_head.")):
        return stored_name
    if stored_name.startswith("visual."):
        return f"model.{stored_name}"
    return stored_name.replace("model.", "model.language_model.", 1)
