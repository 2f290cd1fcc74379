"""Sizes of a Qwen2.5-VL network, read from a checkpoint or known by name, and the counts that follow from them."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaserl.errors import UserError

TEXT_SIZES: dict[str, dict[str, Any]] = {
    "3b": {
        "vocab_size": 151936,
        "hidden_size": 2048,
        "intermediate_size": 11008,
        "num_hidden_layers": 36,
        "num_attention_heads": 16,
        "num_key_value_heads": 2,
        "tie_word_embeddings": True,
    },
    "7b": {
        "vocab_size": 152064,
        "hidden_size": 3584,
        "intermediate_size": 18944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "tie_word_embeddings": False,
    },
}
"""Sizes of the language models, as in the configuration files of Qwen2.5-VL-3B-Instruct and -7B-Instruct."""
VISION_SIZES: dict[str, Any] = {
    "depth": 32,
    "hidden_size": 1280,
    "intermediate_size": 3420,
    "num_heads": 16,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
    "window_size": 112,
    "fullatt_block_indexes": [7, 15, 23, 31],
    "tokens_per_second": 2,
}
"""Sizes of the vision tower of both."""
_HUB_NAME = re.compile(r"Qwen2\.5-VL-(3B|7B)\b", re.IGNORECASE)
_PATCH, _MERGE = 14, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelShape:
    """Sizes of a network."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    is_tied: bool
    """True if the output layer has the embedding's matrix."""
    tower_depth: int
    tower_hidden_size: int
    tower_intermediate_size: int

    @property
    def kv_size(self) -> int:
        """Numbers that one layer's cache holds of one token as keys; as many more are values."""
        return self.num_kv_heads * (self.hidden_size // self.num_heads)

    @property
    def num_linear(self) -> int:
        """Weights in the matrices of all layers of the language model; an adapter changes these."""
        layer = 2 * self.hidden_size * (self.hidden_size + self.kv_size) + 3 * self.hidden_size * self.intermediate_size
        return self.num_layers * layer

    @property
    def num_head(self) -> int:
        """Weights of the output layer."""
        return self.vocab_size * self.hidden_size

    @property
    def num_text(self) -> int:
        """Weights of the language model."""
        return self.num_linear + self.num_head * (1 if self.is_tied else 2)

    @property
    def num_tower(self) -> int:
        """Weights of the vision tower."""
        block = 4 * self.tower_hidden_size**2 + 3 * self.tower_hidden_size * self.tower_intermediate_size
        merged = _MERGE**2 * self.tower_hidden_size
        return self.tower_depth * block + merged * (merged + self.hidden_size)

    @property
    def layer_width(self) -> int:
        """Numbers that one layer computes for one token: the outputs of its matrices, norms and residual sums."""
        return 6 * self.hidden_size + 3 * self.intermediate_size + 2 * self.kv_size

    def num_adapter(self, rank: int) -> int:
        """Returns the number of weights of an adapter on all matrices of the layers."""
        return self.num_layers * rank * (9 * self.hidden_size + 2 * self.kv_size + 3 * self.intermediate_size)

    def kv_bytes(self, itemsize: int) -> int:
        """Returns the bytes of one token in an engine's cache."""
        return 2 * self.num_layers * self.kv_size * itemsize


def read_shape(model: Path | str) -> ModelShape:
    """Returns the sizes of a model: of a folder with a config.json, of "shape:3b" or "shape:7b", or of a path or hub
    name that contains Qwen2.5-VL-3B or -7B.

    Raises: UserError for anything else.
    """
    text = str(model)
    folder = Path(text)
    if (folder / "config.json").is_file():
        return _of_config(folder / "config.json")
    named = re.search(r"shape:(\w+)$", text)
    found = named.group(1) if named else match.group(1) if (match := _HUB_NAME.search(text)) else ""
    if found.lower() not in TEXT_SIZES:
        raise UserError(
            f"model.path {text} has no config.json yet. Give the sizes with --model: a folder, shape:3b or shape:7b, "
            "or Qwen/Qwen2.5-VL-3B-Instruct or -7B-Instruct"
        )
    return _of_sizes(TEXT_SIZES[found.lower()], VISION_SIZES)


def clip_tokens(num_frames: int, width: int, height: int) -> int:
    """Returns the number of prompt tokens of a clip: one for each 28 x 28 pixels of two frames."""
    columns, rows = (max(1, round(pixels / (_PATCH * _MERGE))) for pixels in (width, height))
    return num_frames // 2 * columns * rows


def _of_config(path: Path) -> ModelShape:
    try:
        config = json.loads(path.read_text())
        return _of_sizes({**config, **config.get("text_config", {})}, config["vision_config"])
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path}: no configuration of a Qwen2.5-VL ({type(error).__name__}: {error})") from error


def _of_sizes(text: dict[str, Any], vision: dict[str, Any]) -> ModelShape:
    return ModelShape(
        vocab_size=text["vocab_size"],
        hidden_size=text["hidden_size"],
        intermediate_size=text["intermediate_size"],
        num_layers=text["num_hidden_layers"],
        num_heads=text["num_attention_heads"],
        num_kv_heads=text["num_key_value_heads"],
        is_tied=bool(text.get("tie_word_embeddings")),
        tower_depth=vision["depth"],
        tower_hidden_size=vision["hidden_size"],
        tower_intermediate_size=vision["intermediate_size"],
    )
