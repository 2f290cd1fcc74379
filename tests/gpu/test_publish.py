"""Tests publishing on GPUs: merged in place under CUDA graphs, and whole models over NCCL. The fingerprint check
raises when an engine's log-probabilities of the probe text differ from the learner's."""

import itertools
from pathlib import Path

import pytest
import torch

from actors.cluster import connect
from actors.learner import LearnerGroup
from actors.placement import placed
from actors.publish import NcclTransport, ObjectStoreTransport, goes_by_transfer
from actors.rollout import RolloutPool
from vaserl.dataset import DataSet
from vaserl.planning.requests import actor_request
from vaserl.policy.prompter import Prompter
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

pytestmark = pytest.mark.gpu
NUM_FRAMES = 8
NUM_STEPS = 4
MAX_GAP = 1e-2
ENGINE_ARGS = {"max_model_len": 1024, "max_num_seqs": 16, "gpu_memory_utilization": 0.2}


def a_batch(model: Path, dataset: Path, step: int) -> Batch:
    """Returns a batch of one group of two answers, one with advantage +1 and one with -1, so that every step changes
    the policy."""
    vase, prompter = DataSet(dataset).vases("train")[0], Prompter(model)
    grid = prompter.pixels(DataSet(dataset).clips.load(vase.clip, NUM_FRAMES)).grid
    samples = tuple(
        Sample(token_ids=tuple(range(first, first + 6)), logprobs=(-5.0,) * 6, advantage=advantage)
        for first, advantage in ((20, 1.0), (40, -1.0))
    )
    ids = prompter.token_ids("Describe the vase.", grid)
    return Batch(step=step, groups=(PromptSamples(clip=vase.clip, prompt_ids=ids, samples=samples),))


def room_for(rollout: RolloutSettings, learner: LearnerSettings):
    requests = {"rollout": actor_request(rollout), "learner": actor_request(learner)}
    return placed(requests, ClusterSettings(placement_timeout_s=60))


def parts(tiny_model: Path, dataset: Path, rollout: RolloutSettings, learner: LearnerSettings, placement):
    model = ModelSettings(path=tiny_model, dtype="bfloat16")
    data = DataSettings(path=dataset, num_frames=NUM_FRAMES)
    ranks = LearnerGroup(model, data, learner, placement["learner"], seed=0, num_steps=NUM_STEPS)
    engines = RolloutPool(
        model,
        data,
        rollout,
        placement["rollout"],
        max_lora_rank=learner.lora.rank if learner.method == "lora" else None,
        seed=0,
        transport=NcclTransport(ranks) if goes_by_transfer(learner, rollout) else ObjectStoreTransport(),
    )
    ranks.wait_until_ready()
    engines.wait_until_ready()
    return engines, ranks


@pytest.mark.skipif(torch.cuda.device_count() < 1, reason="needs a GPU")
@pytest.mark.parametrize("base_copy", ["device", "host"])
def test_publish_merged_weights_serve_under_cuda_graphs(tiny_model: Path, dataset: Path, base_copy):
    rollout = RolloutSettings(
        num_gpus=0.5,
        publish="merge",
        base_copy=base_copy,
        max_fingerprint_gap=MAX_GAP,
        group_size=2,
        max_new_tokens=8,
        engine_args=ENGINE_ARGS,
    )
    learner = LearnerSettings(num_gpus=0.5, learning_rate=1e-2, lora=LoraSettings(rank=8, alpha=16))
    tasks = [vase.caption_task() for vase in DataSet(dataset).vases("train")][:2]
    with (
        connect(ClusterSettings(num_cpus=4)),
        room_for(rollout, learner) as placement,
    ):
        engines, ranks = parts(tiny_model, dataset, rollout, learner, placement)
        sampled = []
        for step in range(1, NUM_STEPS + 1):
            ranks.learn(a_batch(tiny_model, dataset, step), LossSettings(), 1.0)
            assert engines.publish(ranks.weights(step)).fingerprint_gap <= MAX_GAP
            # decoding uses the captured graphs; the prefill of the probe text may not
            sampled.append([c.logprobs for group in engines.generate(tasks, step=1) for c in group.completions])
        assert all(one != other for one, other in itertools.pairwise(sampled))


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="NCCL needs one GPU for the learner and one for the engine")
def test_publish_sends_a_whole_model_from_gpu_to_gpu(tiny_model: Path, dataset: Path):
    rollout = RolloutSettings(num_gpus=1, max_fingerprint_gap=MAX_GAP, engine_args=ENGINE_ARGS)
    learner = LearnerSettings(num_gpus=1, method="full", train_vision=True, learning_rate=1e-3)
    with (
        connect(ClusterSettings(num_cpus=4)),
        room_for(rollout, learner) as placement,
    ):
        engines, ranks = parts(tiny_model, dataset, rollout, learner, placement)
        fingerprints = set()
        for step in range(1, NUM_STEPS + 1):
            ranks.learn(a_batch(tiny_model, dataset, step), LossSettings(), 1.0)
            weights = ranks.weights(step)
            assert not weights.files
            assert engines.publish(weights).fingerprint_gap <= MAX_GAP
            fingerprints.add(weights.fingerprint.logprobs)
        assert len(fingerprints) == NUM_STEPS
