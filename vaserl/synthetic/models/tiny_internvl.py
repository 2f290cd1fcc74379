"""Builds a small InternVL in its Hugging Face-native form, a second family of vision-language models beside Qwen2.5-VL.

The published checkpoints whose names end in -hf have this form; the others need remote code. The language model is a
Qwen2, as in InternVL3.
"""

from collections.abc import Iterable
from pathlib import Path

import torch

from vaserl.synthetic.models.tiny_qwen import train_tokenizer

INTERNVL_TOKENS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<img>", "</img>", "<IMG_CONTEXT>", "<video>")
_CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'video' %}<video>\n"
    "{% elif part['type'] == 'image' %}<IMG_CONTEXT>\n"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_PATCH = 14
_VOCAB_SIZE = 640
_WIDTH, _NUM_HEADS, _NUM_LAYERS = 128, 4, 2


def build_tiny_internvl(folder: Path, texts: Iterable[str], *, tile_side: int = 112, seed: int = 0) -> Path:
    """Saves a tokenizer, a processor and a randomly initialised network to `folder`, and returns `folder`.

    The tokenizer is trained on `texts`. tile_side: width and height in pixels of the tiles into which an image is cut;
    a multiple of 28. The same arguments give the same files."""
    from transformers import (
        GotOcr2ImageProcessor,
        InternVLConfig,
        InternVLForConditionalGeneration,
        InternVLProcessor,
        InternVLVideoProcessor,
    )

    tokenizer = train_tokenizer(
        texts,
        _VOCAB_SIZE,
        special_tokens=INTERNVL_TOKENS,
        start_image_token="<img>",
        end_image_token="</img>",
        context_image_token="<IMG_CONTEXT>",
        video_token="<video>",
    )
    size = {"height": tile_side, "width": tile_side}
    num_tokens = (tile_side // _PATCH // 2) ** 2
    processor = InternVLProcessor(
        image_processor=GotOcr2ImageProcessor(size=size, crop_to_patches=True, min_patches=1, max_patches=6),
        tokenizer=tokenizer,
        video_processor=InternVLVideoProcessor(size=size),
        image_seq_length=num_tokens,
        chat_template=_CHAT_TEMPLATE,
    )
    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in INTERNVL_TOKENS}
    config = InternVLConfig(
        text_config={
            "model_type": "qwen2",
            "vocab_size": _VOCAB_SIZE,
            "hidden_size": _WIDTH,
            "intermediate_size": 2 * _WIDTH,
            "num_hidden_layers": _NUM_LAYERS,
            "num_attention_heads": _NUM_HEADS,
            "num_key_value_heads": _NUM_HEADS // 2,
            "max_position_embeddings": 8192,
            "tie_word_embeddings": False,
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "hidden_size": _WIDTH,
            "intermediate_size": 2 * _WIDTH,
            "num_hidden_layers": _NUM_LAYERS,
            "num_attention_heads": _NUM_HEADS,
            "image_size": [tile_side, tile_side],
            "patch_size": [_PATCH, _PATCH],
        },
        image_token_id=ids["<IMG_CONTEXT>"],
        image_seq_length=num_tokens,
        tie_word_embeddings=False,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = InternVLForConditionalGeneration(config)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
