"""Tests the learner's DeepSpeed ranks on CPU: the update does not depend on how a step is divided into micro-batches
and among ranks, and equals plain PyTorch's."""

from functools import partial
from pathlib import Path

import psutil
import pytest
import ray
import torch

from actors.learner import LearnerGroup, _Rank
from actors.placement import placed
from actors.rank import LearnerRank
from vaserl.dataset import DataSet
from vaserl.grpo.loss import policy_loss
from vaserl.planning.requests import actor_request
from vaserl.policy.adapter import add_lora
from vaserl.policy.groups import demonstration_group, samples_group
from vaserl.policy.layout import padded_layout, shared_prefix_layout
from vaserl.policy.pixel_cache import PixelCache
from vaserl.policy.policy import Policy, load_model
from vaserl.policy.prompter import Prompter
from vaserl.policy.tensor_file import read_tensors
from vaserl.settings import (
    CAPTION_PROMPT,
    ClusterSettings,
    DataSettings,
    LearnerSettings,
    LoraSettings,
    LossSettings,
    ModelSettings,
)
from vaserl.types import Batch, Demonstration, PromptSamples, Sample

NUM_FRAMES = 4


@pytest.fixture(scope="module")
def demonstrations(dataset: Path) -> list[Demonstration]:
    vases = DataSet(dataset).vases("train")
    return [
        Demonstration(
            clip=vase.clip,
            rotation=index,
            shift=(index, -1) if index == 2 else (0, 0),
            turns=((CAPTION_PROMPT, vase.caption), (vase.questions[0].question, "Athenian"))[: 1 + index % 2],
        )
        for index, vase in enumerate(vases[:3])
    ]


def learner_settings(**changes) -> LearnerSettings:
    return LearnerSettings(
        **{"method": "full", "train_vision": True, "num_cpus": 0.5, "learning_rate": 1e-3, "max_grad_norm": 1e6}
        | changes
    )


def start(tiny_model, dataset, settings, placement) -> LearnerGroup:
    group = LearnerGroup(
        ModelSettings(path=tiny_model, dtype="float32"),
        DataSettings(path=dataset, num_frames=NUM_FRAMES),
        settings,
        placement["learner"],
        seed=0,
        num_steps=4,
    )
    group.wait_until_ready()
    return group


def files_left_to_others() -> list[str]:
    """Returns DeepSpeed's buffers in /dev/shm that this test's processes have mapped; they would outlive the
    processes."""
    children = psutil.Process().children(recursive=True)
    lines = [line for child in children for line in Path(f"/proc/{child.pid}/maps").read_text().splitlines()]
    return [line for line in lines if "deepspeed_" in line]


def plain_imitation(tiny_model, dataset, demonstrations, num_steps) -> tuple[list[float], dict[str, torch.Tensor]]:
    """Computes the reference in one process: a padded row for each answer, torch's own cross entropy and AdamW."""
    prompter, model = Prompter(tiny_model), load_model(tiny_model)
    cache = PixelCache(DataSet(dataset).clips, prompter, NUM_FRAMES)
    policy = Policy(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.95), weight_decay=0.0)
    losses = []
    for _ in range(num_steps):
        total, count = torch.zeros(()), 0
        for item in demonstrations:
            pixels = cache.get(item.clip, item.rotation, item.shift)
            group = demonstration_group(item, pixels.grid, prompter)
            layout = padded_layout([group], prompter.pad_token_id)
            logprobs, _ = policy([pixels] * len(group.branches), layout)
            total, count = total - logprobs.sum(), count + len(logprobs)
        loss = total / count
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, {name: p.detach() for name, p in model.named_parameters()}


@pytest.mark.parametrize(
    ("num_ranks", "stage", "max_tokens"), [(1, 0, 10_000), (2, 2, 10_000), (2, 3, 100)], ids=["1", "2-zero2", "2-zero3"]
)
def test_learner_group_imitates_alike_for_any_ranks_and_micro_batches(
    cluster, tiny_model, dataset, demonstrations, num_ranks, stage, max_tokens
):
    settings = learner_settings(
        num_ranks=num_ranks,
        max_tokens_per_micro_batch=max_tokens,
        deepspeed={"zero_optimization": {"stage": stage}},
    )
    with placed({"learner": actor_request(settings)}, ClusterSettings()) as placement:
        group = start(tiny_model, dataset, settings, placement)
        assert not files_left_to_others()
        losses = [group.imitate(step, demonstrations).metrics["loss"] for step in (1, 2)]
        trained = read_tensors(group.weights(1).files["model.safetensors"])
    expected_losses, expected = plain_imitation(tiny_model, dataset, demonstrations, 2)
    assert losses == pytest.approx(expected_losses, abs=2e-6)
    assert losses[1] < losses[0]
    for name, tensor in expected.items():
        # Adam's first steps are lr x sign(gradient): where a gradient is rounding noise, so is its sign
        assert (trained[name] - tensor).abs().mean() < 1e-5, name


def test_shared_prefix_layout_equals_padded_with_gradients(tiny_model, dataset):
    prompter, model = Prompter(tiny_model), load_model(tiny_model)
    policy = Policy(model)
    cache = PixelCache(DataSet(dataset).clips, prompter, NUM_FRAMES)
    rng = torch.Generator().manual_seed(1)
    groups, clips = [], []
    for vase, lengths in zip(DataSet(dataset).vases("train"), ([5, 1, 9], [3], [2, 7]), strict=False):
        pixels = cache.get(vase.clip)
        samples = tuple(
            Sample(token_ids=tuple(torch.randint(8, 300, (n,), generator=rng).tolist()), logprobs=(), advantage=0.0)
            for n in lengths
        )
        handed = PromptSamples(
            clip=vase.clip, prompt_ids=prompter.token_ids("Describe the vase.", pixels.grid), samples=samples
        )
        groups.append(samples_group(handed, pixels.grid, prompter.video_token_id))
        clips.append(pixels)

    shared, _ = policy(clips, shared_prefix_layout(groups), 0.8)
    weights = torch.randn(len(shared), generator=rng)
    gradients = _gradients(model, (shared * weights).sum())
    repeated = [pixels for pixels, group in zip(clips, groups, strict=True) for _ in group.branches]
    padded, _ = policy(repeated, padded_layout(groups, prompter.pad_token_id), 0.8)
    expected = _gradients(model, (padded * weights).sum())

    assert (shared - padded).abs().max() <= 1e-5
    for name, gradient in expected.items():
        assert (gradients[name] - gradient).abs().max() <= 1e-4 * gradient.abs().max().clamp(min=1e-6), name


def _gradients(model, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}


def test_policy_logprobs_equal_the_stock_forward(tiny_model, dataset):
    """Compares log-probabilities with those of transformers' own forward pass on pixels, for clips where its position
    ids equal the engine's."""
    prompter, model = Prompter(tiny_model), load_model(tiny_model)
    clip = DataSet(dataset).clips.load(DataSet(dataset).vases("train")[0].clip, NUM_FRAMES)
    clip = type(clip)(
        frames=clip.frames, fps=8.0, frame_indices=clip.frame_indices, num_source_frames=clip.num_source_frames
    )
    pixels = prompter.pixels(clip)
    prompt_ids, answer = prompter.token_ids("Describe the vase.", pixels.grid), (20, 30, 40, 50)
    handed = PromptSamples(
        clip="", prompt_ids=prompt_ids, samples=(Sample(token_ids=answer, logprobs=(), advantage=0.0),)
    )
    group = samples_group(handed, pixels.grid, prompter.video_token_id)
    ours, _ = Policy(model)([pixels], shared_prefix_layout([group]))

    ids = torch.tensor([[*prompt_ids, *answer]])
    logits = model(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        pixel_values_videos=pixels.patches,
        video_grid_thw=torch.tensor([pixels.patch_grid]),
        second_per_grid_ts=torch.tensor([2 / clip.fps]),
        mm_token_type_ids=(ids == prompter.video_token_id).int() * 2,
    ).logits
    theirs = logits[0, -5:-1].log_softmax(-1).gather(-1, torch.tensor(answer)[:, None])[:, 0]
    assert (ours - theirs).abs().max() <= 1e-5


LOSSES = {
    "dapo": LossSettings(beta=0.1, clip_low=0.1, clip_high=0.2),
    "grpo": LossSettings(variant="grpo"),
    "dr_grpo": LossSettings(variant="dr_grpo", token_budget=9),
    "gspo": LossSettings(variant="gspo", clip_low=0.1, clip_high=0.1, beta=0.1),
    "cispo": LossSettings(variant="cispo", ratio_cap=1.5),
    "learner": LossSettings(variant="grpo", old_logprobs="learner", importance_cap=1.5, beta=0.1),
}


class ObservedRank(_Rank):
    """A rank that keeps the gradients of a step and lets the test change its settings between steps."""

    def join(self, address: str, port: int) -> int:
        count = super().join(address, port)
        self._seen: dict[str, torch.Tensor] = {}
        for name, parameter in self._policy.named_parameters():
            if parameter.requires_grad:
                parameter.register_hook(partial(self._keep, name))
        return count

    def _keep(self, name: str, gradient: torch.Tensor) -> None:
        self._seen[name] = self._seen.get(name, 0.0) + gradient.detach()

    def change(self, **changes) -> None:
        self._learner = self._learner.model_copy(update=changes)

    def gradients(self) -> dict[str, torch.Tensor]:
        """Returns the gradients since the last call, over all micro-batches."""
        seen, self._seen = self._seen, {}
        return seen


def grpo_batch(dataset: Path, prompter: Prompter, cache: PixelCache) -> Batch:
    """Returns groups of completions of different lengths. Their engine log-probabilities differ from the random
    model's, which are near -6 per token."""
    rng = torch.Generator().manual_seed(3)
    items = []
    for vase, sizes in zip(DataSet(dataset).vases("train"), ([4, 6], [3], [5, 2]), strict=False):
        samples = tuple(
            Sample(
                token_ids=tuple(torch.randint(8, 300, (n,), generator=rng).tolist()),
                logprobs=tuple((torch.rand(n, generator=rng) - 6).tolist()),
                advantage=float(torch.randn((), generator=rng)),
            )
            for n in sizes
        )
        ids = prompter.token_ids("Describe the vase.", cache.get(vase.clip).grid)
        items.append(PromptSamples(clip=vase.clip, prompt_ids=ids, samples=samples))
    return Batch(step=1, groups=tuple(items))


def plain_grpo(tiny_model, files, batch: Batch, cache: PixelCache, loss: LossSettings):
    """Computes the reference in one process and one padded micro-batch, from an adapter's `files` and its base.

    Returns: the loss, its gradients by name, and the metrics' sums.
    """
    from peft import set_peft_model_state_dict

    prompter, model = Prompter(tiny_model), load_model(tiny_model)
    peft = add_lora(model, rank=8, alpha=16)
    set_peft_model_state_dict(peft, read_tensors(files["adapter_model.safetensors"]))
    policy = Policy(model)
    groups = [samples_group(i, cache.get(i.clip).grid, prompter.video_token_id) for i in batch.groups]
    layout = padded_layout(groups, prompter.pad_token_id)
    clips = [cache.get(item.clip) for item in batch.groups for _ in item.samples]
    logprobs, entropy = policy(clips, layout, 0.9)
    with torch.no_grad(), peft.disable_adapter():
        reference, _ = policy(clips, layout, 0.9)
    samples = [s for item in batch.groups for s in item.samples]
    result = policy_loss(
        logprobs,
        torch.tensor([x for s in samples for x in s.logprobs]),
        torch.tensor([s.advantage for s in samples]),
        reference if loss.beta else None,
        layout.branch_lengths,
        loss=loss,
        num_tokens=20,  # 4 + 6 + 3 + 5 + 2
        num_sequences=5,
    )
    return float(result.loss.detach()), _gradients(policy, result.loss), {**result.sums, "entropy": entropy.sum()}


@pytest.mark.parametrize("num_ranks", [1, 2])
def test_learner_group_learn_takes_the_loss_of_the_formula(cluster, tiny_model, dataset, monkeypatch, num_ranks):
    """Runs every variant of the loss on DeepSpeed's ranks, with one micro-batch per rank and with several. Loss,
    gradients and metrics must equal those that one process computes from the definition in one batch."""
    monkeypatch.setattr("actors.learner.LearnerActor", ray.remote(ObservedRank))
    prompter = Prompter(tiny_model)
    cache = PixelCache(DataSet(dataset).clips, prompter, NUM_FRAMES)
    batch = grpo_batch(dataset, prompter, cache)
    assert (batch.num_loss_tokens, batch.num_sequences) == (20, 5)
    settings = learner_settings(
        method="lora",
        train_vision=False,
        num_ranks=num_ranks,
        lora=LoraSettings(rank=8, alpha=16),
        deepspeed={"zero_optimization": {"stage": num_ranks}},
    )
    with placed({"learner": actor_request(settings)}, ClusterSettings()) as placement:
        group = start(tiny_model, dataset, settings, placement)

        def on_all(method: str, **arguments):
            return ray.get([getattr(rank, method).remote(**arguments) for rank in group._pool.actors])

        first = group.learn(batch, LOSSES["dapo"], 0.9).metrics
        assert first["kl"] == pytest.approx(0.0, abs=1e-9)  # a new adapter leaves the base unchanged
        files = group.weights(1).files
        on_all("gradients")
        for name, loss in LOSSES.items():
            value, gradients, sums = plain_grpo(tiny_model, files, batch, cache, loss)
            assert max(float(g.abs().max()) for g in gradients.values()) > 1e-3
            norm = torch.stack([g.norm() for g in gradients.values()]).norm()
            for max_tokens in (10_000, 1):
                # at this rate the weights do not change
                on_all("change", learning_rate=1e-30, max_tokens_per_micro_batch=max_tokens)
                metrics = group.learn(batch, loss, 0.9).metrics
                found = on_all("gradients")
                assert abs(metrics["loss"] - value) <= 1e-6, (name, max_tokens)
                assert {key: metrics[key] for key in sums} == pytest.approx(
                    {key: float(total) / 20 for key, total in sums.items()}, rel=1e-4, abs=1e-6
                )
                assert ("kl" in metrics) == (loss.beta > 0)
                assert metrics["grad_norm"] == pytest.approx(float(norm), rel=1e-4)
                for parameter, wanted in gradients.items():
                    mean = sum(rank[parameter] for rank in found) / num_ranks
                    assert (mean - wanted).abs().max() <= 1e-6, (name, max_tokens, parameter)
        again = group.learn(batch, LOSSES["dapo"], 0.9).metrics
    assert again["kl"] > 0
    assert again["loss"] < first["loss"]


def test_learner_rank_refuses_a_prompt_of_another_clip(tiny_model, dataset):
    prompter = Prompter(tiny_model)
    grid = prompter.pixels(DataSet(dataset).clips.load(DataSet(dataset).vases("train")[0].clip, 4)).grid
    other = prompter.pixels(DataSet(dataset).clips.load(DataSet(dataset).vases("train")[0].clip, 8)).grid
    handed = PromptSamples(clip="c", prompt_ids=prompter.token_ids("x", other), samples=())
    with pytest.raises(ValueError, match="processors or frames differ"):
        samples_group(handed, grid, prompter.video_token_id)


def test_learner_rank_is_an_ordinary_class():
    assert isinstance(LearnerRank, type)
