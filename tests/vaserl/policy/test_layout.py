"""Tests the shared-prefix layout against layouts by hand. tests/actors/test_learner.py tests that it changes no
log-probability."""

import pytest
import torch

from vaserl.policy.attention import TokenSpan, branch_mask
from vaserl.policy.groups import Branch, PrefixGroup
from vaserl.policy.layout import micro_batches, padded_layout, shared_prefix_layout
from vaserl.policy.positions import VideoGrid

GRID = VideoGrid(time=1, height=1, width=2, temporal_interval=1.0)


def group(*branches: Branch) -> PrefixGroup:
    return PrefixGroup(prefix_ids=(1, 9, 9, 2), video_start=1, grid=GRID, branches=branches)


def branch(*targets: int, context: tuple[int, ...] = ()) -> Branch:
    return Branch(context_ids=context, target_ids=targets)


def test_shared_prefix_layout_of_one_group_by_hand():
    layout = shared_prefix_layout([group(branch(5, 6), branch(7))])
    assert layout.input_ids.tolist() == [[1, 9, 9, 2, 5, 6, 7]]
    # text 0, video at 1 (width 1 and 2), text goes on at 3; both branches begin at 4
    assert layout.position_ids[0, 0].tolist() == [0, 1, 1, 3, 4, 5, 4]
    assert layout.position_ids[2, 0].tolist() == [0, 1, 2, 3, 4, 5, 4]
    assert layout.video_mask.tolist() == [[False, True, True, False, False, False, False]]
    # 5 is predicted by the prompt's last token, 6 by 5, and 7 by the prompt's last token again
    assert layout.predictor.tolist() == [3, 4, 3]
    assert layout.target_ids.tolist() == [5, 6, 7]
    assert layout.branch_lengths == (2, 1)
    assert layout.spans == (TokenSpan(start=0, prefix_end=4, branch_ends=(6, 7)),)
    # the second branch does not see the first
    assert branch_mask(layout.spans[0]).int().tolist() == [
        [1, 1, 1, 1, 1, 0, 0],
        [1, 1, 1, 1, 1, 1, 0],
        [1, 1, 1, 1, 0, 0, 1],
    ]


def test_shared_prefix_layout_does_not_train_context():
    layout = shared_prefix_layout([group(branch(6, context=(4, 5)))])
    assert layout.input_ids.tolist() == [[1, 9, 9, 2, 4, 5, 6]]
    assert layout.predictor.tolist() == [5]
    assert layout.target_ids.tolist() == [6]


def test_shared_prefix_layout_puts_groups_one_after_another():
    layout = shared_prefix_layout([group(branch(5)), group(branch(6, 7), branch(8))])
    assert layout.input_ids.tolist() == [[1, 9, 9, 2, 5, 1, 9, 9, 2, 6, 7, 8]]
    assert layout.position_ids[0, 0].tolist() == [0, 1, 1, 3, 4, 0, 1, 1, 3, 4, 5, 4]
    assert layout.video_mask[0].nonzero()[:, 0].tolist() == [1, 2, 6, 7]
    assert layout.predictor.tolist() == [3, 8, 9, 8]
    assert layout.spans[1] == TokenSpan(start=5, prefix_end=9, branch_ends=(11, 12))


def test_shared_prefix_layout_accepts_empty_and_single_completions():
    layout = shared_prefix_layout([group(branch(), branch(5))])
    assert (layout.branch_lengths, layout.target_ids.tolist(), layout.predictor.tolist()) == ((0, 1), [5], [3])


def test_padded_layout_repeats_the_prompt():
    layout = padded_layout([group(branch(5, 6), branch(7))], pad_id=0)
    assert layout.input_ids.tolist() == [[1, 9, 9, 2, 5, 6], [1, 9, 9, 2, 7, 0]]
    assert layout.predictor.tolist() == [3, 4, 6 + 3]
    assert layout.spans == ()


@pytest.mark.parametrize("groups", [[], [group()]], ids=["none", "no-branch"])
def test_shared_prefix_layout_refuses_nothing(groups):
    with pytest.raises(ValueError, match="at least one group"):
        shared_prefix_layout(groups)


def test_micro_batches_count_tokens_and_lose_nothing():
    # 40 + 40 fit into 100, but not with the 60; the 150 gets a row of its own
    assert micro_batches([40, 40, 60, 150, 10], 100) == [[0, 1], [2], [3], [4]]
    assert micro_batches([40, 40, 20, 1], 100) == [[0, 1, 2], [3]]
    assert micro_batches([], 100) == []


def test_layout_to_keeps_everything():
    layout = shared_prefix_layout([group(branch(5))])
    moved = layout.to(torch.device("cpu"))
    assert torch.equal(moved.input_ids, layout.input_ids)
    assert moved.branch_lengths == layout.branch_lengths
