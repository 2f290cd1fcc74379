"""Advantages: from the scores of a group to the advantage of each completion, on the sum or dimension by dimension.

On the sum: GRPO, Shao et al., arXiv 2402.03300; without the division, Dr. GRPO, Liu et al., arXiv 2503.20783. Summing
first lets the part that varies most decide alone. Dimension by dimension (GDPO, Liu et al., arXiv 2601.05242), every
part is normalised within its group before the parts are added, and the sums are whitened over the step.

Axes: P task, G group member, D part.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from vaserl.errors import UserError
from vaserl.types import ScoredGroup

ZERO_VARIANCE = 1e-6
"""Rewards of a group that lie closer together count as equal: their advantages are 0, not amplified rounding noise."""

STD_EPSILON = 1e-4
"""Added to a group's standard deviation, as TRL does."""


def advantages(
    scored_P: Sequence[ScoredGroup], *, normalise: bool = True, part_weights: Mapping[str, float] | None = None
) -> list[tuple[float, ...]]:
    """Returns [P][G] the advantages of a step: of the totals, or with `part_weights` of the parts that it names.

    Raises: UserError when `part_weights` names no part of these scores, ValueError when it comes without `normalise`.
    """
    if part_weights is None:
        return [group_advantages([score.total for score in scored.scores], normalise=normalise) for scored in scored_P]
    if not normalise:
        raise ValueError("advantages by part are always normalised: part_weights needs normalise=True")
    parts_P_G = [[score.parts for score in scored.scores] for scored in scored_P]
    known = {name for parts_G in parts_P_G for parts in parts_G for name in parts}
    if known and not known & set(part_weights):
        raise UserError(
            f"advantage.weights names none of the reward's parts: it has {', '.join(sorted(part_weights))}; "
            f"the parts are {', '.join(sorted(known))}"
        )
    return whiten([part_advantages(parts_G, part_weights) for parts_G in parts_P_G])


def group_advantages(rewards_G: Sequence[float], *, normalise: bool = True) -> tuple[float, ...]:
    """Returns (r - mean) / (std + 1e-4) within a group, std unbiased; without `normalise`, r - mean (Dr. GRPO).

    Computed in float64: in float32 the mean of eight equal rewards differs from them often enough that dividing by a
    tiny std gives advantages of order 100. The advantages of a group without variance, or of one member, are 0.

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
    """Tells whether the rewards of a group differ, so that the policy can learn from it."""
    return len(rewards_G) > 1 and max(rewards_G) - min(rewards_G) >= ZERO_VARIANCE


def part_advantages(parts_G: Sequence[Mapping[str, float]], weights: Mapping[str, float]) -> tuple[float, ...]:
    """Returns the sum over D of  w_d (r_d - mean_d) / (std_d + 1e-4)  within a group.

    A part without variance adds nothing, whatever its weight: otherwise the last bit of a dimension that all
    completions have right would count as much as one that half of them miss. A completion that lacks a part neither
    moves its mean nor gains from it. A negative weight makes a part a cost.
    """
    sums = np.zeros(len(parts_G))
    for name, weight in weights.items():
        having = [member for member, parts in enumerate(parts_G) if name in parts]
        if having:
            sums[having] += weight * np.asarray(group_advantages([parts_G[member][name] for member in having]))
    return tuple(float(a) for a in sums)


def whiten(advantages_P_G: Sequence[Sequence[float]]) -> list[tuple[float, ...]]:
    """Divides the advantages of a step by their standard deviation over the groups that have any, so that the size of
    the step does not grow with the number of parts. Their mean is 0 already, group by group."""
    live = [a for group in advantages_P_G if any(group) for a in group]
    scale = float(np.std(live, ddof=1)) if len(live) > 1 else 0.0
    if scale < ZERO_VARIANCE:
        return [tuple(group) for group in advantages_P_G]
    return [tuple(a / (scale + STD_EPSILON) for a in group) for group in advantages_P_G]
