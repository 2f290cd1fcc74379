"""The shared-prefix layout: a row contains each prompt once, followed by all completions of that prompt.

A padded batch repeats a prompt once for each of its G completions. Here a prompt and its completions are one group,
[prefix][branch 1] … [branch G]. Each branch attends to the prefix and to itself, and its positions continue those of
the prefix. A prompt of P tokens with G completions of C tokens then takes P+G·C tokens instead of G·(P+C), and every
logprob and gradient is the same. Several groups follow one another in one row, without padding.

Axes: B rows, S tokens of a row, N trained tokens of all rows together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from vaserl.policy.attention import TokenSpan
from vaserl.policy.groups import PrefixGroup
from vaserl.policy.positions import continue_positions, prompt_positions


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Input of one forward pass of the policy, and the indices of the tokens that predict the trained tokens."""

    input_ids: torch.Tensor
    """[B, S] int64 token ids of B rows with S tokens each."""
    position_ids: torch.Tensor
    """[3, B, S] int64 rotary positions in time, height and width of B rows with S tokens each."""
    video_mask: torch.Tensor
    """[B, S] bool, True on video placeholders. In row-major order, they are the tokens of the first group's clip, then
    of the second's, and so on."""
    predictor: torch.Tensor
    """[N] index of the token that predicts each of the N trained tokens, among the B·S tokens in row-major order."""
    target_ids: torch.Tensor
    """[N] ids of the N trained tokens."""
    branch_lengths: tuple[int, ...]
    """Number of trained tokens in each branch (completion) of each group: the lengths by which a tensor over all
    trained tokens is split into completions."""
    spans: tuple[TokenSpan, ...]
    """Place of each group in the packed row, which determines attention; empty when every row is an ordinary causal
    sequence."""

    def to(self, device: torch.device) -> "Layout":
        """Returns a copy whose tensors are on `device`."""
        names = ("input_ids", "position_ids", "video_mask", "predictor", "target_ids")
        return replace(self, **{name: getattr(self, name).to(device) for name in names})


def shared_prefix_layout(groups: Sequence[PrefixGroup]) -> Layout:
    """Puts all groups one after the other into one row, each group's prefix once, followed by the group's branches.

    Raises: ValueError when there is no group, or when a group has no prefix or no branch.
    """
    if not groups or any(not group.branches or not group.prefix_ids for group in groups):
        raise ValueError("a layout needs at least one group, and each group needs a prefix and at least one branch")
    ids: list[int] = []
    positions: list[torch.Tensor] = []
    video: list[torch.Tensor] = []
    predictor: list[int] = []
    targets: list[int] = []
    lengths: list[int] = []
    spans: list[TokenSpan] = []
    for group in groups:
        start, num_prefix = len(ids), len(group.prefix_ids)
        prefix_positions = prompt_positions(num_prefix, group.video_start, group.grid)
        ids.extend(group.prefix_ids)
        positions.append(prefix_positions)
        video.append(torch.arange(start + group.video_start, start + group.video_start + group.grid.num_tokens))
        ends: list[int] = []
        for branch in group.branches:
            begin = len(ids)
            ids.extend(branch.context_ids + branch.target_ids)
            ends.append(len(ids))
            positions.append(continue_positions(prefix_positions, ends[-1] - begin))
            # a token is predicted by the one before it, a branch's first by the last of the prefix
            first = begin + len(branch.context_ids)
            before = [at - 1 if at > begin else start + num_prefix - 1 for at in range(first, ends[-1])]
            predictor.extend(before)
            targets.extend(branch.target_ids)
            lengths.append(len(branch.target_ids))
        spans.append(TokenSpan(start=start, prefix_end=start + num_prefix, branch_ends=tuple(ends)))
    video_mask = torch.zeros(len(ids), dtype=torch.bool)
    video_mask[torch.cat(video)] = True
    return Layout(
        input_ids=torch.tensor(ids, dtype=torch.long)[None],
        position_ids=torch.cat(positions, dim=1)[:, None],
        video_mask=video_mask[None],
        predictor=torch.tensor(predictor, dtype=torch.long),
        target_ids=torch.tensor(targets, dtype=torch.long),
        branch_lengths=tuple(lengths),
        spans=tuple(spans),
    )


def padded_layout(groups: Sequence[PrefixGroup], pad_id: int) -> Layout:
    """Puts every completion into a row of its own with its own copy of the prompt. Tests compare the shared-prefix
    layout with this ordinary one.

    Padding is on the right, where no other token attends to it. The caller must repeat a clip's features once for each
    branch of the clip's group.
    """
    singles = [replace(group, branches=(branch,)) for group in groups for branch in group.branches]
    rows = [shared_prefix_layout([single]) for single in singles]
    width = max(row.input_ids.shape[1] for row in rows)

    def padded(tensor: torch.Tensor, value: int) -> torch.Tensor:
        return F.pad(tensor, (0, width - tensor.shape[-1]), value=value)

    return Layout(
        input_ids=torch.cat([padded(row.input_ids, pad_id) for row in rows]),
        position_ids=torch.cat([padded(row.position_ids, 0) for row in rows], dim=1),
        video_mask=torch.cat([padded(row.video_mask, False) for row in rows]),
        predictor=torch.cat([row.predictor + index * width for index, row in enumerate(rows)]),
        target_ids=torch.cat([row.target_ids for row in rows]),
        branch_lengths=tuple(length for row in rows for length in row.branch_lengths),
        spans=(),
    )


def micro_batches(lengths: Sequence[int], max_tokens: int) -> list[list[int]]:
    """Splits groups into consecutive micro-batches of at most `max_tokens` tokens. A group with more tokens becomes a
    micro-batch of its own.

    lengths: number of tokens in each group.
    Returns: the groups' indices in each micro-batch; every group occurs exactly once, and their order is kept.
    """
    batches: list[list[int]] = []
    total = 0
    for index, length in enumerate(lengths):
        if batches and total + length <= max_tokens:
            batches[-1].append(index)
            total += length
        else:
            batches.append([index])
            total = length
    return batches
