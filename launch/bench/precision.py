"""Measures the rounding errors of bfloat16 in log-probabilities while a policy is trained.

The errors are measured as differences of log-probabilities: between engine and learner, and between the learner's
shared-prefix and padded layouts. They are largest for random weights, which give all tokens nearly the same
probability; GRPO, however, starts with a fine-tuned policy. So one model is measured before and during supervised
fine-tuning, on answers that it samples itself, together with the entropy of these samples.
"""

import argparse
import gc
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from actors.cluster import connect
from actors.encoder import EncoderPool, FeatureReader
from actors.learner import LearnerGroup
from actors.placement import placed
from actors.rollout import RolloutPool
from launch.bench.subject import (
    GPU_SHARES,
    PROMPT,
    add_clip_arguments,
    add_model_arguments,
    engine_args,
    make_dataset,
    model_folder,
)
from launch.bench.timing import circumstances
from vaserl.dataset import DataSet, Vase
from vaserl.planning.requests import actor_request
from vaserl.policy.adapter import merge_adapter
from vaserl.policy.groups import samples_group
from vaserl.policy.layout import padded_layout, shared_prefix_layout
from vaserl.policy.policy import Policy, load_model
from vaserl.policy.prompter import Prompter
from vaserl.rewards.vase import reference_caption
from vaserl.settings import (
    ClusterSettings,
    DataSettings,
    FeatureSettings,
    LearnerSettings,
    LoraSettings,
    LossSettings,
    ModelSettings,
    RolloutSettings,
)
from vaserl.synthetic.record import beazley_record
from vaserl.synthetic.vase import sample_traits
from vaserl.types import Batch, Demonstration, Group, PromptSamples, Sample, Weights

_NUM_COMPARED = 2
"""Number of groups in the comparison of the layouts; it is small because the padded layout needs much memory."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options that set how much is measured.

    Without a GPU the defaults are small enough for two CPU cores; with one, they suit a large GPU.
    """
    on_gpu = torch.cuda.is_available()
    add_model_arguments(parser)
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16" if on_gpu else "float32")
    parser.add_argument(
        "--at",
        type=int,
        nargs="+",
        default=[0, 25, 75],
        help="numbers of supervised steps after which to measure (%(default)s)",
    )
    parser.add_argument(
        "--learning-rate", type=float, default=5e-4, help="learning rate of the supervised steps (%(default)s)"
    )
    parser.add_argument(
        "--num-tasks", type=int, default=16 if on_gpu else 4, help="tasks that are sampled (%(default)s)"
    )
    parser.add_argument("--vases-per-step", type=int, default=4, help="vases of a supervised step (%(default)s)")
    parser.add_argument("--group-size", type=int, default=8, help="completions of a task (%(default)s)")
    parser.add_argument(
        "--num-new-tokens", type=int, default=128 if on_gpu else 32, help="tokens of a completion at most (%(default)s)"
    )
    add_clip_arguments(parser)
    parser.add_argument("--rank", type=int, default=32, help="rank of the LoRA adapter (%(default)s)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Trains the model with supervised steps and measures it after each number of steps in --at.

    Returns: for each of these moments the supervised loss, the entropy of the samples (nats per token), and the mean
    |difference| of log-probabilities between engine and learner, on the samples and on a fixed probe text
    (`fingerprint_gap`); for the last moment also the |difference| between shared-prefix and padded layout.
    """
    on_gpu = torch.cuda.is_available()
    moments: list[dict[str, float | None]] = []
    with (
        tempfile.TemporaryDirectory(prefix="vaserl-bench-") as scratch,
        model_folder(arguments.model, arguments.scratch) as folder,
    ):
        dataset = make_dataset(
            Path(scratch) / "dataset", arguments.num_tasks, num_frames=arguments.num_frames, size=arguments.size
        )
        vases = _taught(DataSet(dataset).vases("train"))
        model = ModelSettings(path=folder, dtype=arguments.dtype)
        data = DataSettings(path=dataset, num_frames=arguments.num_frames)
        shares = GPU_SHARES if on_gpu else dict.fromkeys(GPU_SHARES, 0.0)
        features = FeatureSettings(num_gpus=shares["encoder"], folder=Path(scratch) / "features")
        rollout = _rollout(arguments, shares["engine"])
        learner = LearnerSettings(
            num_gpus=shares["learner"],
            max_tokens_per_micro_batch=6000,
            learning_rate=arguments.learning_rate,
            lora=LoraSettings(rank=arguments.rank, alpha=2 * arguments.rank),
        )
        requests = {
            "rollout": actor_request(rollout),
            "learner": actor_request(learner),
            "features": actor_request(features),
        }
        num_steps = max(arguments.at) + len(arguments.at)
        with connect(ClusterSettings(num_cpus=8)), placed(requests, ClusterSettings()) as placement:
            encoders = EncoderPool(model, data, features, placement["features"], run_dir=Path(scratch))
            reader = encoders.reader()
            engines = RolloutPool(
                model, data, rollout, placement["rollout"], reader, max_lora_rank=arguments.rank, seed=0
            )
            ranks = LearnerGroup(model, data, learner, placement["learner"], reader, seed=0, num_steps=num_steps)
            ranks.wait_until_ready()
            engines.wait_until_ready()
            step, loss = 0, None
            for version, moment in enumerate(sorted(arguments.at), start=1):
                while step < moment:
                    step += 1
                    loss = ranks.imitate(step, _demonstrations(vases, step, arguments)).metrics["loss"]
                moments.append(_measure(version, vases, engines, ranks))
                moments[-1] |= {"supervised_steps": step, "supervised_loss": loss}
                print(moments[-1], file=sys.stderr)
            weights, groups = ranks.weights(version), engines.generate([v.caption_task() for v in vases], step=version)
            shared = _layout_gap(folder, arguments.dtype, weights, groups[:_NUM_COMPARED], reader)
    return {
        "model": arguments.model,
        "dtype": arguments.dtype,
        "num_tasks": arguments.num_tasks,
        "group_size": arguments.group_size,
        "num_frames": arguments.num_frames,
        "size": arguments.size,
        "rank": arguments.rank,
        "moments": moments,
        **shared,
        **circumstances(),
    }


def words(measured: dict[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    lines = [f"{measured['model']}, {measured['dtype']}", "  steps    loss  entropy  engine-learner  fingerprint"]
    lines += [
        f"  {m['supervised_steps']:5} {m['supervised_loss'] or float('nan'):7.3f} {m['entropy']:8.3f} "
        f"{m['mean_abs_dlogp_engine']:15.1e} {m['fingerprint_gap']:12.1e}"
        for m in measured["moments"]
    ]
    return "\n".join([*lines, f"  shared-prefix and padded layout at the end: {measured['mean_abs_dlogp_shared']:.1e}"])


def _rollout(arguments: argparse.Namespace, share: float) -> RolloutSettings:
    return RolloutSettings(
        num_gpus=share,
        group_size=arguments.group_size,
        max_new_tokens=arguments.num_new_tokens,
        max_fingerprint_gap=10.0,  # no limit: the gap is what is measured
        engine_args=engine_args({"gpu_memory_utilization": 0.3, "enforce_eager": True}),
    )


def _taught(vases: Sequence[Vase]) -> list[Vase]:
    """Returns the vases, each with a caption for supervised training, which is written from a synthetic record."""
    captions = []
    for index in range(len(vases)):
        traits = sample_traits(np.random.default_rng(index))
        captions.append(reference_caption(beazley_record(f"v{index}", index, traits)))
    return [replace(vase, caption=caption) for vase, caption in zip(vases, captions, strict=True)]


def _demonstrations(vases: Sequence[Vase], step: int, arguments: argparse.Namespace) -> list[Demonstration]:
    first = step * arguments.vases_per_step
    chosen = [vases[(first + i) % len(vases)] for i in range(arguments.vases_per_step)]
    return [Demonstration(clip=v.clip, rotation=0, shift=(0, 0), turns=((PROMPT, v.caption),)) for v in chosen]


def _measure(version: int, vases: Sequence[Vase], engines: RolloutPool, ranks: LearnerGroup) -> dict[str, float | None]:
    """Sends the learner's weights to the engines, samples answers, and compares both log-probabilities of each token.

    All advantages are 0, so the policy does not change. Returns: the entropy of the samples and the differences between
    engine and learner.
    """
    gap = engines.publish(ranks.weights(version)).fingerprint_gap
    groups = engines.generate([vase.caption_task() for vase in vases], step=version)
    update = ranks.learn(Batch(step=version, groups=tuple(map(_samples, groups))), LossSettings(), 1.0)
    return {
        "entropy": update.metrics["entropy"],
        "mean_abs_dlogp_engine": update.metrics["logprob_gap"],
        "fingerprint_gap": gap,
    }


def _samples(group: Group) -> PromptSamples:
    return PromptSamples(
        clip=group.task.clip,
        prompt_ids=group.prompt_ids,
        samples=tuple(
            Sample(token_ids=c.token_ids, logprobs=c.logprobs, advantage=0.0) for c in group.completions if c.token_ids
        ),
    )


@torch.no_grad()
def _layout_gap(
    folder: Path, dtype: str, weights: Weights, groups: Sequence[Group], reader: FeatureReader
) -> dict[str, float]:
    """Returns the mean and largest |difference| of log-probabilities between the shared-prefix and the padded layout,
    over the policy's own samples."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    prompter = Prompter(folder)
    model = merge_adapter(load_model(folder, getattr(torch, dtype)), weights.files).to(device)
    policy = Policy(model).eval()
    gaps = []
    for group in groups:
        video = reader.get_all([(group.task.clip, 0, (0, 0))])[0]
        laid_out = samples_group(_samples(group), video.grid, prompter.video_token_id)
        shared, _ = policy([video], shared_prefix_layout([laid_out]))
        rows = [video] * len(laid_out.branches)
        padded, _ = policy(rows, padded_layout([laid_out], prompter.pad_token_id))
        gaps.append((shared - padded).abs().float().cpu())
    del policy, model
    gc.collect()
    return {
        "mean_abs_dlogp_shared": float(torch.cat(gaps).mean()),
        "max_abs_dlogp_shared": float(torch.cat(gaps).max()),
    }
