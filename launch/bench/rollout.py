"""Measures the seconds of prefill and decode of an engine that generates groups of answers from stored vision features.

The engine runs in this process, without Ray, and supports adapters if --rank is given. Each rollout runs twice with the
same prompts. In the second run the prompts are in the engine's prefix cache, so that the engine only decodes; the
difference between the seconds of the two runs is the prefill.
"""

import argparse
import os
from typing import Any

import torch

from actors.engine import Engine, Request, engine_environment
from launch.bench.roofline import copy_bandwidth, matmul_rate, num_layer_weights
from launch.bench.subject import (
    CUDA_GRAPHS,
    PROMPT,
    add_clip_arguments,
    add_model_arguments,
    engine_args,
    model_folder,
    random_clip,
)
from launch.bench.timing import circumstances, seconds_of, spread
from vaserl.policy.prompter import Prompter


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options that set how much is measured.

    Without a GPU the defaults are small enough for two CPU cores; with one, they suit a large GPU.
    """
    on_gpu = torch.cuda.is_available()
    add_model_arguments(parser)
    parser.add_argument("--num-tasks", type=int, default=16 if on_gpu else 4, help="tasks of a rollout (%(default)s)")
    parser.add_argument("--group-size", type=int, default=8, help="answers of a task (%(default)s)")
    parser.add_argument(
        "--num-new-tokens", type=int, default=256 if on_gpu else 32, help="tokens of an answer at most (%(default)s)"
    )
    add_clip_arguments(parser)
    parser.add_argument("--rank", type=int, help="start the engine with support for adapters of this rank")
    parser.add_argument("--num-repeats", type=int, default=3, help="timed rollouts (%(default)s)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures rollouts with prefill and with decode only.

    Returns: the seconds of a rollout, of its prefill and of its decode; the tokens per second; and two rooflines (lower
    bounds in seconds): for decode, the time to read the weights and the key-value cache; for prefill, the time to
    multiply by the weights.
    """
    on_gpu = torch.cuda.is_available()
    os.environ.update(engine_environment(1.0 if on_gpu else 0.0, 1))
    if on_gpu:
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
    from transformers import AutoConfig  # not before the environment is set

    with model_folder(arguments.model, arguments.scratch) as folder:
        prompter = Prompter(folder)
        engine = Engine(
            folder,
            dtype="bfloat16" if on_gpu else "float32",
            max_lora_rank=arguments.rank,
            takes_transfers=False,
            takes_features=True,
            eos_token_id=prompter.eos_token_id,
            engine_args=engine_args({"gpu_memory_utilization": 0.5, **CUDA_GRAPHS}),
        )
        config: Any = AutoConfig.from_pretrained(folder).text_config
    pixels = prompter.pixels(random_clip(0, num_frames=arguments.num_frames, size=arguments.size))
    num_prompt = len(prompter.token_ids(PROMPT, pixels.grid))
    dtype = torch.bfloat16 if on_gpu else torch.float32

    def requests(repeat: int) -> list[Request]:
        made = []
        for task in range(arguments.num_tasks):
            generator = torch.Generator().manual_seed(repeat * arguments.num_tasks + task)
            features = torch.randn(pixels.grid.num_tokens, config.hidden_size, generator=generator).to(dtype) * 0.02
            clip = pixels.encoded(features)
            made.append(Request(text=prompter.text(PROMPT), video=clip, video_hash=f"{repeat}-{task}", seed=task))
        return made

    def rollout(asked: list[Request], num_new_tokens: int) -> int:
        answers = engine.generate(
            asked, num_samples=arguments.group_size, temperature=1.0, max_new_tokens=num_new_tokens
        )
        return sum(len(output.token_ids) for _, outputs in answers for output in outputs)

    rollout(requests(10**6), 8)  # the first call compiles
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
    num_weights = config.num_hidden_layers * num_layer_weights(config) + config.hidden_size * config.vocab_size
    head_size = config.hidden_size // config.num_attention_heads
    # a group's prompt is stored once but read by each of its sequences
    read = num_weights * size + num_sequences * (num_prompt + arguments.num_new_tokens / 2) * (
        2 * config.num_hidden_layers * config.num_key_value_heads * head_size * size
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
    """Returns the result of `run` as text for the terminal."""
    return "\n".join(
        [
            f"{measured['model']}, {measured['num_tasks']} x {measured['group_size']} x "
            f"{measured['num_new_tokens']} tokens, adapters: {measured['adapter_rank'] or 'none'}",
            f"  rollout {measured['rollout_s']['median']:7.2f} s, {measured['tokens_per_second']:,.0f} tokens a second",
            f"  prefill {measured['prefill_s']['median']:7.2f} s (roofline {measured['roofline_prefill_s']:.2f})",
            f"  decode  {measured['decode_s']['median']:7.2f} s (roofline {measured['roofline_decode_s']:.2f})",
        ]
    )
