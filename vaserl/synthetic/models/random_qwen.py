"""Builds Qwen2.5-VL networks of published size with random weights, to measure time and memory without a checkpoint.

The tokenizer has at most 4,000 entries; the network's embedding still has the published number of rows.

The sizes are those in the configuration files of Qwen2.5-VL-3B-Instruct and Qwen2.5-VL-7B-Instruct.
"""

from collections.abc import Iterable
from pathlib import Path

import torch

from vaserl.errors import UserError
from vaserl.planning.model_shape import TEXT_SIZES, VISION_SIZES
from vaserl.synthetic.models.tiny_qwen import CHAT_TEMPLATE, SPECIAL_TOKENS, train_tokenizer

_TEXTS = ("Athenian black-figure lekythos, c. 525–475 BCE, depicting Herakles and the boar. Describe the vase.",)


_MAX_ENTRIES = 4000


def build_shape(folder: Path, name: str, *, texts: Iterable[str] = _TEXTS, seed: int = 0, device: str = "cpu") -> Path:
    """Saves a tokenizer, a processor and a network with random bfloat16 weights to `folder`, and returns `folder`.

    `name` is the model size, "3b" or "7b". The tokenizer is trained on `texts`; other texts have more tokens than with
    the published one. The weights are sampled on `device`.

    Raises: UserError for an unknown size.
    """
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
        Qwen2VLVideoProcessor,
    )

    if name not in TEXT_SIZES:
        raise UserError(f"unknown model size {name!r}; known sizes: {', '.join(sorted(TEXT_SIZES))}")
    tokenizer = train_tokenizer(texts, _MAX_ENTRIES)
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS}
    text = TEXT_SIZES[name]
    config = Qwen2_5_VLConfig(
        text_config={
            **text,
            "max_position_embeddings": 32768,
            "rope_scaling": {"type": "mrope", "mrope_section": [16, 24, 24]},
            "rope_theta": 1000000.0,
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={**VISION_SIZES, "out_hidden_size": text["hidden_size"]},
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=text["tie_word_embeddings"],
    )
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device):
            torch.manual_seed(seed)
            model = Qwen2_5_VLForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(default)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder, max_shard_size="4GB")
    Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(cap_pixels_per_frame=False),
        chat_template=CHAT_TEMPLATE,
    ).save_pretrained(folder)
    return folder
