"""Measures the learner's forward and backward pass over groups. A group is a prompt with several answers.

The padded layout has one row for each answer and repeats the prompt and the clip in every row. The shared-prefix
layout contains the prompt once for all answers of a group. In both layouts the clip can be given as pixels or as stored
vision features. The resulting four variants are timed alternately in one run, and the layouts' log-probabilities and
gradients are compared.
"""

import argparse
from typing import Any

import torch

from launch.bench.roofline import learner_work, matmul_rate, visible_pairs
from launch.bench.subject import add_model_arguments, model_folder, random_clip, random_group
from launch.bench.timing import circumstances, seconds_of, spread, synchronise
from vaserl.policy.adapter import add_lora
from vaserl.policy.clips import ClipInput
from vaserl.policy.layout import Layout, padded_layout, shared_prefix_layout
from vaserl.policy.policy import Policy, load_model
from vaserl.policy.prompter import Prompter

_VARIANTS = ("padded_pixels", "padded_features", "shared_pixels", "shared_features")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options that set how much is measured.

    Without a GPU the defaults are small enough for two CPU cores; with one, they suit a large GPU.
    """
    on_gpu = torch.cuda.is_available()
    add_model_arguments(parser)
    parser.add_argument("--num-groups", type=int, default=2, help="groups of a micro-batch (%(default)s)")
    parser.add_argument("--group-size", type=int, default=8, help="answers of a group, G (%(default)s)")
    parser.add_argument(
        "--num-answer-tokens", type=int, default=128 if on_gpu else 64, help="tokens of an answer, C (%(default)s)"
    )
    parser.add_argument("--num-frames", type=int, default=24 if on_gpu else 18, help="frames of a clip (%(default)s)")
    parser.add_argument(
        "--size", type=int, default=448 if on_gpu else 224, help="width and height of a frame in pixels (%(default)s)"
    )
    parser.add_argument("--rank", type=int, default=32, help="rank of the LoRA adapter (%(default)s)")
    parser.add_argument("--num-repeats", type=int, default=5, help="timed passes of each variant (%(default)s)")
    parser.add_argument("--checkpointing", action="store_true", help="use gradient checkpointing in every variant")
    parser.add_argument("--compile", action="store_true", help="compile the layers of the language model")
    parser.add_argument("--variants", nargs="+", choices=_VARIANTS, default=list(_VARIANTS))


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures the variants, which are the combinations of layout (padded, shared) and input (pixels, features).

    Returns: the seconds per group of each variant; `ratio_padded_over_shared`, the seconds of padded_pixels divided by
    the seconds of shared_features in the same repeat; the differences of log-probabilities and gradients between the
    layouts; the peak memory in GiB; and the roofline, which is a lower bound for the seconds of a pass in the
    shared-prefix layout.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    with model_folder(arguments.model, arguments.scratch) as folder:
        prompter = Prompter(folder)
        model = load_model(folder, dtype).to(device)
    policy = _with_adapter(model, arguments)
    clips = [random_clip(i, num_frames=arguments.num_frames, size=arguments.size) for i in range(arguments.num_groups)]
    pixels = [prompter.pixels(clip) for clip in clips]
    with torch.no_grad():
        features = [one.encoded(policy.video_features([one])) for one in pixels]
    groups = [
        random_group(i, prompter, one, group_size=arguments.group_size, num_answer_tokens=arguments.num_answer_tokens)
        for i, one in enumerate(pixels)
    ]
    shared = shared_prefix_layout(groups)
    # one group at a time: a padded batch of several groups would not fit into the memory that the shared one needs
    padded = [padded_layout([group], prompter.pad_token_id) for group in groups]
    work: dict[str, list[tuple[list[ClipInput], Layout]]] = {
        "shared_pixels": [([*pixels], shared)],
        "shared_features": [([*features], shared)],
        "padded_pixels": [([one] * arguments.group_size, layout) for one, layout in zip(pixels, padded, strict=True)],
        "padded_features": [
            ([one] * arguments.group_size, layout) for one, layout in zip(features, padded, strict=True)
        ],
    }
    seconds: dict[str, list[float]] = {name: [] for name in arguments.variants}
    results: dict[str, tuple[torch.Tensor, torch.Tensor]] = {}
    memory: dict[str, float] = {}
    for name in arguments.variants:
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats()
        results[name] = _pass(policy, work[name]), _gradients(policy)
        if device.type == "cuda":
            memory[name] = torch.cuda.max_memory_allocated() / 2**30
    for _ in range(arguments.num_repeats):
        for name in arguments.variants:
            seconds[name].append(seconds_of(lambda name=name: _pass(policy, work[name])) / arguments.num_groups)

    need = learner_work(
        model.config.text_config,
        num_tokens=shared.input_ids.numel(),
        num_pairs=visible_pairs(shared.spans),
        num_targets=len(shared.target_ids),
        checkpointing=arguments.checkpointing,
    )
    rate = matmul_rate(device, dtype)
    measured: dict[str, Any] = {
        "model": arguments.model,
        "num_prompt_tokens": len(groups[0].prefix_ids),
        "group_size": arguments.group_size,
        "num_answer_tokens": arguments.num_answer_tokens,
        "num_groups": arguments.num_groups,
        "dtype": str(dtype).removeprefix("torch."),
        "checkpointing": arguments.checkpointing,
        "compile": arguments.compile,
        "seconds_per_group": {name: spread(values) for name, values in seconds.items()},
        "peak_memory_gib": memory,
        "matmul_tflops": rate / 1e12,
        "roofline_seconds_per_group": need.total / rate / arguments.num_groups,
        "roofline_parts_s": {
            name: getattr(need, name) / rate / arguments.num_groups for name in ("linear", "attention", "head")
        },
        **_compared(results),
        **circumstances(),
    }
    if {"padded_pixels", "shared_features"} <= set(seconds):
        ratios = [p / s for p, s in zip(seconds["padded_pixels"], seconds["shared_features"], strict=True)]
        measured |= {"ratio_padded_over_shared": spread(ratios)["median"], "ratio_spread": spread(ratios)}
    if {"padded_features", "shared_features"} <= set(seconds):
        ratios = [p / s for p, s in zip(seconds["padded_features"], seconds["shared_features"], strict=True)]
        measured["ratio_of_layouts_alone"] = spread(ratios)
    return measured


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    lines = [
        f"{measured['model']}, a group: {measured['num_prompt_tokens']} prompt tokens, "
        f"{measured['group_size']} answers of {measured['num_answer_tokens']} tokens, {measured['dtype']}"
    ]
    for name, each in measured["seconds_per_group"].items():
        lines.append(
            f"{name:16} {1e3 * each['median']:9.1f} ms a group ({1e3 * each['lowest']:.1f} to "
            f"{1e3 * each['highest']:.1f})"
        )
    lines.append(f"{'roofline':16} {1e3 * measured['roofline_seconds_per_group']:9.1f} ms")
    if "ratio_padded_over_shared" in measured:
        lines.append(f"padded from pixels / shared from features: {measured['ratio_padded_over_shared']:.2f}")
    return "\n".join(lines)


def _with_adapter(model: Any, arguments: argparse.Namespace) -> Policy:
    if arguments.checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    peft = add_lora(model, rank=arguments.rank, alpha=2 * arguments.rank)
    generator = torch.Generator().manual_seed(0)
    for name, parameter in peft.named_parameters():
        if "lora_" in name:
            parameter.data = parameter.data.to(model.dtype)
        if "lora_B" in name:  # with B = 0 the gradients of A would be zero and agree in any case
            parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.01)
    if arguments.compile:
        for layer in model.model.language_model.layers:
            layer.compile(dynamic=True)
    return Policy(model).train()


def _pass(policy: Policy, work: list[tuple[list[ClipInput], Layout]]) -> torch.Tensor:
    """Makes one forward and backward pass over all groups. Returns: log-probabilities of all N answer tokens, [N]."""
    policy.zero_grad(set_to_none=True)
    logprobs = []
    num_targets = sum(len(layout.target_ids) for _, layout in work)
    start = 0
    for videos, layout in work:
        logp, _ = policy(videos, layout)
        credit = torch.sin(torch.arange(start, start + len(logp), device=logp.device))
        start += len(logp)
        (-(logp * credit).sum() / num_targets).backward()
        logprobs.append(logp.detach())
    synchronise()
    return torch.cat(logprobs).cpu()


def _gradients(policy: Policy) -> torch.Tensor:
    """Returns all gradients of the last pass in one flat tensor."""
    return torch.cat([p.grad.flatten().float() for p in policy.parameters() if p.grad is not None]).cpu()


def _compared(results: dict[str, tuple[torch.Tensor, torch.Tensor]]) -> dict[str, float]:
    """Returns the differences of log-probabilities and gradients between padded and shared-prefix layout, with
    the clips as features. Returns an empty dictionary if only one of the two was measured."""
    if not {"padded_features", "shared_features"} <= set(results):
        return {}
    (padded, padded_gradient), (shared, shared_gradient) = results["padded_features"], results["shared_features"]
    return {
        "max_abs_dlogp_shared": float((padded - shared).abs().max()),
        "mean_abs_dlogp_shared": float((padded - shared).abs().mean()),
        "max_rel_dgrad_shared": float((padded_gradient - shared_gradient).abs().max() / padded_gradient.abs().max()),
    }
