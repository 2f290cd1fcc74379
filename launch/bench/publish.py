"""Measures the seconds from an optimizer step until every engine uses the new weights, and the seconds of each part.

Engines can load an adapter in two ways, which are both measured: merged into the base weights, and separate from them.
The learner makes a real optimizer step before each publish. Otherwise old and new weights would give a fixed probe text
(the fingerprint) equal log-probabilities, and the check that the engines use the new weights would show nothing.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from actors.cluster import connect
from actors.learner import LearnerGroup
from actors.placement import placed
from actors.rollout import RolloutPool
from launch.bench.subject import PROMPT, add_model_arguments, model_folder
from launch.bench.timing import circumstances
from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.files.clip import Clip
from vaserl.planning.requests import actor_request
from vaserl.policy.prompter import Prompter
from vaserl.runs.clock import Clock
from vaserl.settings import (
    ClusterSettings,
    DataSettings,
    LearnerSettings,
    LoraSettings,
    LossSettings,
    ModelSettings,
    RolloutSettings,
)
from vaserl.types import Batch, PromptSamples, Sample

WAYS: tuple[Literal["adapter", "merge"], ...] = ("adapter", "merge")
NUM_FRAMES = 4
NUM_CPUS = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command-line options that set how much is measured."""
    add_model_arguments(parser)
    parser.add_argument(
        "--swaps", type=int, default=5, help="publishes to measure for each way, after a first one (%(default)s)"
    )
    parser.add_argument("--engines", type=int, default=1, help="engines that load each version (%(default)s)")
    parser.add_argument("--rank", type=int, default=32, help="rank of the adapter (%(default)s)")
    parser.add_argument(
        "--base-copy",
        choices=("device", "host"),
        default="device",
        help="value of the setting rollout.base_copy (%(default)s)",
    )


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measures both ways of publishing an adapter: merged into the base weights and separate from them.

    Returns: for each way the median seconds of each part of a publish, the seconds of the first publish, the adapter's
    size in MB, and the largest `fingerprint_gap`: the mean |difference| of log-probabilities between engine and learner
    on the probe text.

    On a machine with a GPU the learner and all engines share one GPU.
    """
    if arguments.swaps < 1:
        raise UserError(f"--swaps {arguments.swaps}: at least 1 publish must be measured")
    with (
        tempfile.TemporaryDirectory(prefix="vaserl-bench-") as scratch,
        model_folder(arguments.model, arguments.scratch) as folder,
        connect(ClusterSettings(num_cpus=4)),
    ):
        measured = {way: _measure(way, folder, Path(scratch), arguments) for way in WAYS}
    return {
        "model": arguments.model,
        "num_swaps": arguments.swaps,
        "num_engines": arguments.engines,
        "rank": arguments.rank,
        **measured,
        **circumstances(),
    }


def words(measured: Mapping[str, Any]) -> str:
    """Returns the result of `run` as text for the terminal."""
    pieces = [name for name in measured[WAYS[0]] if name.endswith("_s")]
    lines = [f"{measured['model']}, rank {measured['rank']}, {measured['num_swaps']} swaps each"]
    lines += [f"{'':28}" + "".join(f"{way:>12}" for way in WAYS)]
    lines += [f"{name:28}" + "".join(f"{measured[way][name]:12.4f}" for way in WAYS) for name in pieces]
    numbers = ("payload_mb", "max_fingerprint_gap")
    lines += [f"{name:28}" + "".join(f"{measured[way][name]:12.3g}" for way in WAYS) for name in numbers]
    return "\n".join(lines)


def _measure(
    way: Literal["adapter", "merge"], folder: Path, scratch: Path, arguments: argparse.Namespace
) -> dict[str, float]:
    with _started(way, folder, scratch, arguments) as (engines, ranks):
        batch_of = _batches(folder, scratch)
        rows: list[dict[str, float]] = []
        for version in range(1, arguments.swaps + 2):
            ranks.learn(batch_of(version), LossSettings(), 1.0)
            clock = Clock()
            weights = ranks.weights(version)
            clock.lap("weights")
            published = engines.publish(weights)
            learner, engine = weights.seconds, published.seconds
            rows.append(
                {
                    "total_s": clock.total,
                    "learner_gather_s": learner["gather"],
                    "learner_fingerprint_s": learner["fingerprint"],
                    "learner_digest_s": learner["digest"],
                    "learner_handover_s": clock.seconds["weights"] - sum(learner.values()),
                    "put_s": engine["put"],
                    "engine_digest_s": engine["digest"],
                    "engine_load_s": engine["load"],
                    "engine_fingerprint_s": engine["fingerprint"],
                    "max_fingerprint_gap": published.fingerprint_gap,
                }
            )
        first, later = rows[0], rows[1:]
        pieces = {name: statistics.median(row[name] for row in later) for name in first if name.endswith("_s")}
        return {
            **pieces,
            "first_total_s": first["total_s"],
            "payload_mb": sum(len(content) for content in weights.files.values()) / 1e6,
            "max_fingerprint_gap": max(row["max_fingerprint_gap"] for row in rows),
        }


@contextmanager
def _started(
    way: Literal["adapter", "merge"], folder: Path, scratch: Path, arguments: argparse.Namespace
) -> Iterator[Any]:
    """Starts engines and a learner of one process. Yields both when they are ready."""
    on_gpu = torch.cuda.is_available()
    share = 1 / (arguments.engines + 1) if on_gpu else 0
    model = ModelSettings(path=folder, dtype="bfloat16" if on_gpu else "float32")
    data = DataSettings(path=scratch, num_frames=NUM_FRAMES)
    rollout = RolloutSettings(
        num_workers=arguments.engines,
        num_gpus=share,
        num_cpus=NUM_CPUS,
        publish=way,
        base_copy=arguments.base_copy,
        max_fingerprint_gap=10.0,  # no limit: the gap is what is measured
        engine_args={"max_model_len": 256, "max_num_seqs": 16}
        | ({"gpu_memory_utilization": round(0.5 / arguments.engines, 3)} if on_gpu else {}),
    )
    learner = LearnerSettings(
        num_gpus=share, num_cpus=NUM_CPUS, learning_rate=1e-3, lora=LoraSettings(rank=arguments.rank, alpha=16)
    )
    requests = {"rollout": actor_request(rollout), "learner": actor_request(learner)}
    with placed(requests, ClusterSettings()) as placement:
        engines = RolloutPool(model, data, rollout, placement["rollout"], max_lora_rank=arguments.rank, seed=0)
        ranks = LearnerGroup(model, data, learner, placement["learner"], seed=0, num_steps=1)
        ranks.wait_until_ready()
        engines.wait_until_ready()
        yield engines, ranks


def _batches(folder: Path, scratch: Path) -> Callable[[int], Batch]:
    """Returns a function that makes the batch of a given step: two random answers, with advantages +1 and -1."""
    frames = np.random.default_rng(0).integers(0, 255, (NUM_FRAMES, 56, 56, 3), dtype=np.uint8)
    clip = Clip(frames=frames, fps=4.0, frame_indices=tuple(range(NUM_FRAMES)), num_source_frames=NUM_FRAMES)
    clips = DataSet(scratch).clips
    clip_hash = clips.add(clip)
    prompter = Prompter(folder)
    prompt_ids = prompter.token_ids(PROMPT, prompter.pixels(clips.load(clip_hash, NUM_FRAMES)).grid)

    def batch_of(step: int) -> Batch:
        rng = np.random.default_rng(step)
        samples = tuple(
            Sample(token_ids=tuple(rng.integers(8, 200, 8).tolist()), logprobs=(-5.0,) * 8, advantage=advantage)
            for advantage in (1.0, -1.0)
        )
        return Batch(step=step, groups=(PromptSamples(clip=clip_hash, prompt_ids=prompt_ids, samples=samples),))

    return batch_of
