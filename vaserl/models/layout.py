"""The shared-prefix layout: a prompt once, then every completion of its group.

A padded batch repeats the prompt G times. Here a group is one row [prefix][branch 1] … [branch G]: each branch
attends to the prefix and to itself, and continues the prefix's positions, so tokens fall from G·(P+C) to P+G·C while
every logprob and gradient stays what it was.

A branch may begin with context that is not trained: in supervised fine-tuning the prefix ends after the clip, and
each branch is a question and its answer.

Axes: B rows (groups), S tokens of a row, N trained tokens of all rows together.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from vaserl.models.positions import VideoGrid, continue_positions, prompt_positions


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One continuation of a prefix."""

    context_ids: tuple[int, ...]
    """Tokens between the prefix and the trained ones; empty when the prefix is the whole prompt."""
    target_ids: tuple[int, ...]
    """Trained tokens, the end-of-turn token included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixGroup:
    """A prefix with its clip and the branches that share it."""

    prefix_ids: tuple[int, ...]
    """[P] video placeholders expanded."""
    video_start: int
    """Index of the first placeholder."""
    grid: VideoGrid
    """The clip's token grid."""
    branches: tuple[Branch, ...]
    """At least one."""

    @property
    def num_tokens(self) -> int:
        """Length of the row this group makes."""
        return len(self.prefix_ids) + sum(len(b.context_ids) + len(b.target_ids) for b in self.branches)


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """What the model is given, and where the trained tokens' predictions stand."""

    input_ids: torch.Tensor
    """[B, S] int64, rows padded on the right."""
    position_ids: torch.Tensor
    """[3, B, S] int64."""
    attention_mask: torch.Tensor
    """[B, 1, S, S] bool, True where a query (third axis) may see a key (fourth axis)."""
    video_mask: torch.Tensor
    """[B, S] bool, True on video placeholders, row-major in the order of the groups' clips."""
    predictor: torch.Tensor
    """[N] index into the flattened [B·S] tokens whose hidden state predicts each trained token."""
    target_ids: torch.Tensor
    """[N] the trained tokens."""
    branch_lengths: tuple[int, ...]
    """Trained tokens of each branch, groups in order: splits any [N] tensor by completion."""

    def to(self, device: torch.device) -> "Layout":
        """The same layout with its tensors on `device`."""
        tensors = {
            name: getattr(self, name).to(device)
            for name in ("input_ids", "position_ids", "attention_mask", "video_mask", "predictor", "target_ids")
        }
        return Layout(**tensors, branch_lengths=self.branch_lengths)


def shared_prefix_layout(groups: Sequence[PrefixGroup], pad_id: int) -> Layout:
    """Lays out several groups, one row each.

    Raises: ValueError when there is no group, or a group without a prefix or a branch.
    """
    if not groups or any(not group.branches or not group.prefix_ids for group in groups):
        raise ValueError("a layout needs at least one group, and each group a prefix and a branch")
    width = max(group.num_tokens for group in groups)
    num_rows = len(groups)
    input_ids = torch.full((num_rows, width), pad_id, dtype=torch.long)
    position_ids = torch.zeros((3, num_rows, width), dtype=torch.long)
    # padding sees itself, so that no softmax is taken over nothing
    mask = torch.eye(width, dtype=torch.bool).repeat(num_rows, 1, 1)
    video_mask = torch.zeros((num_rows, width), dtype=torch.bool)
    predictor: list[int] = []
    targets: list[int] = []
    lengths: list[int] = []
    for row, group in enumerate(groups):
        num_prefix = len(group.prefix_ids)
        positions = prompt_positions(num_prefix, group.video_start, group.grid)
        input_ids[row, :num_prefix] = torch.tensor(group.prefix_ids)
        position_ids[:, row, :num_prefix] = positions
        mask[row, :num_prefix, :num_prefix] = _causal(num_prefix)
        video_mask[row, group.video_start : group.video_start + group.grid.num_tokens] = True
        start = num_prefix
        for branch in group.branches:
            tokens = branch.context_ids + branch.target_ids
            end = start + len(tokens)
            input_ids[row, start:end] = torch.tensor(tokens, dtype=torch.long)
            position_ids[:, row, start:end] = continue_positions(positions, len(tokens))
            mask[row, start:end, :num_prefix] = True
            mask[row, start:end, start:end] = _causal(len(tokens))
            first_target = start + len(branch.context_ids)
            for offset in range(len(branch.target_ids)):
                at = first_target + offset
                # the first token of a branch is predicted by the last token of the prefix
                predictor.append(row * width + (at - 1 if at > start else num_prefix - 1))
            targets.extend(branch.target_ids)
            lengths.append(len(branch.target_ids))
            start = end
    return Layout(
        input_ids=input_ids,
        position_ids=position_ids,
        attention_mask=mask[:, None],
        video_mask=video_mask,
        predictor=torch.tensor(predictor, dtype=torch.long),
        target_ids=torch.tensor(targets, dtype=torch.long),
        branch_lengths=tuple(lengths),
    )


def padded_layout(groups: Sequence[PrefixGroup], pad_id: int) -> Layout:
    """The ordinary layout, each completion with a copy of its prompt: the oracle of the shared one.

    Rows follow the branches in order, so a clip's features must be repeated once for each branch of its group.
    """
    singles = [
        PrefixGroup(prefix_ids=g.prefix_ids, video_start=g.video_start, grid=g.grid, branches=(branch,))
        for g in groups
        for branch in g.branches
    ]
    return shared_prefix_layout(singles, pad_id)


def micro_batches(lengths: Sequence[int], max_tokens: int) -> list[list[int]]:
    """Splits rows into consecutive micro-batches of at most `max_tokens` padded tokens each (a single longer row
    stands alone).

    Returns: indices into `lengths`, in order, each exactly once.
    """
    batches: list[list[int]] = []
    width = 0
    for index, length in enumerate(lengths):
        width_with = max(width, length)
        if batches and width_with * (len(batches[-1]) + 1) <= max_tokens:
            batches[-1].append(index)
            width = width_with
        else:
            batches.append([index])
            width = length
    return batches


def _causal(num_tokens: int) -> torch.Tensor:
    return torch.ones((num_tokens, num_tokens), dtype=torch.bool).tril()
