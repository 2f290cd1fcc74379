"""Advantages of completions, computed from their total rewards or separately for each part of the reward.

From the total rewards: GRPO (Shao et al., arXiv 2402.03300) or, without the division by the standard deviation, Dr.
GRPO (Liu et al., arXiv 2503.20783). The part of the reward that varies most within a group dominates the advantage.

Separately for each part: GDPO (Liu et al., arXiv 2601.05242). Each part is normalised within its group, the normalised
parts are added, and the sums are divided by their standard deviation over the step.

Axes: P tasks of a step, G completions of a group.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from vaserl.errors import UserError
from vaserl.types import ScoredGroup

ZERO_VARIANCE = 1e-6
"""Threshold for the spread (largest minus smallest) of a group's rewards: below it the rewards count as equal. The
group's advantages are then 0, because dividing by the tiny standard deviation would amplify rounding noise."""

STD_EPSILON = 1e-4
"""Constant added to a standard deviation before dividing by it, as in TRL."""


def advantages(
    scored_P: Sequence[ScoredGroup], *, normalise: bool = True, part_weights: Mapping[str, float] | None = None
) -> list[tuple[float, ...]]:
    """Returns the advantages of a step's completions, [P][G].

    Without `part_weights` they are computed from the total scores. With `part_weights` (part name to weight) they are
    computed from the parts of the scores.

    Raises: UserError when none of the parts in `part_weights` occurs in the scores; ValueError when `part_weights` is
    passed and `normalise` is False.
    """
    if part_weights is None:
        return [group_advantages([score.total for score in scored.scores], normalise=normalise) for scored in scored_P]
    if not normalise:
        raise ValueError("part_weights needs normalise=True: advantages by part are always normalised")
    parts_P_G = [[score.parts for score in scored.scores] for scored in scored_P]
    known = {name for parts_G in parts_P_G for parts in parts_G for name in parts}
    if known and not known & set(part_weights):
        raise UserError(
            f"advantage.weights contains none of the reward's parts: its keys are {', '.join(sorted(part_weights))}; "
            f"the reward's parts are {', '.join(sorted(known))}"
        )
    return whiten([part_advantages(parts_G, part_weights) for parts_G in parts_P_G])


def group_advantages(rewards_G: Sequence[float], *, normalise: bool = True) -> tuple[float, ...]:
    """Returns the advantages of one group's rewards r, [G].

    They are (r - mean) / (std + 1e-4) with the unbiased std; with `normalise` False, r - mean (Dr. GRPO). If all
    rewards are equal or there is only one, the advantages are 0.

    Computed in float64: in float32 the computed mean of eight equal rewards often differs slightly from the rewards,
    and dividing that difference by a tiny std gives advantages of order 100.

    Raises: ValueError for a reward that is not finite.
    """
    rewards = np.asarray(rewards_G, dtype=np.float64)
    if not np.isfinite(rewards).all():
        raise ValueError(f"rewards must be finite, got {rewards.tolist()}")
    if not has_signal(rewards_G):
        return (0.0,) * len(rewards)
    centred = rewards - rewards.mean()
    if normalise:
        centred = centred / (rewards.std(ddof=1) + STD_EPSILON)
    return tuple(float(a) for a in centred)


def has_signal(rewards_G: Sequence[float]) -> bool:
    """Tells whether the rewards of a group differ; from a group of equal rewards the policy can't learn."""
    return len(rewards_G) > 1 and max(rewards_G) - min(rewards_G) >= ZERO_VARIANCE


def part_advantages(parts_G: Sequence[Mapping[str, float]], weights: Mapping[str, float]) -> tuple[float, ...]:
    """Returns the advantages of one group, [G]: the sum over the parts d of  w_d (r_d - mean_d) / (std_d + 1e-4).

    r_d is the completion's value of part d, mean_d and std_d are those of the group's values, and w_d is the weight in
    `weights`. A negative weight makes the part a penalty.

    A part with equal values for all completions adds nothing: otherwise rounding noise, divided by its tiny std, would
    count as much as a real difference. If a completion's score lacks a part, the completion is left out of that part's
    mean and std, and the part adds nothing to the completion's advantage.
    """
    sums = np.zeros(len(parts_G))
    for name, weight in weights.items():
        having = [member for member, parts in enumerate(parts_G) if name in parts]
        if having:
            sums[having] += weight * np.asarray(group_advantages([parts_G[member][name] for member in having]))
    return tuple(float(a) for a in sums)


def whiten(advantages_P_G: Sequence[Sequence[float]]) -> list[tuple[float, ...]]:
    """Returns the advantages of a step, [P][G], divided by their standard deviation.

    Without this division the size of the optimizer step would grow with the number of parts. Groups whose advantages
    are all 0 are left out of the standard deviation. No mean is subtracted, because the mean of every group is 0
    already.
    """
    live = [a for group in advantages_P_G if any(group) for a in group]
    scale = float(np.std(live, ddof=1)) if len(live) > 1 else 0.0
    if scale < ZERO_VARIANCE:
        return [tuple(group) for group in advantages_P_G]
    return [tuple(a / (scale + STD_EPSILON) for a in group) for group in advantages_P_G]
