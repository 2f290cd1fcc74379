"""An engine answering groups from stored features: prefill and decode apart, with and without support for adapters.

In this process, without Ray. A second call with the same prompts finds them in the engine's prefix cache, so it is
decoding alone; what the first took longer is the prefill.
"""

import argparse
import os
from pathlib import Path
from typing import Any

import torch

from actors.engine import Engine, Request, engine_environment
from launch.bench.roofline import matmul_rate
from launch.bench.subject import MODEL_HELP, PROMPT, model_folder, random_clip
from launch.bench.timing import circumstances, seconds_of, spread
from vaserl.policy.clips import ClipFeatures
from vaserl.policy.prompter import Prompter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares what is measured; the defaults suit one large GPU, or else two CPU cores."""
    on_gpu = torch.cuda.is_available()
    parser.add_argument("--model", default="shape:7b" if on_gpu else "tiny", help=f"{MODEL_HELP} (%(default)s)")
    parser.add_argument("--scratch", type=Path, help="where a made model is kept for the next measurement")
    parser.add_argument("--num-tasks", type=int, default=16 if on_gpu else 4, help="P (%(default)s)")
    parser.add_argument("--group-size", type=int, default=8, help="G (%(default)s)")
    parser.add_argument("--num-new-tokens", type=int, default=256 if on_gpu else 32, help="(%(default)s)")
    parser.add_argument("--num-frames", type=int, default=24 if on_gpu else 8, help="(%(default)s)")
    parser.add_argument("--size", type=int, default=448 if on_gpu else 112, help="pixels of a side (%(default)s)")
    parser.add_argument("--rank", type=int, help="start the engine with support for adapters of this rank")
    parser.add_argument("--num-repeats", type=int, default=3, help="(%(default)s)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures. Returns: seconds of a rollout, of its prefill and its decoding, tokens a second, and the least that
    reading weights and cache (decode) and multiplying by the weights (prefill) would take."""
    on_gpu = torch.cuda.is_available()
    os.environ.update(engine_environment(1.0 if on_gpu else 0.0, 1))
    if on_gpu:
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
    with model_folder(arguments.model, arguments.scratch) as folder:
        prompter = Prompter(folder)
        engine_args: dict[str, Any] = {"max_model_len": 4096, "max_num_seqs": 256}
        if on_gpu:
            engine_args |= {
                "gpu_memory_utilization": 0.5,
                "max_num_batched_tokens": 16384,
                "compilation_config": {"cudagraph_capture_sizes": [1, 8, 16, 32, 64, 128]},
            }
        engine = Engine(
            folder,
            dtype="bfloat16" if on_gpu else "float32",
            max_lora_rank=arguments.rank,
            takes_transfers=False,
            takes_features=True,
            eos_token_id=prompter.eos_token_id,
            engine_args=engine_args,
        )
        hidden, num_layers, num_kv, head_size, num_weights = _sizes(folder)
    pixels = prompter.pixels(random_clip(0, num_frames=arguments.num_frames, size=arguments.size))
    num_prompt = len(prompter.token_ids(PROMPT, pixels.grid))
    dtype = torch.bfloat16 if on_gpu else torch.float32

    def requests(repeat: int) -> list[Request]:
        made = []
        for task in range(arguments.num_tasks):
            generator = torch.Generator().manual_seed(repeat * arguments.num_tasks + task)
            features = torch.randn(pixels.grid.num_tokens, hidden, generator=generator).to(dtype) * 0.02
            video = ClipFeatures(
                features=features,
                patch_grid=pixels.patch_grid,
                seconds_per_patch=pixels.seconds_per_patch,
                grid=pixels.grid,
            )
            made.append(Request(text=prompter.text(PROMPT), video=video, video_hash=f"{repeat}-{task}", seed=task))
        return made

    def rollout(asked: list[Request], num_new_tokens: int) -> int:
        answers = engine.generate(
            asked, num_samples=arguments.group_size, temperature=1.0, max_new_tokens=num_new_tokens
        )
        return sum(len(output.token_ids) for _, outputs in answers for output in outputs)

    rollout(requests(10**6), 8)  # first calls compile
    cold, warm, num_tokens = [], [], 0
    for repeat in range(arguments.num_repeats):
        asked = requests(repeat)
        cold.append(seconds_of(lambda asked=asked: rollout(asked, arguments.num_new_tokens)))
        counted: list[int] = []
        warm.append(seconds_of(lambda a=asked, c=counted: c.append(rollout(a, arguments.num_new_tokens))))
        num_tokens = counted[0]
    rate = matmul_rate(torch.device("cuda" if on_gpu else "cpu"), dtype)
    bandwidth = copy_bandwidth(torch.device("cuda" if on_gpu else "cpu"))
    size = dtype.itemsize
    num_sequences = arguments.num_tasks * arguments.group_size
    # a group's prompt is kept once but read by each of its sequences
    read = num_weights * size + num_sequences * (num_prompt + arguments.num_new_tokens / 2) * (
        2 * num_layers * num_kv * head_size * size
    )
    return {
        "model": arguments.model,
        "num_prompt_tokens": num_prompt,
        "num_tasks": arguments.num_tasks,
        "group_size": arguments.group_size,
        "num_new_tokens": arguments.num_new_tokens,
        "adapter_rank": arguments.rank,
        "num_tokens": num_tokens,
        "rollout_s": spread(cold),
        "decode_s": spread(warm),
        "prefill_s": spread([c - w for c, w in zip(cold, warm, strict=True)]),
        "tokens_per_second": num_tokens / spread(cold)["median"],
        "roofline_decode_s": arguments.num_new_tokens * read / bandwidth,
        "roofline_prefill_s": 2 * num_weights * arguments.num_tasks * num_prompt / rate,
        "copy_bandwidth_tb_s": bandwidth / 1e12,
        "matmul_tflops": rate / 1e12,
        **circumstances(),
    }


def words(measured: dict[str, Any]) -> str:
    """The measurement for people."""
    return "\n".join(
        [
            f"{measured['model']}, {measured['num_tasks']} x {measured['group_size']} x "
            f"{measured['num_new_tokens']} tokens, adapters: {measured['adapter_rank'] or 'none'}",
            f"  rollout {measured['rollout_s']['median']:7.2f} s, {measured['tokens_per_second']:,.0f} tokens a second",
            f"  prefill {measured['prefill_s']['median']:7.2f} s (roofline {measured['roofline_prefill_s']:.2f})",
            f"  decode  {measured['decode_s']['median']:7.2f} s (roofline {measured['roofline_decode_s']:.2f})",
        ]
    )


def copy_bandwidth(device: torch.device) -> float:
    """Bytes a second of a large copy, read and written counted."""
    source = torch.empty((2**32 if device.type == "cuda" else 2**28) // 4, dtype=torch.float32, device=device).zero_()
    target = torch.empty_like(source)
    return 2 * source.nbytes / min(seconds_of(lambda: target.copy_(source)) for _ in range(5))


def _sizes(folder: Path) -> tuple[int, int, int, int, int]:
    """Hidden size, layers, key-value heads, head size, and weights read for each token of the language model."""
    from transformers import AutoConfig

    text = AutoConfig.from_pretrained(folder).text_config
    hidden, head_size = text.hidden_size, text.hidden_size // text.num_attention_heads
    keys = 2 * text.num_key_value_heads * head_size
    layer = hidden * (2 * hidden + keys) + 3 * hidden * text.intermediate_size
    num_weights = text.num_hidden_layers * layer + hidden * text.vocab_size
    return hidden, text.num_hidden_layers, text.num_key_value_heads, head_size, num_weights
