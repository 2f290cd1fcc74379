"""Measures the differences of log-probabilities between engine and learner, and between the learner's two layouts.

The twelve clips differ in length, frame rate and size. Each clip is passed to the model in two forms: as pixels and as
stored vision features. The model runs in float32 and has a random adapter, so that it differs from the base model. The
engine samples answers in a process of its own. The learner computes the log-probabilities of the sampled tokens, in the
shared-prefix layout and in the padded layout.
"""

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import ray
import torch

from actors.cluster import connect
from actors.engine import Engine, EngineOutput, Request, engine_environment
from launch.bench.subject import PROMPT, add_model_arguments, model_folder, random_clip
from launch.bench.timing import circumstances
from vaserl.files.clip import Clip
from vaserl.policy.adapter import adapter_files, add_lora
from vaserl.policy.clips import ClipFeatures, ClipInput, ClipPixels
from vaserl.policy.groups import Branch, PrefixGroup
from vaserl.policy.layout import Layout, padded_layout, shared_prefix_layout
from vaserl.policy.policy import Policy, load_model
from vaserl.policy.prompter import Prompter
from vaserl.policy.vision_tower import VisionTower
from vaserl.settings import ClusterSettings

NUM_FRAMES, FPS, SIZES = (4, 8, 16), (0.5, 8.0), (56, 112)
_GROUP_SIZE = 4
_START_TIMEOUT_S = 600.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options for the model and for sampling."""
    add_model_arguments(parser, "tiny")
    parser.add_argument("--temperature", type=float, default=1.0, help="temperature of sampling (%(default)s)")
    parser.add_argument("--num-new-tokens", type=int, default=24, help="tokens of a sample at most (%(default)s)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures the differences between engine and learner, and between the shared-prefix and the padded layout.

    Returns:
    * `max_abs_dlogp_engine`: the largest |difference| of a token's log-probability between engine and learner, over all
      clips;
    * `max_abs_dlogp_engine_by_combination`: the same for each clip, by form of input (pixels or features);
    * `max_abs_dlogp_shared`, `max_rel_dgrad_shared`: the largest |difference| of a log-probability and of a gradient
      between the two layouts on the same samples; that of gradients is relative to the largest gradient.
    """
    with model_folder(arguments.model, arguments.scratch) as folder, connect(ClusterSettings(num_cpus=2)):
        prompter, model = Prompter(folder), load_model(folder)
        peft = add_lora(model, rank=8, alpha=16)
        generator = torch.Generator().manual_seed(0)
        for name, parameter in peft.named_parameters():
            if "lora_B" in name:
                parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.05)
        policy = Policy(model).eval()
        combinations = list(itertools.product(NUM_FRAMES, FPS, SIZES))
        clips = [random_clip(i, num_frames=n, fps=fps, size=size) for i, (n, fps, size) in enumerate(combinations)]
        pixels = [prompter.pixels(clip) for clip in clips]
        tower = VisionTower(folder, "float32", "cpu")
        features = [tower.encode(one) for one in pixels]
        files = {name: bytes(content) for name, content in adapter_files(peft).items()}
        seen: dict[str, Sequence[Clip | ClipFeatures]] = {"pixels": clips, "features": features}
        gaps: dict[str, list[float]] = {}
        for name, videos in seen.items():
            answers = _sampled(folder, prompter, files, videos, arguments)
            shown: Sequence[ClipInput] = pixels if name == "pixels" else features
            gaps[name] = [
                _engine_gap(policy, prompter, video, pixel, ids, outputs, arguments.temperature)
                for video, pixel, (ids, outputs) in zip(shown, pixels, answers, strict=True)
            ]
        groups = [_group(prompter, one, ids, outputs) for one, (ids, outputs) in zip(pixels, answers, strict=True)]
        shared = _layout_gaps(policy, prompter, pixels, groups)
    return {
        "model": arguments.model,
        "num_combinations": len(combinations),
        "combinations": [{"num_frames": n, "fps": fps, "size": size} for n, fps, size in combinations],
        "temperature": arguments.temperature,
        "max_abs_dlogp_engine": max(max(values) for values in gaps.values()),
        "max_abs_dlogp_engine_by_combination": gaps,
        **shared,
        **circumstances(),
    }


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    return "\n".join(
        [
            f"{measured['model']}, {measured['num_combinations']} clips, pixels and features, with an adapter, float32",
            f"  engine and learner, largest |difference| of a log-probability: {measured['max_abs_dlogp_engine']:.1e}",
            f"  shared-prefix and padded layout: {measured['max_abs_dlogp_shared']:.1e}, "
            f"of gradients {measured['max_rel_dgrad_shared']:.1e} of the largest gradient",
        ]
    )


def _sampled(
    folder: Path,
    prompter: Prompter,
    files: dict[str, bytes],
    videos: Sequence[Clip | ClipFeatures],
    arguments: argparse.Namespace,
) -> list[tuple[tuple[int, ...], list[EngineOutput]]]:
    """Starts an engine with the adapter and samples answers. Returns: for each clip, the prompt's token ids and the
    answers."""
    takes_features = isinstance(videos[0], ClipFeatures)
    actor: Any = ray.remote(Engine).options(num_cpus=1, runtime_env={"env_vars": engine_environment(0, 1)})
    engine = actor.remote(
        folder,
        dtype="float32",
        max_lora_rank=None,
        takes_transfers=False,
        takes_features=takes_features,
        eos_token_id=prompter.eos_token_id,
        engine_args={"max_model_len": 2048, "max_num_seqs": 64},
    )
    ray.get(engine.load_merged.remote(files, "host"), timeout=_START_TIMEOUT_S)
    requests = [
        Request(text=prompter.text(PROMPT), video=video, video_hash=str(index), seed=index)
        for index, video in enumerate(videos)
    ]
    answers = ray.get(
        engine.generate.remote(
            requests,
            num_samples=_GROUP_SIZE,
            temperature=arguments.temperature,
            max_new_tokens=arguments.num_new_tokens,
        ),
        timeout=_START_TIMEOUT_S,
    )
    ray.kill(engine)
    return answers


def _group(
    prompter: Prompter, pixels: ClipPixels, prompt_ids: tuple[int, ...], outputs: Sequence[EngineOutput]
) -> PrefixGroup:
    return PrefixGroup(
        prefix_ids=prompt_ids,
        video_start=prompt_ids.index(prompter.video_token_id),
        grid=pixels.grid,
        branches=tuple(Branch(context_ids=(), target_ids=output.token_ids) for output in outputs),
    )


@torch.no_grad()
def _engine_gap(
    policy: Policy,
    prompter: Prompter,
    video: ClipInput,
    pixels: ClipPixels,
    prompt_ids: tuple[int, ...],
    outputs: Sequence[EngineOutput],
    temperature: float,
) -> float:
    layout = shared_prefix_layout([_group(prompter, pixels, prompt_ids, outputs)])
    logprobs, _ = policy([video], layout, temperature)
    sampled = torch.tensor([logprob for output in outputs for logprob in output.logprobs])
    return float((logprobs - sampled).abs().max())


def _layout_gaps(
    policy: Policy, prompter: Prompter, pixels: Sequence[ClipPixels], groups: Sequence[PrefixGroup]
) -> dict[str, float]:
    """Returns the largest differences of log-probabilities and gradients between two layouts: shared-prefix, with all
    groups in one row, and padded, with one row for each answer."""
    shared = _with_gradients(policy, list(pixels), shared_prefix_layout(groups))
    repeated = [one for one, group in zip(pixels, groups, strict=True) for _ in group.branches]
    padded = _with_gradients(policy, repeated, padded_layout(groups, prompter.pad_token_id))
    return {
        "max_abs_dlogp_shared": float((shared[0] - padded[0]).abs().max()),
        "max_rel_dgrad_shared": float((shared[1] - padded[1]).abs().max() / padded[1].abs().max()),
    }


def _with_gradients(policy: Policy, videos: Sequence[ClipInput], layout: Layout) -> tuple[torch.Tensor, torch.Tensor]:
    policy.zero_grad(set_to_none=True)
    logprobs, _ = policy(videos, layout)
    (logprobs * torch.sin(torch.arange(len(logprobs)))).mean().backward()
    gradients = [p.grad.flatten() for p in policy.parameters() if p.grad is not None]
    return logprobs.detach(), torch.cat(gradients)
