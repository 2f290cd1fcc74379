"""The text tower of an open_clip model, as the caption metrics of the reference want it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vaserl.errors import UserError
from vaserl.evaluation.caption_metrics import TextEncoder

BATCH_SIZE = 256


def open_clip_text_encoder(folder: Path) -> TextEncoder:
    """Texts -> [N, width] unnormalised embeddings.

    Raises: UserError when the folder is not an open_clip model.
    """
    import open_clip
    import torch

    if not (folder / "open_clip_config.json").is_file():
        raise UserError(f"clip_model {folder} is no open_clip folder: it has no open_clip_config.json")
    name = f"local-dir:{folder}"
    model: Any = open_clip.create_model_from_pretrained(name)[0]  # pyright: ignore[reportIndexIssue]
    tokenizer = open_clip.get_tokenizer(name)

    @torch.no_grad()
    def encode(texts: Sequence[str]) -> np.ndarray:
        batches = [tokenizer(list(texts[i : i + BATCH_SIZE])) for i in range(0, len(texts), BATCH_SIZE)]
        return torch.cat([model.encode_text(batch) for batch in batches]).float().numpy()

    return encode
