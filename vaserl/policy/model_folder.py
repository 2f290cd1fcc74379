"""Checks a folder with a Qwen2.5-VL checkpoint in the Hugging Face format, and reads its weights one by one."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from vaserl.errors import UserError


def check_model_folder(folder: Path | str) -> None:
    """Raises UserError unless `folder` has the config.json of a Qwen2.5-VL."""
    path = Path(folder)
    if not path.is_dir():
        raise UserError(
            f"model folder {path} does not exist. Give a folder with a Qwen2.5-VL checkpoint in the Hugging Face "
            "format (model.path), or make the small one with `make quickstart`."
        )
    config = path / "config.json"
    if not config.is_file() or '"qwen2_5_vl"' not in config.read_text():
        raise UserError(f"model folder {path} holds no Qwen2.5-VL: its config.json is missing or of another model_type")


def stored_weights(folder: Path, is_wanted: Callable[[str], bool]) -> Iterator[tuple[str, torch.Tensor]]:
    """Yields (name, value) of each weight whose name satisfies `is_wanted`, sorted by name; only these are read.

    Names are those in the folder's files, which differ from those in the loaded model, see `name_in_model`.
    """
    from safetensors import safe_open

    where: dict[str, Path] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, framework="pt") as opened:
            where |= dict.fromkeys(filter(is_wanted, opened.keys()), file)
    for name, file in sorted(where.items()):
        with safe_open(file, framework="pt") as opened:
            yield name, opened.get_tensor(name)


def name_in_model(stored_name: str) -> str:
    """Returns the name that a weight of a Qwen2.5-VL folder has in the loaded model: the files keep the names of the
    first release."""
    if stored_name.startswith(("model.language_model.", "model.visual.", "lm_head.")):
        return stored_name
    if stored_name.startswith("visual."):
        return f"model.{stored_name}"
    return stored_name.replace("model.", "model.language_model.", 1)
