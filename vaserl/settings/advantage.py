"""How scores become advantages: what a completion's length costs, and what each part of the reward counts."""

import pydantic

from vaserl.settings.section import Section

OVERLONG_PART = "penalty/overlong"
"""The part of the score that says what its length cost a completion."""


class OverlongSettings(Section):
    """DAPO's soft overlong punishment."""

    num_tokens: int = pydantic.Field(default=0, ge=0)
    """The last so many tokens before rollout.max_new_tokens cost reward, more with each one; 0 costs nothing."""
    penalty: float = pydantic.Field(default=1.0, gt=0)
    """What a completion that reaches the limit costs."""


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
"""The dimensions as in the reward, penalties as costs. These and the bonus weigh half of the most that they take from
or add to the reward: normalising makes even a small difference in them as large as one between right and wrong."""


class AdvantageSettings(Section):
    per_dimension: bool = False
    """Normalise every part of the reward within its group before they are added, instead of their sum (GDPO): a
    dimension that varies little is then learned as much as one that varies a lot."""
    weights: dict[str, float] = pydantic.Field(default_factory=lambda: dict(PART_WEIGHTS))
    """With `per_dimension`: the reward's parts and how much each counts; parts that are not named count nothing. With
    several reward functions their names have the function's before them: "brevity/total"."""
