"""Tests with a real policy that the loss and gradients of a step do not depend on ranks, micro-batches and layouts, for
every variant. tests/actors/test_learner.py shows the same for DeepSpeed's ranks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch

from vaserl.dataset import DataSet
from vaserl.grpo.loss import policy_loss
from vaserl.grpo.variants import VARIANTS
from vaserl.policy.clips import ClipPixels
from vaserl.policy.groups import PrefixGroup, samples_group
from vaserl.policy.layout import Layout, padded_layout, shared_prefix_layout
from vaserl.policy.pixel_cache import PixelCache
from vaserl.policy.policy import Policy, load_model
from vaserl.policy.prompter import Prompter
from vaserl.settings import LossSettings
from vaserl.types import Batch, PromptSamples, Sample

LayOut = Callable[[Sequence[PrefixGroup], Sequence[ClipPixels], int], tuple[Layout, list[ClipPixels]]]


def shared(groups: Sequence[PrefixGroup], clips: Sequence[ClipPixels], pad_id: int) -> tuple[Layout, list[ClipPixels]]:
    return shared_prefix_layout(groups), list(clips)


def padded(groups: Sequence[PrefixGroup], clips: Sequence[ClipPixels], pad_id: int) -> tuple[Layout, list[ClipPixels]]:
    repeated = [clip for group, clip in zip(groups, clips, strict=True) for _ in group.branches]
    return padded_layout(groups, pad_id), repeated


def packed(groups: Sequence[PrefixGroup], clips: Sequence[ClipPixels], pad_id: int) -> tuple[Layout, list[ClipPixels]]:
    repeated = [clip for group, clip in zip(groups, clips, strict=True) for _ in group.branches]
    singles = [replace(group, branches=(branch,)) for group in groups for branch in group.branches]
    return shared_prefix_layout(singles), repeated


LAYOUTS: dict[str, LayOut] = {"padded": padded, "packed": packed, "shared": shared}
LOSSES = {
    **{name: LossSettings(variant=name, beta=0.05) for name in VARIANTS if name != "dr_grpo"},
    "dr_grpo": LossSettings(variant="dr_grpo", beta=0.05, token_budget=9),
    "gspo-wide": LossSettings(variant="gspo", clip_low=0.2, clip_high=0.28, ratio_cap=2.0),
    "grpo-learner": LossSettings(variant="grpo", old_logprobs="learner"),
}
SIZES = ([5, 1, 9], [3], [2, 7], [6, 6], [1, 1, 1], [8, 2], [4], [3, 9])
"""Number of tokens of each completion, group by group: different lengths, single tokens, and a group of one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A policy and a step's batch for it."""

    policy: Policy
    batch: Batch
    groups: list[PrefixGroup]
    clips: list[ClipPixels]
    references: list[torch.Tensor]
    pad_id: int


@pytest.fixture(scope="module")
def world(tiny_model: Path, dataset: Path) -> World:
    prompter, model = Prompter(tiny_model), load_model(tiny_model)
    model.model.visual.requires_grad_(False)
    policy = Policy(model)
    cache = PixelCache(DataSet(dataset).clips, prompter, 4)
    rng = torch.Generator().manual_seed(5)
    vases, prompts = DataSet(dataset).vases("train"), ("Describe the vase.", "What is the fabric of the vase?")
    clips = [cache.get(vases[index % 4].clip) for index in range(len(SIZES))]
    tokens = [[torch.randint(8, 300, (n,), generator=rng).tolist() for n in sizes] for sizes in SIZES]

    def lay_out(index: int, samples: tuple[Sample, ...]) -> tuple[PromptSamples, PrefixGroup]:
        prompt_ids = prompter.token_ids(prompts[index % 2], clips[index].grid)
        handed = PromptSamples(clip=vases[index % 4].clip, prompt_ids=prompt_ids, samples=samples)
        return handed, samples_group(handed, clips[index].grid, prompter.video_token_id)

    handed, groups, references = [], [], []
    for index, sequences in enumerate(tokens):
        bare = tuple(Sample(token_ids=tuple(ids), logprobs=(), advantage=0.0) for ids in sequences)
        with torch.no_grad():
            near, _ = policy([clips[index]], shared_prefix_layout([lay_out(index, bare)[1]]))
        # an engine and a reference that differ enough from the policy for clips, caps and weights to take effect
        engine = (near + 0.4 * torch.randn(len(near), generator=rng)).split([len(ids) for ids in sequences])
        references.append(near + 0.2 * torch.randn(len(near), generator=rng))
        samples = tuple(
            Sample(token_ids=tuple(ids), logprobs=tuple(row.tolist()), advantage=float(torch.randn((), generator=rng)))
            for ids, row in zip(sequences, engine, strict=True)
        )
        of_index = lay_out(index, samples)
        handed.append(of_index[0])
        groups.append(of_index[1])
    return World(
        policy=policy,
        batch=Batch(step=1, groups=tuple(handed)),
        groups=groups,
        clips=clips,
        references=references,
        pad_id=prompter.pad_token_id,
    )


def losses(world: World, lay_out: LayOut, members: list[int], num_tokens: int, num_sequences: int):
    """Returns the part of the loss of a micro-batch of these groups, under each of LOSSES."""
    layout, clips = lay_out([world.groups[i] for i in members], [world.clips[i] for i in members], world.pad_id)
    logprobs, _ = world.policy(clips, layout, 0.9)
    samples = [sample for i in members for sample in world.batch.groups[i].samples]
    engine = torch.tensor([logprob for sample in samples for logprob in sample.logprobs])
    advantages = torch.tensor([sample.advantage for sample in samples])
    reference = torch.cat([world.references[i] for i in members])
    for name, loss in LOSSES.items():
        yield (
            name,
            policy_loss(
                logprobs,
                engine,
                advantages,
                reference if loss.beta else None,
                layout.branch_lengths,
                loss=loss,
                num_tokens=num_tokens,
                num_sequences=num_sequences,
            ).loss,
        )


def run_step(world: World, lay_out: LayOut, cuts: list[list[int]], num_ranks: int) -> dict[str, tuple[float, Any]]:
    """Returns the loss and the gradients of the step under each of LOSSES, cut into these micro-batches."""
    parameters = [p for p in world.policy.parameters() if p.requires_grad]
    totals = {name: (0.0, [torch.zeros_like(p) for p in parameters]) for name in LOSSES}
    for members in cuts:
        of_step = world.batch.num_loss_tokens, world.batch.num_sequences
        for name, loss in losses(world, lay_out, members, *of_step):
            # scaled by the number of ranks, as a rank does: gradients are averaged over them
            gradients = torch.autograd.grad(loss * num_ranks, parameters, retain_graph=True)
            value, total = totals[name]
            totals[name] = (
                value + float(loss.detach()),
                [t + g / num_ranks for t, g in zip(total, gradients, strict=True)],
            )
    return totals


def cut(num_items: int, num_ranks: int, accumulation: int) -> list[list[int]]:
    """Returns the micro-batches of all ranks: each rank's share of the items in `accumulation` pieces."""
    shares = [list(range(num_items))[rank::num_ranks] for rank in range(num_ranks)]
    return [
        share[len(share) * piece // accumulation : len(share) * (piece + 1) // accumulation]
        for share in shares
        for piece in range(accumulation)
    ]


@pytest.fixture(scope="module")
def whole(world: World) -> dict[str, tuple[float, Any]]:
    """Returns the step on one rank, in one padded micro-batch."""
    return run_step(world, padded, [list(range(len(SIZES)))], 1)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_policy_loss_does_not_depend_on_ranks_micro_batches_or_layout(world: World, whole, layout: str):
    assert world.batch.num_sequences == sum(map(len, SIZES))
    cells = {(2, 2): cut(len(SIZES), 2, 2), (1, 3): [[0, 1, 2, 3, 4], [5, 6], [7]]}
    if layout == "shared":  # the learner's layout gets every cut; others get two, as cut and layout are independent
        lonely = [[index] for index in range(len(SIZES))]
        cells |= {(1, 8): lonely, **{(r, a): cut(len(SIZES), r, a) for r, a in product((1, 2), (1, 2, 4))}}
    for (num_ranks, accumulation), cuts in cells.items():
        assert sorted(i for members in cuts for i in members) == list(range(len(SIZES)))
        for name, (loss, gradients) in run_step(world, LAYOUTS[layout], cuts, num_ranks).items():
            expected_loss, expected = whole[name]
            cell = f"{name}, {num_ranks} ranks x {accumulation}"
            # relative above 1, like the gradients: float32 rounds a loss of 2.9 by 2e-7 for each part that is added
            assert abs(loss - expected_loss) <= 1e-6 * max(1.0, abs(expected_loss)), cell
            largest = max(float(g.abs().max()) for g in expected)
            assert largest > 1e-3, cell  # there is something to compare
            for found, wanted in zip(gradients, expected, strict=True):
                assert (found - wanted).abs().max() <= 1e-6 * max(1.0, largest), cell


def test_policy_loss_of_this_step_changes_with_a_wrong_denominator(world: World, whole):
    """Checks that micro-batches which divide by their own counts give another result, because the cut is uneven."""
    cuts = cut(len(SIZES), 2, 2)
    means = dict.fromkeys(LOSSES, 0.0)
    for members in cuts:
        own = [sum(SIZES[i]) for i in members], [len(SIZES[i]) for i in members]
        for name, loss in losses(world, shared, members, *map(sum, own)):
            means[name] += float(loss.detach()) / len(cuts)
    for name, mean in means.items():
        assert abs(mean - whole[name][0]) > 1e-3, name
