"""A sentence encoder, loaded from a local model folder of transformers or sentence-transformers.

In a folder of sentence-transformers, the file `1_Pooling/config.json` defines how the tokens' vectors are pooled. Their
mean and the first token's vector are supported. Without this file, the mean is used. The folder's dense layers are
ignored.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from vaserl.errors import UserError

CACHED_TEXTS = 65536


class SentenceEncoder:
    """An encoder of texts as unit vectors, on the CPU in float32; the vectors of the last `CACHED_TEXTS` texts are
    cached.

    Example: SentenceEncoder("/models/all-MiniLM-L6-v2")(["a warrior", "an armed man"])
    """

    def __init__(self, path: str | Path) -> None:
        """Loads the model. Raises: UserError when the folder contains no readable model."""
        from transformers import AutoModel, AutoTokenizer

        folder = Path(path).expanduser()
        if not (folder / "config.json").is_file():
            raise UserError(f"encoder {folder} is not a folder of a transformers model: it has no config.json")
        self._first_token = _takes_first_token(folder)
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model = AutoModel.from_pretrained(folder, local_files_only=True).float().eval()
        except (OSError, ValueError) as error:
            raise UserError(f"encoder {folder} can't be loaded: {error}") from error
        limits = (self._tokenizer.model_max_length, getattr(self._model.config, "max_position_embeddings", 512))
        self._max_tokens = min(*limits, 512)
        self._encode_one = lru_cache(maxsize=CACHED_TEXTS)(self._encode)

    def __call__(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """Returns the unit vector of each text."""
        return [self._encode_one(text) for text in texts]

    def _encode(self, text: str) -> tuple[float, ...]:
        # One text at a time: with padding, a score would depend on the lengths of other texts in the batch.
        import torch

        inputs = self._tokenizer(text, return_tensors="pt", truncation=True, max_length=self._max_tokens)
        with torch.inference_mode():
            states = self._model(**inputs).last_hidden_state[0]
            mask = inputs["attention_mask"][0].unsqueeze(-1)
            vector = states[0] if self._first_token else (states * mask).sum(0) / mask.sum().clamp(min=1)
            return tuple(torch.nn.functional.normalize(vector, dim=0).tolist())


def _takes_first_token(folder: Path) -> bool:
    path = folder / "1_Pooling" / "config.json"
    if not path.is_file():
        return False
    settings = json.loads(path.read_text())
    # older folders have one key for each pooling mode, newer ones name the mode
    modes = {
        name.removeprefix("pooling_mode_").removesuffix("_tokens").removesuffix("_token")
        for name, value in settings.items()
        if name.startswith("pooling_mode_") and value is True
    }
    modes |= {settings["pooling_mode"]} if isinstance(settings.get("pooling_mode"), str) else set()
    if modes not in ({"mean"}, {"cls"}):
        raise UserError(
            f"encoder {folder}: unsupported pooling mode {', '.join(sorted(modes)) or '(none)'}; "
            "supported modes: mean, cls (first token)"
        )
    return modes == {"cls"}
