"""How scores become advantages: length penalty, and weights of the reward's parts."""

import pydantic

from vaserl.settings.section import Section

OVERLONG_PART = "penalty/overlong"
"""Name of the score part that holds the overlong penalty of a completion."""


class OverlongSettings(Section):
    """Penalty on completions that come close to the token limit (DAPO's soft overlong punishment)."""

    num_tokens: int = pydantic.Field(default=0, ge=0)
    """Width of the penalised zone before rollout.max_new_tokens, in tokens; the penalty grows linearly inside it. 0
    turns the penalty off."""
    penalty: float = pydantic.Field(default=1.0, gt=0)
    """Reward subtracted from a completion that reaches the limit."""


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
"""The six dimensions weigh what they weigh in the reward, penalties count negatively. Penalties and bonus weigh half
of the most that they can change the reward by: normalising makes a small difference in them as large as the difference
between a right and a wrong dimension."""


class AdvantageSettings(Section):
    """How the scores of a group become advantages."""

    per_dimension: bool = False
    """Normalises each part of the reward within its group before the parts are added, instead of their sum (GDPO): a
    dimension that varies little is then learned as much as one that varies a lot."""
    weights: dict[str, float] = pydantic.Field(default_factory=lambda: dict(PART_WEIGHTS))
    """With `per_dimension`: weight of each part of the reward; a part that is not listed counts nothing. With several
    reward functions a part's name starts with its function's: "brevity/total"."""
