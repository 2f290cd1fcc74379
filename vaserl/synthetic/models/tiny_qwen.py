"""Builds a small Qwen2.5-VL with the architecture and file formats of the published model.

Its tokenizer is a byte-level BPE with the published model's special tokens and chat markup, trained on texts that the
caller passes. The tokenizer is saved with the model: one that was trained on other texts would assign other ids, and no
error would show it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|vision_pad|>",
    "<|image_pad|>",
    "<|video_pad|>",
)

CHAT_TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyShape:
    """Sizes of the small network; the defaults give about 2.3 million parameters."""

    vocab_size: int = 640
    """Number of rows of the embedding. The tokenizer has at most this many entries, special tokens included."""
    hidden_size: int = 192
    """Width of the language model; hidden_size / num_heads must be a head size that vLLM supports: 32, 64, 80, 96, …"""
    num_layers: int = 3
    """Number of layers of the language model."""
    num_heads: int = 6
    """Number of query heads of the language model. The number of key-value heads is half of it."""
    vision_hidden_size: int = 128
    """Width of the vision tower."""
    vision_depth: int = 3
    """Number of blocks of the vision tower. Each block has full attention over a pair of frames, without windows."""
    tie_word_embeddings: bool = False
    """If true, the output layer has the embedding's matrix instead of one of its own, as in the published 3B model."""


def build_tiny_model(folder: Path, texts: Iterable[str], *, shape: TinyShape | None = None, seed: int = 0) -> Path:
    """Saves a tokenizer, a processor and a randomly initialised network to `folder`, and returns `folder`.

    The tokenizer is trained on `texts`. The same arguments give the same files.
    """
    from transformers import Qwen2_5_VLProcessor, Qwen2VLImageProcessor, Qwen2VLVideoProcessor

    shape = shape or TinyShape()
    tokenizer = train_tokenizer(texts, shape.vocab_size)
    # a video of four 112 x 112 frames must not be resized; the processors' default minimum would enlarge it
    pixels = {"shortest_edge": 4 * 28 * 28, "longest_edge": 768 * 28 * 28}
    processor = Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=pixels),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(size=pixels, cap_pixels_per_frame=False),
        chat_template=CHAT_TEMPLATE,
    )
    model = _random_model(tokenizer, shape, seed)
    folder.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


def train_tokenizer(
    texts: Iterable[str], vocab_size: int, *, special_tokens: Sequence[str] = SPECIAL_TOKENS, **named: str
) -> Any:
    """Trains a byte-level BPE tokenizer with at most `vocab_size` entries; the special tokens have the first ids. The
    first of them pads, and <|im_end|> ends a text.

    named: special tokens by the names that a processor looks them up with, such as `video_token`.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(special_tokens),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator([*texts, "user\nassistant\nsystem\n"], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token="<|im_end|>",
        pad_token=special_tokens[0],
        additional_special_tokens=list(special_tokens[1:]),
        **named,
    )


def _random_model(tokenizer, shape: TinyShape, seed: int):
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    ids = {token: tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS}
    head_size = shape.hidden_size // shape.num_heads
    # how many rotary frequencies encode time, height and width, in the real model's proportion 2 : 3 : 3
    spatial = head_size // 2 * 3 // 8
    config = Qwen2_5_VLConfig(
        text_config={
            "vocab_size": shape.vocab_size,
            "hidden_size": shape.hidden_size,
            "intermediate_size": 2 * shape.hidden_size,
            "num_hidden_layers": shape.num_layers,
            "num_attention_heads": shape.num_heads,
            "num_key_value_heads": shape.num_heads // 2,
            "max_position_embeddings": 8192,
            "rope_scaling": {
                "type": "mrope",
                "mrope_section": [head_size // 2 - 2 * spatial, spatial, spatial],
            },
            "rope_theta": 10000.0,
            "tie_word_embeddings": shape.tie_word_embeddings,
            "bos_token_id": ids["<|endoftext|>"],
            "eos_token_id": ids["<|im_end|>"],
            "pad_token_id": ids["<|endoftext|>"],
        },
        vision_config={
            "depth": shape.vision_depth,
            "hidden_size": shape.vision_hidden_size,
            "intermediate_size": 2 * shape.vision_hidden_size,
            "num_heads": 4,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 2,
            "window_size": 112,
            "fullatt_block_indexes": list(range(shape.vision_depth)),
            "out_hidden_size": shape.hidden_size,
            "tokens_per_second": 2,
        },
        image_token_id=ids["<|image_pad|>"],
        video_token_id=ids["<|video_pad|>"],
        vision_start_token_id=ids["<|vision_start|>"],
        vision_end_token_id=ids["<|vision_end|>"],
        tie_word_embeddings=shape.tie_word_embeddings,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Qwen2_5_VLForConditionalGeneration(config)
