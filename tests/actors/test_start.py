"""Tests that a run continues the weights of another one, and of the two policies that its KL term can compare with."""

from pathlib import Path
from typing import Any

import pytest
import torch

from actors.rank import LearnerRank
from tests.actors.test_learner import NUM_FRAMES, grpo_batch
from tests.actors.test_rank_state import FolderCheckpoint, started
from vaserl.dataset import DataSet
from vaserl.errors import UserError
from vaserl.policy.adapter import adapter_files
from vaserl.policy.groups import samples_group
from vaserl.policy.layout import shared_prefix_layout
from vaserl.policy.pixel_cache import PixelCache
from vaserl.policy.prompter import Prompter
from vaserl.policy.tensor_file import TensorFile, read_tensors
from vaserl.policy.weights import MODEL_TENSORS, write_files, write_weights
from vaserl.settings import DataSettings, LearnerSettings, LoraSettings, LossSettings, ModelSettings, StartSettings


def learner_settings(**changes: Any) -> LearnerSettings:
    return LearnerSettings(**{"lora": LoraSettings(rank=4, alpha=8), "num_cpus": 0.5, "learning_rate": 1e-2} | changes)


def rank_without_deepspeed(tiny_model: Path, dataset: Path, start: StartSettings | None, **changes: Any) -> LearnerRank:
    """Returns a rank that was not joined with others: its policy computes without DeepSpeed's engine around it."""
    rank = LearnerRank(
        ModelSettings(path=tiny_model, dtype="float32"),
        DataSettings(path=dataset, num_frames=NUM_FRAMES),
        learner_settings(**changes),
        rank=0,
        seed=0,
        num_steps=4,
        start=start,
    )
    rank._engine = rank._policy
    return rank


@pytest.fixture(scope="module")
def adapter(tiny_model: Path, dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns the folder of an adapter that changes the model's outputs."""
    rank = rank_without_deepspeed(tiny_model, dataset, None)
    with torch.no_grad():
        for name, parameter in rank._peft.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.1, generator=torch.Generator().manual_seed(5))
    return write_files(adapter_files(rank._peft), tmp_path_factory.mktemp("weights") / "v00003")


def logprobs_and_reference(rank: LearnerRank, tiny_model: Path, dataset: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Returns the log-probabilities of a step's tokens under the policy and under the KL term's reference."""
    prompter = Prompter(tiny_model)
    cache = PixelCache(DataSet(dataset).clips, prompter, NUM_FRAMES)
    item = grpo_batch(dataset, prompter, cache).groups[0]
    video = cache.get(item.clip)
    layout = shared_prefix_layout([samples_group(item, video.grid, prompter.video_token_id)])
    with torch.no_grad():
        return rank._policy([video], layout, 0.9)[0], rank._reference([video], layout, 0.9)


def test_started_rank_has_the_policy_of_the_adapter_and_the_chosen_reference(tiny_model, dataset, adapter):
    plain, base = logprobs_and_reference(rank_without_deepspeed(tiny_model, dataset, None), tiny_model, dataset)
    assert torch.equal(plain, base)  # a new adapter changes nothing
    found = {}
    for reference in ("base", "start"):
        rank = rank_without_deepspeed(tiny_model, dataset, StartSettings(weights=adapter, reference=reference))
        policy, compared = logprobs_and_reference(rank, tiny_model, dataset)
        found[reference] = policy
        assert (policy - base).abs().max() > 0.01
        assert torch.equal(compared, base if reference == "base" else policy)
        # the copy is neither trained nor published
        assert adapter_files(rank._peft)["adapter_model.safetensors"].tobytes() == (
            (adapter / "adapter_model.safetensors").read_bytes()
        )
        assert all(p.requires_grad == (".default." in name) for name, p in rank._peft.named_parameters())
        # a later policy leaves the reference behind
        with torch.no_grad():
            for name, parameter in rank._trained():
                parameter.add_(0.01 if "lora_B" in name else 0.0)
        moved, kept = logprobs_and_reference(rank, tiny_model, dataset)
        assert torch.equal(kept, compared)
        assert not torch.equal(moved, policy)
    assert torch.equal(found["base"], found["start"])


def test_started_rank_names_tensors_that_the_model_lacks(tiny_model, dataset, adapter, tmp_path):
    files = {name: (adapter / name).read_bytes() for name in ("adapter_config.json", "adapter_model.safetensors")}
    tensors = read_tensors(files["adapter_model.safetensors"])
    first = sorted(tensors)[0]
    for changed, message in (
        ({name: tensor for name, tensor in tensors.items() if name != first}, rf"lacks {first} \(1 tensors in all\)"),
        (tensors | {"more": torch.zeros(1)}, r"has more, which the learner's model lacks"),
        (tensors | {first: torch.zeros(2, 2)}, rf"{first} in .* has the shape \[2, 2\]"),
    ):
        write_files(files | {"adapter_model.safetensors": TensorFile().fill(changed).tobytes()}, tmp_path)
        with pytest.raises(UserError, match=message):
            rank_without_deepspeed(tiny_model, dataset, StartSettings(weights=tmp_path))


def test_started_rank_of_a_whole_model_needs_the_same_vision_tower(tiny_model, dataset, tmp_path):
    rank = rank_without_deepspeed(tiny_model, dataset, None, method="full")
    tensors = {name: parameter.detach().clone() for name, parameter in rank._named_parameters()}
    head = "model.language_model.norm.weight"
    tensors[head] += 1.0
    write_files({MODEL_TENSORS: TensorFile().fill(tensors).tobytes()}, tmp_path)
    start = StartSettings(weights=tmp_path)
    rank = rank_without_deepspeed(tiny_model, dataset, start, method="full")
    assert torch.equal(dict(rank._named_parameters())[head], tensors[head])
    visual = next(name for name in tensors if "visual" in name)
    tensors[visual] += 1.0
    write_files({MODEL_TENSORS: TensorFile().fill(tensors).tobytes()}, tmp_path)
    with pytest.raises(UserError, match=rf"{visual} in .* differs from model\.path.*learner\.train_vision = true"):
        rank_without_deepspeed(tiny_model, dataset, start, method="full")
    rank_without_deepspeed(tiny_model, dataset, start, method="full", train_vision=True)


@pytest.mark.slow
@pytest.mark.parametrize(("stage", "num_ranks"), [(1, 1), (3, 2)])
def test_started_run_computes_what_the_other_run_s_next_step_computes(
    cluster, tiny_model, dataset, tmp_path, stage, num_ranks
):
    prompter = Prompter(tiny_model)
    batch = grpo_batch(dataset, prompter, PixelCache(DataSet(dataset).clips, prompter, NUM_FRAMES))
    settings = learner_settings(num_ranks=num_ranks, deepspeed={"zero_optimization": {"stage": stage}})
    loss = LossSettings(beta=0.1)
    with started(tiny_model, dataset, settings) as group:
        for _ in range(2):
            group.learn(batch, loss, 0.9)
        folder = write_weights(group.weights(3), tmp_path / "v00003")
        group.snapshot()
        checkpoint = FolderCheckpoint(folder=tmp_path, files=group.write_snapshot(str(tmp_path)))
        expected, second = (group.learn(batch, loss, 0.9).metrics for _ in range(2))
    assert expected["kl"] > 0
    with started(tiny_model, dataset, settings, start=StartSettings(weights=folder)) as group:
        assert group.learn(batch, loss, 0.9).metrics == expected
        assert group.learn(batch, loss, 0.9).metrics != second  # the moments begin at 0
    with started(tiny_model, dataset, settings, start=StartSettings(weights=folder)) as group:
        group.take_moments(checkpoint)
        assert group.learn(batch, loss, 0.9).metrics == expected
        assert group.learn(batch, loss, 0.9).metrics == second  # in float32, weights and masters are the same
    with started(tiny_model, dataset, settings, start=StartSettings(weights=folder, reference="start")) as group:
        found = group.learn(batch, loss, 0.9).metrics
        assert found["kl"] == 0.0
        assert found["entropy"] == expected["entropy"]
        assert group.learn(batch, loss, 0.9).metrics["kl"] > 0
