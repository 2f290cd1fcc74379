"""The learner's logprobs are the engine's, on video, with an adapter, to 1e-5 in fp32."""

from pathlib import Path

import pytest
import torch

from actors.cluster import bundle, placed
from actors.rollout import RolloutPool
from tests.conftest import make_clip, make_dataset
from vaserl.clip import ClipStore
from vaserl.dataset import read_vases
from vaserl.models.adapter import adapter_files, add_lora, make_weights
from vaserl.models.groups import samples_group
from vaserl.models.layout import shared_prefix_layout
from vaserl.models.policy import Policy, Prompter, load_model
from vaserl.settings import ClusterSettings, DataSettings, ModelSettings, RolloutSettings
from vaserl.types import Group, PromptSamples, Sample

ENGINE_ARGS = {"max_model_len": 1024, "max_num_seqs": 16}


def learner_logprobs(policy: Policy, prompter: Prompter, clips: ClipStore, group: Group, num_frames: int, temperature):
    pixels = prompter.pixels(clips.load(group.task.clip, num_frames))
    samples = tuple(Sample(token_ids=c.token_ids, logprobs=c.logprobs, advantage=0.0) for c in group.completions)
    handed = PromptSamples(clip=group.task.clip, prompt_ids=group.prompt_ids, samples=samples)
    layout = shared_prefix_layout([samples_group(handed, pixels.grid, prompter.video_token_id)])
    with torch.no_grad():
        logprobs, _ = policy([pixels], layout, temperature)
    return logprobs


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_engine_and_learner_agree(cluster, tiny_model: Path, dataset: Path, temperature: float):
    num_frames = 8
    model, data = ModelSettings(path=tiny_model, dtype="float32"), DataSettings(path=dataset, num_frames=num_frames)
    settings = RolloutSettings(
        group_size=3, temperature=temperature, max_new_tokens=12, engine_args=ENGINE_ARGS, num_cpus=1
    )
    tasks = [vase.caption_task() for vase in read_vases(dataset, "train")]
    clips = ClipStore(dataset / "clips")
    # clips whose temporal extent exceeds their spatial one are where the two libraries' own positions part
    slow = clips.add(make_clip(99, fps=0.5))
    tasks = [*tasks, *[type(tasks[0])(id="slow", clip=slow, **_rest(tasks[0]))]]

    prompter, hf_model = Prompter(tiny_model), load_model(tiny_model)
    peft = add_lora(hf_model, rank=8, alpha=16)
    for name, parameter in peft.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.2, generator=torch.Generator().manual_seed(len(name)))
    policy = Policy(hf_model).eval()

    with placed([bundle(1, 0)], ClusterSettings()) as placement:
        pool = RolloutPool(model, data, settings, max_lora_rank=8, seed=0, placement=placement, first_bundle=0)
        base = pool.generate(tasks, step=1)
        pool.publish(make_weights(1, adapter_files(peft)))
        adapted = pool.generate(tasks, step=1)

    with peft.disable_adapter():
        gaps_base = [_gap(policy, prompter, clips, group, num_frames, temperature) for group in base]
    gaps_adapted = [_gap(policy, prompter, clips, group, num_frames, temperature) for group in adapted]
    assert max(gaps_base) <= 1e-5
    assert max(gaps_adapted) <= 1e-5
    # the check can fail: against the wrong weights the gap is not small
    assert max(_gap(policy, prompter, clips, group, num_frames, temperature) for group in base) > 1e-2
    assert {c.weights_version for g in base for c in g.completions} == {0}
    assert {c.weights_version for g in adapted for c in g.completions} == {1}


def _gap(policy, prompter, clips, group, num_frames, temperature) -> float:
    engine = torch.tensor([logprob for c in group.completions for logprob in c.logprobs])
    return float((learner_logprobs(policy, prompter, clips, group, num_frames, temperature) - engine).abs().max())


def _rest(task):
    return {"prompt": task.prompt, "dimensions": task.dimensions, "record": task.record, "reference": task.reference}


def test_make_dataset_is_used_elsewhere(tmp_path: Path):
    assert len(read_vases(make_dataset(tmp_path), "test")) == 2
