"""Settings of the advantages: the length penalty, and the weights of the reward's parts."""

import pydantic

from vaserl.settings.section import Section

OVERLONG_PART = "penalty/overlong"
"""Name of the score part that contains a completion's overlong penalty."""


class OverlongSettings(Section):
    """Settings of the penalty on completions that come close to the token limit (DAPO's soft overlong punishment)."""

    num_tokens: int = pydantic.Field(default=0, ge=0)
    """Number of tokens before the limit rollout.max_new_tokens at which the penalty starts; from there it grows
    linearly up to the limit. 0 turns the penalty off."""
    penalty: float = pydantic.Field(default=1.0, gt=0)
    """Amount subtracted from the reward of a completion that reaches the token limit."""


PART_WEIGHTS = {
    "fabric": 0.20,
    "technique": 0.20,
    "shape": 0.15,
    "dating": 0.15,
    "decoration": 0.20,
    "attribution": 0.10,
    "penalty/length": -0.10,
    "penalty/repetition": -0.10,
    "penalty/irrelevance": -0.05,
    "bonus": 0.05,
}
"""Default of `AdvantageSettings.weights`. The six archaeological dimensions have the weights that they have in the
reward. Penalties have negative weights. The weights of penalties and bonus are half of the largest amount by which they
can change the reward, because normalising makes a small difference in them as large as the difference between a right
and a wrong answer."""


class AdvantageSettings(Section):
    """Settings of how advantages are computed from the scores of a group."""

    per_dimension: bool = False
    """If true, each part of the reward is normalised within its group before the parts are added (GDPO): a part that
    varies little then has as much effect as one that varies a lot. If false, the sum of the parts is normalised."""
    weights: dict[str, float] = pydantic.Field(default_factory=lambda: dict(PART_WEIGHTS))
    """Weight of each part of the reward, used with `per_dimension` only; a part that is not listed has weight 0. With
    several reward functions, a part's name starts with the function's name: "brevity/total"."""
